// The panel of one unit: what is known of it at once, then what takes a reading, and last what it answers to.

import { make, visible } from "../view.js";
import { isOvertaken } from "../api.js";
import { focusPanel, redraw } from "../charts/redraw.js";
import { answersOf, profileOf } from "../facts/answers.js";
import { Heading } from "../facts/heading.js";
import { distributionOf, extremesOf, gatesOf, memoryOf, writtenByOf } from "../facts/quick.js";
import { nearestOf, weightsOf } from "../facts/weights.js";

const SETTLED_MS = 150; // after another unit was chosen: more may follow
const STALE_MS = 300; // for which what is known of the unit before stays, so that nothing flickers
const MOST_KEPT = 16; // units whose answers are kept

/** The parts of the panel from top to bottom: what the server calls each, its heading, and what shows it. */
const PARTS = [
  ["distribution", "Values", distributionOf],
  ["extremes", "Where it is most and least active", extremesOf],
  ["answers", "What it answers to", answersOf],
  ["profile", "", null],
  ["memory", "How long it remembers", memoryOf],
  ["written_by", "Characters that change it", writtenByOf],
  ["weights", "Weights", weightsOf],
  ["nearest", "Units that go with it", nearestOf],
];
const STAGES = { distribution: "Reading the unit …", nearest: "Comparing it with the other units …", answers: "Asking all hypotheses …" };

export function panel(app) {
  const unit = new UnitPanel(app);
  return { title: "Unit", element: unit.element, show: () => unit.ask(), hide: () => unit.leave() };
}

class UnitPanel {
  #asked = ""; // the unit that is shown, or will be
  #profiled = ""; // and the labels that it is shown beside
  #timer = 0;
  #hiding = 0;
  #kept = new Map(); // answers, by unit

  constructor(app) {
    this.app = app;
    this.heading = new Heading(app, "Unit");
    this.gates = make("p", "unit-gates");
    this.stage = make("p", "muted stage", { role: "status" });
    this.progress = make("progress", "", { hidden: true, "aria-label": "Asking about the unit", max: 1, value: 0 });
    this.parts = new Map(PARTS.map(([name, title]) => [name, make("section", `unit-part unit-${name}`, { hidden: true, "aria-label": title })]));
    this.element = make("div", "panel-unit", {}, this.heading.element, this.gates, this.stage, this.progress, make("div", "unit-parts", {}, ...this.parts.values()));
    app.on("unit", () => this.#settle());
    app.on("recordings", () => this.#settle());
    app.on("labels", () => this.#profile());
    app.on("back", () => this.ask());
  }

  get #isOpen() {
    return this.app.state.get("panel") === "unit";
  }

  #settle() {
    clearTimeout(this.#timer);
    this.leave();
    this.#timer = setTimeout(() => this.ask(), SETTLED_MS);
  }

  /** Ask about the unit of the state, unless that has been done, or nobody sees it. */
  async ask() {
    const { app } = this;
    const key = `${app.recording} ${app.unit}`;
    if (!this.#isOpen) return;
    if (key !== this.#asked) this.#begin(key);
    else if (this.#kept.get(key)?.isWhole) return void this.#profile();
    this.#profile();
    const kept = this.#kept.get(key);
    if (kept?.isWhole) return;
    const messages = [];
    const signal = app.latest("unit");
    this.progress.hidden = false;
    this.progress.removeAttribute("value");
    this.stage.textContent = STAGES.distribution;
    try {
      const take = (message) => !signal.aborted && this.#take(message, messages);
      await app.api.stream("unit", { recording: app.recording, unit: app.unit }, take, { signal, method: "GET" });
      if (signal.aborted) return;
      this.#keep(key, { messages, isWhole: true });
      this.stage.textContent = "";
    } catch (error) {
      if (isOvertaken(error)) return void (this.#asked = this.#asked === key ? "" : this.#asked);
      this.stage.textContent = error.message;
      this.#hideStale();
    }
    if (!signal.aborted) this.progress.hidden = true;
  }

  /** End what is asked, of which nobody sees the answer: other panels have questions, too. */
  leave() {
    this.app.abort("unit");
    this.app.abort("unit-profile");
  }

  #begin(key) {
    this.#asked = key;
    this.#profiled = "";
    this.heading.show(visible(this.app.unit));
    redraw(this.gates, []);
    this.stage.textContent = "";
    this.progress.hidden = true;
    for (const part of this.parts.values()) part.classList.add("stale");
    clearTimeout(this.#hiding);
    this.#hiding = setTimeout(() => this.#hideStale(), STALE_MS);
    const kept = this.#kept.get(key);
    if (kept) kept.messages.forEach((message) => this.#show(message));
  }

  /** Hide what is of the unit before. */
  #hideStale() {
    for (const part of this.parts.values()) {
      if (!part.classList.contains("stale")) continue;
      if (part.contains(document.activeElement)) focusPanel(part);
      part.hidden = true;
    }
  }

  #keep(key, kept) {
    this.#kept.set(key, kept);
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value);
  }

  #take(message, messages) {
    if (message.progress) {
      const [done, all] = message.progress;
      this.progress.value = all ? done / all : 0;
      return;
    }
    messages.push(message);
    this.#show(message);
  }

  #show({ result, gates, ...facts }) {
    if (gates) redraw(this.gates, gatesOf(this.app, gates));
    for (const [name, title, show] of PARTS) {
      const answer = { ...facts, ...result }[name];
      if (!answer || !show) continue;
      this.#fill(name, title, answer.sentence && Object.keys(answer).length === 1 ? [make("p", "muted", {}, answer.sentence)] : show(this.app, answer));
    }
    if (facts.written_by) this.stage.textContent = STAGES.nearest;
    if (facts.nearest) this.stage.textContent = STAGES.answers;
  }

  #fill(name, title, content) {
    const part = this.parts.get(name);
    redraw(part, [make("h3", "", {}, title), ...content]);
    part.classList.remove("stale");
    part.ariaLabel = title;
    part.hidden = false;
  }

  // ---- Beside the hypothesis that is asked

  async #profile() {
    const { app } = this;
    const labels = app.labelsOf(app.recording);
    const key = labels ? `${app.recording} ${app.unit} ${labels.id}` : "";
    if (!this.#isOpen || key === this.#profiled) return;
    this.#profiled = key;
    const part = this.parts.get("profile");
    const isEmpty = part.hidden || !part.childElementCount;
    part.hidden = !labels;
    if (!labels) return void app.abort("unit-profile");
    const signal = app.latest("unit-profile");
    const title = `Compared with ${visible(labels.name)}`;
    if (isEmpty) this.#fill("profile", title, [make("p", "muted", {}, "…")]);
    part.classList.add("stale");
    try {
      const question = { recording: app.recording, unit: app.unit, labels: labels.id };
      const take = ({ result }) => result && !signal.aborted && this.#fill("profile", title, profileOf(app.unit, result, labels.kind));
      await app.api.stream("unit/profile", question, take, { signal });
    } catch (error) {
      if (this.#profiled === key) this.#profiled = "";
      if (error.status === 404) app.labels.renew().catch(() => {}); // the server keeps those that were asked for last
      else if (!isOvertaken(error)) this.#fill("profile", title, [make("p", "muted", {}, error.message)]);
    }
  }
}
