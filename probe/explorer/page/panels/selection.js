// The panel of what is painted: the units that switch on and off there, where else they do, and the file that keeps it.

import { grouped, make } from "../view.js";
import { isOvertaken } from "../api.js";
import { intervalBar, LEAST, scoreText, shown } from "../charts/scores.js";
import { link } from "../charts/charts.js";
import { redraw } from "../charts/redraw.js";
import { Heading } from "../facts/heading.js";
import { Elsewhere } from "../painting/elsewhere.js";
import { Keeping } from "../painting/keeping.js";
import { PassageList } from "../painting/passages.js";

const SETTLED_MS = 250; // after a passage was painted: more may follow
const MOST_ROWS = 12;
const BRUSHES = [["paint", "Paint", "Dragging over the text paints it"], ["erase", "Un-paint", "Dragging over what is painted, or a click on it, un-paints it"], ["none", "Off", "Dragging selects, as usual"]];

export function panel(app) {
  const selection = new SelectionPanel(app);
  return { title: "Selection", element: selection.element, show: () => selection.ask(), hide: () => selection.leave() };
}

class SelectionPanel {
  #asked = ""; // what has been asked, or is
  #timer = 0;

  constructor(app) {
    this.app = app;
    this.heading = new Heading(app, "Selection");
    this.about = make("p", "muted");
    this.passages = new PassageList(app);
    this.stage = make("p", "muted stage", { role: "status" });
    this.progress = make("progress", "", { hidden: true, "aria-label": "Comparing the units", max: 1, value: 0 });
    this.warnings = make("ul", "warnings", { hidden: true, "aria-label": "Warnings" });
    this.table = make("div", "ranking");
    this.chance = make("p", "muted chance-of-best");
    this.against = make("div", "ranking against-text");
    this.elsewhere = new Elsewhere(app);
    this.keeping = new Keeping(app);
    this.element = make(
      "div", "panel-selection", {},
      this.heading.element, this.about, this.#brushes(), this.passages.element, this.stage, this.progress, this.warnings,
      this.table, this.chance, this.elsewhere.element, this.against, this.keeping.element,
    );
    app.on("painted", () => this.#settle());
    app.on("recordings", () => this.#settle());
    app.on("unit", () => this.#markUnit());
    app.on("back", () => this.ask());
    this.#explain();
  }

  #brushes() {
    const { state } = this.app;
    const buttons = BRUSHES.map(([name, label, title]) => {
      const button = make("button", "choice", { type: "button", title }, label);
      button.addEventListener("click", () => state.set({ brush: name }));
      return button;
    });
    const show = () => buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(BRUSHES[i][0] === state.get("brush"))));
    this.app.on("brush", show);
    show();
    return make("div", "choices", { role: "group", "aria-label": "Dragging over the text" }, ...buttons);
  }

  #settle() {
    clearTimeout(this.#timer);
    this.app.abort("selection");
    this.#explain();
    this.#timer = setTimeout(() => this.ask(), SETTLED_MS);
  }

  /** Say what is painted, and how to paint. */
  #explain() {
    const { spans, nPainted } = this.app.painting;
    this.about.textContent = spans.length
      ? `${grouped(spans.length)} ${spans.length === 1 ? "passage is" : "passages are"} painted, ${grouped(nPainted)} characters`
      : "Drag over some of the text to paint it, or select with Shift and the arrow keys and press m. Several passages that are alike tell more than one.";
    this.passages.show(spans);
    this.keeping.element.hidden = !spans.length;
    if (spans.length) return;
    for (const element of [this.table, this.against]) element.replaceChildren();
    for (const element of [this.stage, this.chance]) element.textContent = "";
    this.progress.hidden = true;
    this.elsewhere.forget();
    this.#warn([]);
    this.#asked = "";
  }

  /** End what is asked, of which nobody sees the answer: other panels have questions, too. */
  leave() {
    for (const name of ["selection", "elsewhere"]) this.app.abort(name);
  }

  /** Ask for the units that switch, unless that has been done, or nobody sees it. */
  async ask() {
    const { app } = this;
    const { spans } = app.painting;
    const key = spans.length ? `${app.recording} ${spans}` : "";
    if (app.state.get("panel") !== "selection" || !key) return;
    if (key === this.#asked) return this.elsewhere.ask();
    this.#asked = key;
    const signal = app.latest("selection");
    this.#begin();
    try {
      const question = { recording: app.recording, spans };
      await app.api.stream("selection", question, (message) => !signal.aborted && this.#take(message), { signal });
    } catch (error) {
      if (this.#asked === key) this.#asked = "";
      if (isOvertaken(error)) return;
      this.stage.textContent = error.message;
      for (const element of [this.table, this.against]) element.replaceChildren();
    }
    if (!signal.aborted) this.progress.hidden = true;
  }

  #begin() {
    this.stage.textContent = "Comparing the units …";
    for (const element of [this.table, this.against]) element.classList.add("stale");
    this.progress.hidden = false;
    this.progress.removeAttribute("value");
  }

  #take(message) {
    if (message.progress) {
      const [done, all] = message.progress;
      this.progress.value = all ? done / all : 0;
    } else if (message.quick) {
      this.#showContrast(message.quick);
      this.stage.textContent = "Compared with the text around; passages at random places follow";
      this.chance.textContent = "";
    } else if (message.contrast) {
      this.#showContrast(message.contrast);
      this.stage.textContent = "Compared with the text around; the whole text follows";
    } else if (message.result) {
      this.#showAgainst(message.result.against_text);
      this.stage.textContent = "";
    }
  }

  #warn(sentences) {
    this.warnings.replaceChildren(...[...new Set(sentences)].map((sentence) => make("li", "", {}, sentence)));
    this.warnings.hidden = !sentences.length;
  }

  // ---- The tables

  #showContrast(contrast) {
    const { units, chance, n_passages: nPassages, notes, n_units: nUnits, p_best: p } = contrast;
    const compared = units.filter(({ auc }) => auc !== null);
    const controls = chance.length ? [{ name: "best at random places, at most", held_out: chance.at(-1) }] : [];
    const rows = compared.slice(0, MOST_ROWS).map((row) => this.#rowOf(row, nPassages, controls));
    const heads = [["Unit", ""], ["", ""], ["AUC", "number"], ["95 % interval", "interval"], ["agree", "number"]];
    const heading = make("h3", "", {}, "Compared with the text around");
    redraw(this.table, rows.length ? [heading, tableOf("Units inside what is painted, compared with the text around it", heads, rows)] : []);
    this.table.classList.remove("stale");
    this.#warn(notes);
    this.notes = notes;
    this.chance.textContent = sentenceOnChance(chance, nUnits, p);
    this.elsewhere.offer(compared.map(({ unit }) => unit));
    this.#markUnit();
  }

  #rowOf({ unit, auc, low, high, direction, n_agreeing: nAgreeing, mean_inside: inside, mean_around: around }, nPassages, controls) {
    const isOn = direction > 0;
    const turned = isOn ? { low, high } : { low: high === null ? null : 1 - high, high: low === null ? null : 1 - low };
    const title = `mean ${shown(inside)} inside, ${shown(around)} around`;
    const score = isOn ? auc : 1 - auc;
    return this.#line(unit, [
      make("td", "switch", { title }, isOn ? "on" : "off"),
      make("td", "number score", { title }, shown(score)),
      make("td", "interval", {}, intervalBar(turned, score, "auc", [LEAST.auc, 1], controls)),
      make("td", "number", { title: `in ${nAgreeing} of ${nPassages} passages` }, `${nAgreeing}/${nPassages}`),
    ]);
  }

  #showAgainst({ rows, is_held_out: isHeldOut, notes }) {
    const lines = rows.slice(0, MOST_ROWS).map((row) => this.#againstRow(row, isHeldOut));
    const heads = [["Unit", ""], ["", ""], ["AUC", "number"], ["95 % interval", "interval"]];
    const about = isHeldOut ? "On held-out characters, as `probe rank` has it for the file of this selection." : "Of all characters; nothing is held out.";
    redraw(this.against, [make("h3", "", {}, "Compared with the whole text"), make("p", "muted", {}, about), tableOf("Units that tell what is painted from the whole text", heads, lines)]);
    this.against.classList.remove("stale");
    this.#warn([...this.notes, ...notes]);
    this.#markUnit();
  }

  #againstRow(row, isHeldOut) {
    const score = isHeldOut ? row.held_out_auc : row.direction > 0 ? row.overall_auc : 1 - row.overall_auc;
    return this.#line(row.unit, [
      make("td", "switch", {}, row.direction > 0 ? "on" : "off"),
      make("td", "number score", {}, scoreText(score)),
      make("td", "interval", {}, intervalBar(row, score, "auc", [LEAST.auc, 1], [])),
    ]);
  }

  #line(unit, cells) {
    const line = make("tr", "", {}, make("th", "unit", { scope: "row" }, link(unit, () => this.app.showUnit(unit))), ...cells);
    line.dataset.unit = unit;
    return line;
  }

  #markUnit() {
    for (const line of this.element.querySelectorAll("tbody tr")) {
      const isShown = line.dataset.unit === this.app.unit;
      line.classList.toggle("current", isShown);
      if (isShown) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
  }
}

function tableOf(name, heads, rows) {
  const head = make("tr", "", {}, ...heads.map(([text, className]) => make(text ? "th" : "td", className, text ? { scope: "col" } : {}, text)));
  return make("table", "", { "aria-label": name }, make("thead", "", {}, head), make("tbody", "", {}, ...rows));
}

/** What the best of as many units reaches on passages at random places. */
function sentenceOnChance(chance, nUnits, p) {
  if (!chance.length) return "";
  const range = `${scoreText(chance[0])} to ${scoreText(chance.at(-1))}`;
  return `The best of ${grouped(nUnits)} units reaches ${range} in ${chance.length} sets of as many passages at random places; p = ${shown(p)} for the best here.`;
}
