// What is known of a unit as soon as it has been read: its values, its memory, where it is most and least active.

import { grouped, make, visible } from "../view.js";
import { barTable, curvesChart, histogramChart, link } from "../charts/charts.js";
import { shown } from "../charts/scores.js";

const [BEFORE, AFTER] = [40, 40]; // characters of a passage that are shown, where there is room

/** The gates of the same layer and number, or the cells that belong to a gate. */
export function gatesOf(app, gates) {
  if (!gates.length) return [];
  return [make("span", "muted", {}, "Same number: "), ...gates.map((name) => link(name, () => app.showUnit(name)))];
}

export function distributionOf(app, { edges, n, mean, sd, median }) {
  const total = n.reduce((sum, one) => sum + one, 0) || 1;
  const groups = [{ name: "all characters", values: n.map((one) => one / total) }];
  const sentence = `mean ${shown(mean)}, standard deviation ${shown(sd)}, median ${shown(median)}, from ${shown(edges[0])} to ${shown(edges.at(-1))}`;
  const marks = [{ value: mean, name: `mean ${shown(mean)}` }];
  const chart = histogramChart({ edges, groups, xTitle: "activation", label: `Histogram of ${grouped(total)} values: ${sentence}`, marks });
  return [chart, make("p", "muted", {}, sentence)];
}

export function memoryOf(app, { time_constant: constant, lags, autocorrelation, sentence }) {
  const points = lags.map((lag, i) => ({ x: lag, y: autocorrelation[i] }));
  const isMeasured = constant !== null && constant >= lags[0]; // below the shortest lag, it is only known to be shorter
  const marks = isMeasured ? [{ value: constant, name: `${shown(constant, 1)} characters` }] : [];
  const chart = curvesChart({ series: [{ name: "autocorrelation", points }], xTitle: "characters apart", yTitle: "autocorrelation", label: `Autocorrelation: ${sentence}`, marks, withZero: true });
  return [chart, make("p", "muted", {}, sentence)];
}

export function extremesOf(app, { most, least }) {
  const list = (name, rows) => [make("h4", "", {}, name), make("ol", "passages", { "aria-label": name }, ...rows.map((row) => passage(app, row)))];
  return [...list("Most active", most), ...list("Least active", least)];
}

function passage(app, { position, value, before, character, after }) {
  const parts = inContext([...before].slice(-BEFORE).join(""), character, [...after].slice(0, AFTER).join(""));
  const go = make("button", "passage in-context", { type: "button", title: `Go to position ${grouped(position)}` }, ...parts);
  go.addEventListener("click", () => app.goTo(position));
  return make("li", "", {}, go, make("span", "number", {}, shown(value)));
}

/** A marked text between what is before and behind it, which are cut where there is no room. */
export function inContext(before, text, after) {
  return [make("span", "before", {}, make("span", "", {}, visible(before))), make("mark", "", {}, visible(text)), make("span", "after", {}, visible(after))];
}

export function writtenByOf(app, { rows, sentence }) {
  if (!rows.length) return [make("p", "muted", {}, sentence)];
  const bars = rows.map(({ character, change, mean, n }) => ({ name: character, value: change, title: `mean ${shown(mean)} after it, ${grouped(n)} times` }));
  return [
    make("p", "muted", {}, "How much the unit changes on average when a character is read; those that explain most of its changes first."),
    barTable({ rows: bars, label: "Characters that change the unit", heads: ["Character", "change"] }),
  ];
}
