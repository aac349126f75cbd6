// Where else units do what they do in the painted passages: a list of passages, and a click goes to one.

import { grouped, make, numberText, visible } from "../view.js";
import { isOvertaken } from "../api.js";
import { redraw } from "../charts/redraw.js";
import { percentText } from "../charts/scores.js";
import { inContext } from "../facts/quick.js";

const MOST_TOGETHER = 3;

export class Elsewhere {
  #units = []; // those that switch, the first first
  #asked = "";

  constructor(app) {
    this.app = app;
    app.state.define("elsewhere", { key: "else", kind: "whole", initial: 0 });
    this.choices = make("div", "choices", { role: "group", "aria-label": "Units to look for" });
    this.progress = make("progress", "", { hidden: true, "aria-label": "Looking for passages", max: 1, value: 0 });
    this.summary = make("p", "muted", { role: "status" });
    this.warnings = make("ul", "warnings", { hidden: true, "aria-label": "What this shows" });
    this.list = make("ol", "passages", { "aria-label": "Similar passages" });
    this.element = make("div", "elsewhere", { hidden: true }, make("h3", "", {}, "Similar passages elsewhere"), this.choices, this.progress, this.summary, this.list, this.warnings);
    app.on("elsewhere", () => this.ask());
    app.on("painted", () => this.forget());
  }

  /** Offer to look for what units do that switch in the painted passages. */
  offer(units) {
    this.#units = units;
    this.element.hidden = !units.length;
    const numbers = units.length >= MOST_TOGETHER ? [1, MOST_TOGETHER] : units.length ? [1] : [];
    redraw(this.choices, numbers.map((n) => this.#choice(n)));
    this.ask();
  }

  #choice(n) {
    const label = n === 1 ? visible(this.#units[0]) : `the first ${n} together`;
    const button = make("button", "choice", { type: "button", title: this.#units.slice(0, n).join(", "), "aria-pressed": String(n === this.#n) }, label);
    button.addEventListener("click", () => this.app.state.set({ elsewhere: n }));
    return button;
  }

  get #n() {
    return this.app.state.get("elsewhere");
  }

  /** Show nothing: other passages are painted. */
  forget() {
    this.app.abort("elsewhere");
    this.#asked = "";
    this.#units = [];
    this.element.hidden = true;
    for (const element of [this.list, this.warnings]) element.replaceChildren();
    this.summary.textContent = "";
    this.progress.hidden = true;
  }

  /** Look for what the chosen units do, unless that has been done, or nobody sees it. */
  async ask() {
    const { app } = this;
    if (app.state.get("panel") !== "selection") return;
    const units = this.#units.slice(0, this.#n);
    [...this.choices.children].forEach((button, i) => button.setAttribute("aria-pressed", String([1, MOST_TOGETHER][i] === this.#n)));
    const key = units.length ? `${app.recording} ${units} ${app.painting.spans}` : "";
    if (key === this.#asked || !key) return;
    this.#asked = key;
    const signal = app.latest("elsewhere");
    this.summary.textContent = "Reading the recording …";
    this.list.classList.add("stale");
    this.progress.hidden = false;
    this.progress.removeAttribute("value");
    try {
      const question = { recording: app.recording, spans: app.painting.spans, units };
      await app.api.stream("selection/elsewhere", question, (message) => !signal.aborted && this.#take(message), { signal });
    } catch (error) {
      if (this.#asked === key) this.#asked = "";
      if (isOvertaken(error)) return;
      this.summary.textContent = error.message;
      this.list.replaceChildren();
    }
    if (!signal.aborted) this.progress.hidden = true;
  }

  #take({ progress, result }) {
    if (progress) this.progress.value = progress[1] ? progress[0] / progress[1] : 0;
    if (!result) return;
    const { passages, n_found: nFound, share_on_inside: inside, share_on: all, units, notes } = result;
    const many = passages.length < nFound ? `; the ${passages.length} most alike of different texts are listed` : "";
    this.summary.textContent = `${units.join(", ")}: ${grouped(nFound)} other passages${many}. On at ${percentText(inside)} of the painted characters, and ${percentText(all)} of all.`;
    redraw(this.list, passages.map((passage) => this.#item(passage)));
    this.list.classList.remove("stale");
    this.warnings.replaceChildren(...notes.map((note) => make("li", "", {}, note)));
    this.warnings.hidden = !notes.length;
  }

  #item({ start, before, text, after, likeness, n_alike: nAlike }) {
    const times = nAlike > 1 ? `, ${nAlike} times` : "";
    const go = make("button", "passage in-context", { type: "button", title: `Position ${start}, likeness ${numberText(likeness, 0.01)}${times}` }, ...inContext(before, text, after));
    go.addEventListener("click", () => this.app.goTo(start));
    return make("li", "", {}, go, nAlike > 1 ? make("span", "muted times", { title: "passages with this text" }, `×${nAlike}`) : "");
  }
}
