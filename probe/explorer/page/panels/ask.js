// The panel that answers a hypothesis: the units that follow it, at once from a quick look, then from the whole recording.

import { grouped, make } from "../view.js";
import { isOvertaken } from "../api.js";
import { link } from "../charts/charts.js";
import { redraw } from "../charts/redraw.js";
import { intervalBar, LEAST, percentText, scoreOf, scoreText } from "../charts/scores.js";
import { Heading } from "../facts/heading.js";

const SETTLED_MS = 150; // after labels have come: more may be typed
const MOST_ROWS = 40;
const KINDS = { numeric: "A number for each character", categorical: "A class for each character" };

/** What a row says of how well a unit holds within positions. */
function withinPositions(row, measure) {
  return row.within_position_groups ?? row[`${measure}_within_position_groups`] ?? null;
}

export function panel(app) {
  const ranking = new Ranking(app);
  return { title: "Ask", element: ranking.element, show: () => ranking.ask() };
}

class Ranking {
  #asked = ""; // the labels that have been ranked, or are
  #timer = 0;

  constructor(app) {
    this.app = app;
    this.heading = new Heading(app, "Ask");
    this.about = make("p", "muted about-labels");
    this.progress = make("progress", "", { hidden: true, "aria-label": "Ranking the units", max: 1, value: 0 });
    this.stage = make("p", "muted stage", { role: "status" });
    this.warnings = make("ul", "warnings", { hidden: true, "aria-label": "Warnings" });
    this.shown = make("p", "shown-unit"); // what the row of the unit that is shown says, in words
    this.sentences = new Map();
    this.table = make("div", "ranking");
    this.controls = make("div", "controls");
    this.element = make("div", "panel-ask", {}, this.heading.element, this.about, this.stage, this.progress, this.warnings, this.shown, this.table, this.controls);
    app.on("labels", () => this.#settle());
    app.on("unit", () => this.#markUnit());
    this.#explain();
  }

  #settle() {
    clearTimeout(this.#timer);
    this.app.abort("rank");
    this.#timer = setTimeout(() => this.ask(), SETTLED_MS);
  }

  #explain() {
    this.heading.show("Ask");
    this.about.textContent = "Type a hypothesis or a /pattern/ above (a): its labels are drawn over the text, and the units that follow them are listed here.";
    this.sentences.clear();
    this.shown.textContent = "";
    this.stage.textContent = "";
    this.#showWarnings([]);
    this.table.replaceChildren();
    this.controls.replaceChildren();
    this.progress.hidden = true;
  }

  /** Rank the units by the labels of the state, unless that has been done, or nobody sees it. */
  async ask() {
    const { app } = this;
    const labels = app.labelsOf(app.recording);
    const key = labels ? `${app.recording} ${labels.id}` : "";
    if (app.state.get("panel") !== "ask" || (key && key === this.#asked)) return;
    this.#asked = key;
    if (!labels) return void this.#explain();
    const signal = app.latest("rank");
    this.#begin(labels);
    try {
      await app.api.stream("rank", { recording: app.recording, labels: labels.id }, (message) => !signal.aborted && this.#take(message), { signal });
      if (!signal.aborted) this.progress.hidden = true;
    } catch (error) {
      if (this.#asked === key) this.#asked = "";
      if (isOvertaken(error)) return;
      this.progress.hidden = true;
      this.stage.textContent = error.message;
    }
  }

  #begin(labels) {
    this.heading.show(labels.name);
    const { n_chars: nChars } = this.app.facts.recordings[this.app.recording].header;
    const n = labels.n_true;
    this.about.textContent = n === null || n === undefined ? KINDS[labels.kind] ?? labels.kind : `True at ${grouped(n)} of ${grouped(nChars)} characters, ${percentText(n / nChars)}`;
    this.stage.textContent = "Ranking the units …";
    this.#showWarnings(labels.warnings ?? []);
    this.labelWarnings = labels.warnings ?? [];
    this.table.classList.add("stale");
    this.controls.replaceChildren();
    this.progress.hidden = false;
    this.progress.removeAttribute("value");
  }

  #take(message) {
    if (message.quick) {
      const rows = Array.isArray(message.quick) ? message.quick : message.quick.rows;
      this.#showRows(rows, [], true);
      this.stage.textContent = "A quick look at hidden states and cells; intervals and all sites follow";
    } else if (message.progress) {
      const [done, all] = message.progress;
      this.progress.value = all ? done / all : 0;
    } else if (message.ranking) {
      this.ranking = message.ranking;
      this.#showRanking(this.ranking, true);
    } else if (message.controls) {
      this.#showRanking({ ...this.ranking, controls: message.controls }, true);
    } else if (message.result) {
      this.#showRanking(message.result, false);
    }
  }

  #showRanking({ rows, controls = [], warnings = [], ...counts }, moreFollow) {
    this.#showRows(rows, controls, false);
    this.#showControls(controls, rows);
    if (moreFollow) this.controls.append(make("p", "muted", {}, `What ${controls.length ? "more characters" : "the last characters and the position"} say without the model follows …`));
    this.#showWarnings([...new Set([...this.labelWarnings, ...warnings])]);
    this.stage.textContent = summaryOf({ rows, ...counts });
  }

  #showWarnings(sentences) {
    this.warnings.replaceChildren(...sentences.map((sentence) => make("li", "", {}, sentence)));
    this.warnings.hidden = !sentences.length;
  }

  // ---- The table

  #showRows(rows, controls, isQuick) {
    const measure = rows[0]?.measure ?? (rows[0] && Object.keys(rows[0]).some((name) => name.endsWith("_r")) ? "r" : "auc");
    const lows = rows.map((row) => row.low ?? scoreOf(row, measure)).filter((value) => value !== null);
    const range = [Math.min(LEAST[measure], ...lows, ...controls.flatMap((control) => scoresOf(control))), 1];
    const name = measure === "auc" ? "AUC" : "r";
    const hasClass = rows.some((row) => row.class);
    const heads = [
      ["Unit", "", ""],
      ...(hasClass ? [["Class", "", "The class that the unit tells from the rest"]] : []),
      [name, "number", `${measure === "auc" ? "AUC" : "Pearson's r"} on held-out characters, sign-aligned on the training characters`],
      [isQuick ? "" : "95 % interval", "interval", ""],
      [isQuick ? "" : "by position", "number by-position", "The same among characters of the same eighth of the text"],
      ["", "", ""],
    ];
    const head = make("tr", "", {}, ...heads.map(([text, className, title]) => make(text ? "th" : "td", className, text ? { scope: "col", title } : {}, text)));
    const body = rows.slice(0, MOST_ROWS).map((row) => this.#rowOf(row, measure, range, controls, hasClass, isQuick));
    const table = make("table", "", {}, make("thead", "", {}, head), make("tbody", "", {}, ...body));
    redraw(this.table, [rows.length ? table : make("p", "muted", {}, "no unit could be ranked")]);
    this.table.classList.remove("stale");
    this.sentences = new Map(rows.map((row) => [row.unit, sentenceOn(row, measure, isQuick)]));
    this.#markUnit();
  }

  #rowOf(row, measure, range, controls, hasClass, isQuick) {
    const { app } = this;
    const unit = link(row.unit, () => app.showUnit(row.unit));
    const direction = row.direction < 0 ? make("span", "direction", { title: "lower where the label is higher" }, "−") : row.direction > 0 ? make("span", "direction", { title: "higher where the label is higher" }, "+") : "";
    const score = scoreOf(row, measure);
    const line = make(
      "tr", "", {},
      make("th", "unit", { scope: "row" }, unit),
      ...(hasClass ? [make("td", "class", {}, row.class ?? "")] : []),
      make("td", "number score", {}, scoreText(score)),
      make("td", "interval", {}, isQuick ? "" : intervalBar(row, score, measure, range, controlsOf(row, controls))),
      make("td", "number by-position", {}, isQuick ? "" : scoreText(withinPositions(row, measure))),
      make("td", "sign", {}, direction),
    );
    line.dataset.unit = row.unit;
    return line;
  }

  #markUnit() {
    this.shown.textContent = this.sentences.get(this.app.unit) ?? "";
    for (const line of this.table.querySelectorAll("tbody tr")) {
      const isShown = line.dataset.unit === this.app.unit;
      line.classList.toggle("current", isShown);
      if (isShown) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
  }

  #showControls(controls, rows) {
    this.controls.replaceChildren();
    if (!controls.length) return;
    const lines = controls.filter(({ name }) => name).map(({ name, held_out: score, low, high, note }) => {
      const interval = low === null || low === undefined ? "" : ` (${scoreText(low)} to ${scoreText(high)})`;
      return make("div", "control", note ? { title: note } : {}, make("span", "name", {}, name), make("span", "number", {}, `${scoreText(score)}${interval}`));
    });
    const notes = [...new Set(controls.map(({ note }) => note).filter(Boolean))].map((note) => make("p", "muted", {}, note));
    const hasClasses = rows.some((row) => row.class);
    const means = hasClasses ? "The mean over the classes; marked in each interval is that of its class: " : "Marked in each interval: ";
    const about = lines.length ? [make("p", "muted", {}, `${means}what a unit knows is what it adds to these.`)] : [];
    this.controls.replaceChildren(make("h3", "", {}, "Without the model, from"), ...lines, ...about, ...notes);
  }
}

/** The score of a row with its interval in numbers, and what its sign means. */
function sentenceOn(row, measure, isQuick) {
  const { low, high, direction, class: ofClass } = row;
  const interval = isQuick ? "" : low === null || low === undefined ? ", no interval" : ` (${scoreText(low)} to ${scoreText(high)})`;
  const where = measure === "r" ? "the label is higher" : `the label is ${ofClass ?? "True"}`;
  const sign = direction ? `, ${direction > 0 ? "higher" : "lower"} where ${where}` : "";
  return `${row.unit}: ${measure === "r" ? "r" : "AUC"} ${scoreText(scoreOf(row, measure))}${interval}${sign}`;
}

/** All scores of a control: one, or that of each class. */
function scoresOf({ held_out: score, by_class: byClass = {} }) {
  return [score, ...Object.values(byClass)].filter((value) => value !== null && value !== undefined);
}

/** The controls as they stand beside a row: of several classes, those of its class. */
function controlsOf(row, controls) {
  if (!row.class) return controls;
  return controls.map(({ name, by_class: byClass = {} }) => ({ name, held_out: byClass[row.class] }));
}

function summaryOf({ rows, n_units: nUnits, n_train: nTrain, n_test: nTest }) {
  if (nUnits === undefined) return "The whole recording, all sites";
  return `The best ${grouped(rows.length)} of ${grouped(nUnits)} units, chosen and ordered by ${grouped(nTrain)} characters of training, with their scores on ${grouped(nTest)} that were held out`;
}
