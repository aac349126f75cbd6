// One character of a typed text is another one: which units change, how much, and for how long.

import { grouped, make, numberText, visible } from "../view.js";
import { isOvertaken } from "../api.js";
import { link } from "../charts/charts.js";
import { draw } from "../charts/frame.js";

const [WIDTH, HEIGHT] = [84, 20];
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The part of the panel below the text. `typed` is the field, `onChanged(change)` is told what is shown, or `null`. */
export class ChangedCharacter {
  constructor(app, typed, onChanged) {
    Object.assign(this, { app, typed, onChanged, position: -1 });
    this.label = make("label", "", { htmlFor: "changed-to" }, "");
    this.field = make("input", "changed-to", { id: "changed-to", type: "text", autocomplete: "off", spellcheck: false });
    this.form = make("form", "change-form", { hidden: true }, this.label, this.field, make("button", "button", { type: "submit" }, "Change"));
    this.message = make("p", "muted", { role: "status" });
    this.result = make("div", "change-result");
    this.element = make("section", "change", { "aria-label": "Change one character" }, this.form, this.message, this.result);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask();
    });
  }

  /** Offer to change a character of the text; none if it is -1. */
  offer(position) {
    const character = this.typed.characters[position];
    this.form.hidden = character === undefined;
    this.position = position;
    if (character !== undefined) this.label.textContent = `Change ${shown(character)} at ${grouped(position)} to`;
  }

  /** Take away what was shown, which is of another text. */
  clear() {
    this.app.abort("change");
    this.message.textContent = "";
    this.result.replaceChildren();
    this.onChanged(null);
  }

  async ask() {
    const { app, typed, position } = this;
    this.clear();
    const character = this.field.value === "" ? "" : [...this.field.value][0];
    if (!character) return void (this.message.textContent = "type the character that takes its place");
    const signal = app.latest("change");
    try {
      const change = await app.api.post("change", { recording: app.recording, text: typed.text, position, character }, { signal });
      if (!signal.aborted) this.#show(change);
    } catch (error) {
      if (!isOvertaken(error)) this.message.textContent = error.message;
    }
  }

  #show(change) {
    const { position, before, character, units, n_steps: nSteps } = change;
    const heading = make("h3", "", {}, `${shown(before)} → ${shown(character)} at ${grouped(position)}`);
    const keep = make("button", "button", { type: "button" }, "Use the changed text");
    keep.addEventListener("click", () => {
      const characters = [...this.typed.characters];
      characters[position] = character;
      this.typed.setText(characters.join(""));
    });
    const rows = units.map((unit) => this.#rowOf(unit, nSteps));
    const heads = [["Unit", ""], ["change", "number"], ["lasts", "number"], ["", ""]].map(([text, className]) => make(text ? "th" : "td", className, text ? { scope: "col" } : {}, text));
    const table = make("table", "", {}, make("thead", "", {}, make("tr", "", {}, ...heads)), make("tbody", "", {}, ...rows));
    const notes = (change.notes ?? []).map((note) => make("p", "muted", {}, note));
    this.result.replaceChildren(heading, make("p", "muted change-loss", {}, lossSentence(change)), units.length ? table : make("p", "", {}, "No unit changes."), ...notes, keep);
    this.onChanged(change);
  }

  #rowOf({ unit, largest, after, lasts, curve }, nSteps) {
    const change = `${largest > 0 ? "+" : ""}${numberText(largest, 0.01)}`;
    const long = lasts === null ? `≥ ${grouped(nSteps - 1)}` : grouped(lasts);
    const title = `largest after ${grouped(after)} characters; ${lasts === null ? `still there after ${grouped(nSteps - 1)} characters, the last that were compared` : `at most 1/e of that from ${grouped(lasts)} characters on`}`;
    const row = make("tr", "", {}, make("th", "", { scope: "row" }, link(unit, () => this.app.showUnit(unit))), make("td", "number", {}, change), make("td", "number lasts", { title }, long), make("td", "", {}, sparkline(curve, `Difference over ${grouped(curve.length)} characters`)));
    row.dataset.unit = unit;
    return row;
  }
}

/** A character in quotes; those that are not seen by their names. */
export function shown(character) {
  const names = { "\n": "newline", "\t": "tab", " ": "blank" };
  return names[character] ?? `“${visible(character)}”`;
}

function lossSentence({ position, losses_before: before, losses_after: after }) {
  const places = before.map((_, i) => i).filter((i) => i > position && before[i] !== null && after[i] !== null);
  if (!places.length) return "“lasts” is in characters, until the change is 1/e of its largest.";
  const [one, other] = [before, after].map((losses) => mean(places.map((i) => losses[i])));
  return `Loss of the ${grouped(places.length)} characters after it: ${numberText(one, 0.001)} → ${numberText(other, 0.001)} nats. “lasts” is in characters, until the change is 1/e of its largest.`;
}

/** A small curve about 0. */
function sparkline(values, label) {
  const most = Math.max(...values.map(Math.abs), 1e-12);
  const place = (value, i) => `${((i * (WIDTH - 2)) / Math.max(values.length - 1, 1) + 1).toFixed(1)},${((1 - value / most) * (HEIGHT / 2 - 1) + 1).toFixed(1)}`;
  const zero = draw("polyline", { points: `1,${HEIGHT / 2} ${WIDTH - 1},${HEIGHT / 2}`, class: "zero" });
  const curve = draw("polyline", { points: values.map(place).join(" "), class: "curve" });
  return draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "sparkline", role: "img", "aria-label": label }, zero, curve);
}
