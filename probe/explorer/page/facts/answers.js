// What a unit answers to: the hypotheses, how well, and its tuning to those that explain most of it.

import { grouped, make, visible } from "../view.js";
import { barTable, curvesChart, histogramChart, legendOf, link } from "../charts/charts.js";
import { intervalBar, LEAST, measureName, percentText, scoreText, shown } from "../charts/scores.js";

const MOST_ROWS = 15;
const MOST_CLASSES = 20;

/** The hypotheses, those that explain most together first; a click asks one, so that it is shown beside the unit. */
export function answersOf(app, { rows, explained, tunings, left_out: leftOut }) {
  const lines = rows.slice(0, MOST_ROWS).map((row) => answer(app, row));
  const heads = [["Hypothesis", ""], ["held-out", "number"], ["95 % interval", "interval"], ["adds", "number"]];
  const head = make("tr", "", {}, ...heads.map(([text, className]) => make("th", className, { scope: "col" }, text)));
  const table = make("table", "ranking", { "aria-label": "Hypotheses that the unit answers to" }, make("thead", "", {}, head), make("tbody", "", {}, ...lines));
  const together = explained === null || explained === undefined ? "" : `${percentText(explained, 0)} of its held-out variance is explained by those that add something together. `;
  const sentence = `${together}AUC for True and False, r for numbers; click one to see the unit beside it.`;
  const more = rows.length > MOST_ROWS ? [make("p", "muted", {}, `${rows.length - MOST_ROWS} more were tried, and say less.`)] : [];
  const others = leftOut ? [make("details", "left-out", {}, make("summary", "muted", {}, "Hypotheses that were left out"), make("p", "muted", {}, leftOut))] : [];
  return [make("p", "muted", {}, sentence), table, ...more, ...others, ...tunings.flatMap((tuning) => tuningOf(app, tuning))];
}

function answer(app, row) {
  const measure = row.measure === "r" ? "r" : "auc";
  const ask = () => app.ask(row.hypothesis).catch((error) => app.say(error.message, { isError: true }));
  return make(
    "tr", "", {},
    make("th", "", { scope: "row" }, link(row.hypothesis, ask)),
    make("td", "number score", { title: measureName(measure) }, scoreText(row.held_out)),
    make("td", "interval", {}, intervalBar(row, row.held_out, measure, [LEAST[measure], 1], [])),
    make("td", "number", {}, row.added_r2 === null || row.added_r2 === undefined ? "" : percentText(row.added_r2)),
  );
}

function tuningOf(app, { hypothesis, places, curve, median, period }) {
  const kind = app.facts.hypotheses.find(({ name }) => name === hypothesis)?.kind;
  const label = `Tuning to ${hypothesis}`;
  const wave = period ? `; a wave of period ${shown(period, 1)}` : "";
  const heading = make("h4", "", {}, `Tuning to ${visible(hypothesis)}${wave}`);
  if (kind === "numeric") {
    const points = curve.map(({ mean }, i) => ({ x: places[i], y: mean })).filter(({ x }) => x !== null);
    const table = curvesChart({ series: [{ name: hypothesis, points }], xTitle: hypothesis, yTitle: "mean", label: `${label}, median ${shown(median)}` });
    return [heading, table];
  }
  const rows = curve.filter(({ mean }) => mean !== null).map(({ label: name, mean, n_chars: n }) => ({ name, value: mean, title: `${grouped(n)} characters` }));
  rows.sort((a, b) => b.value - a.value);
  const chosen = rows.length > MOST_CLASSES ? [...rows.slice(0, MOST_CLASSES / 2), ...rows.slice(-MOST_CLASSES / 2)] : rows;
  const leftOut = chosen.length < rows.length ? [make("p", "muted", {}, `The ${MOST_CLASSES / 2} highest and the ${MOST_CLASSES / 2} lowest of ${grouped(rows.length)} classes.`)] : [];
  return [heading, barTable({ rows: chosen, label, heads: ["Class", "mean"] }), ...leftOut];
}

// ---- Beside one hypothesis

/** A unit beside labels: its histogram where they hold, its averages where they begin and end, its means. */
export function profileOf(unit, { label, rows, notes }, kind) {
  const of = (part) => rows.filter((row) => row.part === part);
  const [score] = of("score");
  const [threshold] = of("threshold");
  const interval = score.low === null ? "" : ` (${scoreText(score.low)} to ${scoreText(score.high)})`;
  const sentences = [`${measureName(score.of)} ${scoreText(score.value)}${interval} on held-out characters.`];
  if (threshold) sentences.push(`At the threshold ${shown(threshold.at)} the balanced accuracy is ${shown(threshold.value)}.`);
  const averages = ["begins", "ends"].flatMap((change) => averagesOf(unit, of(change), `where ${label} ${change}`));
  return [
    make("p", "", {}, sentences.join(" ")),
    ...histogramsOf(of("histogram"), label, threshold),
    ...averages,
    ...meansOf(of("mean"), label, kind),
    make("ul", "notes", {}, ...notes.map((note) => make("li", "muted", {}, note))),
  ];
}

function histogramsOf(rows, label, threshold) {
  const names = [...new Set(rows.map((row) => row.of))];
  const groups = names.map((name) => ({ name, values: rows.filter((row) => row.of === name).map(({ value }) => value ?? 0) }));
  const middles = rows.filter((row) => row.of === names[0]).map(({ at }) => at);
  if (middles.length < 2) return [];
  const half = (middles[1] - middles[0]) / 2;
  const edges = [middles[0] - half, ...middles.map((middle) => middle + half)];
  const marks = threshold ? [{ value: threshold.at, name: `threshold ${shown(threshold.at)}` }] : [];
  return [make("h4", "", {}, "Values"), histogramChart({ edges, groups, xTitle: "activation", label: `Histogram by ${label}`, marks }), legendOf(names)];
}

/** Averages around events: those of the unit, and below, those of its gates. */
function averagesOf(unit, rows, where) {
  const names = [...new Set(rows.map((row) => row.of))];
  const series = names.map((name) => ({ name, points: rows.filter((row) => row.of === name).map(({ at, value, low, high }) => ({ x: at, y: value, low, high })) }));
  const n = Math.max(...rows.map((row) => row.n ?? 0), 0);
  const groups = [series.filter(({ name }) => name === unit), series.filter(({ name }) => name !== unit)].filter((group) => group.length);
  return groups.flatMap((group) => [
    make("h4", "", {}, group[0].name === unit ? `Average ${visible(where)}` : `Its gates ${visible(where)}`),
    curvesChart({ series: group, xTitle: "characters since then", yTitle: "mean", label: `${group.map(({ name }) => name).join(", ")}: averages ${where}, up to ${grouped(n)} times`, marks: [{ value: 0, name: where }] }),
    ...(group.length > 1 ? [legendOf(group.map(({ name }) => name))] : []),
  ]);
}

function meansOf(rows, label, kind) {
  if (kind === "numeric") {
    const points = rows.filter(({ at }) => at !== null).map(({ at, value, low, high }) => ({ x: at, y: value, low, high }));
    return points.length ? [make("h4", "", {}, `Tuning to ${visible(label)}`), curvesChart({ series: [{ name: label, points }], xTitle: label, yTitle: "mean", label: `Means by ${label}` })] : [];
  }
  const bars = rows.filter(({ value }) => value !== null).map(({ of, value, low, high, n }) => ({ name: of, value, title: `${low === null ? "" : `${shown(low)} to ${shown(high)}, `}${grouped(n)} characters` }));
  if (!bars.length) return [];
  const leftOut = bars.length > MOST_CLASSES ? [make("p", "muted", {}, `The first ${MOST_CLASSES} of ${grouped(bars.length)} labels.`)] : [];
  return [make("h4", "", {}, "Means"), barTable({ rows: bars.slice(0, MOST_CLASSES), label: `Means by ${label}`, heads: ["Label", "mean"] }), ...leftOut];
}

