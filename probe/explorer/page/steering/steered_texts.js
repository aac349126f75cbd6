// What a model writes with a change and without it, side by side with the differences marked, and what is measured.

import { grouped, make, numberText, visible } from "../view.js";
import { shown } from "../charts/scores.js";

const signed = (value) => (value > 0 ? `+${shown(value)}` : shown(value));

/** Two texts as runs of characters that are the same in the same places, or differ: [[first, second, differs], …]. */
export function runsOf(first, second) {
  const [one, other] = [[...first], [...second]];
  const runs = [];
  for (let start = 0, n = Math.max(one.length, other.length); start < n; ) {
    const differs = one[start] !== other[start];
    let stop = start + 1;
    while (stop < n && (one[stop] !== other[stop]) === differs) stop++;
    runs.push([one.slice(start, stop).join(""), other.slice(start, stop).join(""), differs]);
    start = stop;
  }
  return runs;
}

/** The part of the panel below the controls. */
export class SteeredTexts {
  #shown = 0; // which of the texts
  #answer = null;

  constructor() {
    this.heads = ["unsteered", "steered"].map((name) => make("h3", name, {}, name));
    this.columns = ["unsteered", "steered"].map((name) => make("div", `written ${name}`, { role: "group", tabIndex: 0, "aria-label": name }));
    const step = (by, label, sign) => {
      const button = make("button", "button step", { type: "button", "aria-label": label, title: label }, sign);
      button.addEventListener("click", () => this.#step(by));
      return button;
    };
    this.which = make("span", "which muted", { role: "status" });
    this.stepper = make("div", "stepper", { hidden: true }, step(-1, "The pair before", "‹"), this.which, step(1, "The next pair", "›"));
    this.pair = make("div", "pair", { hidden: true }, ...this.heads, ...this.columns);
    this.summary = make("div", "steer-summary");
    this.element = make("div", "steered-texts", {}, this.stepper, this.pair, this.summary);
  }

  /** Say that what is shown is of an earlier question. */
  setStale(isStale) {
    this.element.classList.toggle("stale", isStale);
  }

  clear() {
    this.#answer = null;
    this.stepper.hidden = this.pair.hidden = true;
    this.summary.replaceChildren();
  }

  /** Show an answer; one without matched changes is to be followed by one with them. */
  show(answer, isQuick) {
    this.#answer = answer;
    this.#shown = Math.min(this.#shown, answer.steered.length - 1);
    this.heads[1].textContent = visible(answer.intervention);
    this.stepper.hidden = answer.steered.length < 2;
    this.pair.hidden = false;
    this.setStale(false);
    this.#showPair();
    this.#summarise(answer, isQuick);
  }

  #step(by) {
    const n = this.#answer.steered.length;
    this.#shown = (this.#shown + by + n) % n;
    this.#showPair();
  }

  #showPair() {
    const { unsteered, steered, first_differences: firsts } = this.#answer;
    const runs = runsOf(unsteered[this.#shown], steered[this.#shown]);
    this.columns.forEach((column, side) => column.replaceChildren(...runs.map((run) => (run[2] ? make("mark", "", {}, run[side]) : run[side]))));
    const first = firsts[this.#shown];
    this.which.textContent = `${grouped(this.#shown + 1)} of ${grouped(steered.length)}: ${first === null ? "the same" : `they differ from character ${grouped(first)} on`}`;
  }

  #summarise({ rows, findings, notes, share_changed: share, n_matched: nMatched }, isQuick) {
    const heads = [["without", "number"], ["with", "number"], ["effect", "number"], ["matched", "number"]].map(([text, className]) => make("th", className, { scope: "col" }, text));
    const body = rows.map((row) => {
      const ends = row.low === null || row.low === undefined ? "" : `${signed(row.low)} to ${signed(row.high)}`;
      const effect = make("td", "number effect", {}, signed(row.effect), make("span", "ends muted", {}, ends));
      const matched = isQuick ? "…" : shown(row.matched) === "–" ? "–" : signed(row.matched);
      const name = make("tr", "", {}, make("th", "measure", { scope: "rowgroup", colSpan: 4 }, visible(row.measure)));
      const values = make("tr", "", {}, make("td", "number", {}, shown(row.unsteered)), make("td", "number", {}, shown(row.steered)), effect, make("td", "number matched", {}, matched));
      return make("tbody", "", {}, name, values);
    });
    const table = make("table", "effects", {}, make("thead", "", {}, make("tr", "", {}, ...heads)), ...body);
    const about = nMatched ? `matched: the mean effect of ${grouped(nMatched)} other units of the site that vary as much, or of random directions as long.` : "";
    const sentences = [`${numberText(100 * share, 1)}\u00a0% of the characters differ in their places.`, ...findings, about, ...notes].filter(Boolean);
    this.summary.replaceChildren(table, ...sentences.map((sentence) => make("p", "muted", {}, visible(sentence))));
  }
}
