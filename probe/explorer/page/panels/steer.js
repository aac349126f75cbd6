// The panel in which a slider holds a unit, or adds a direction, while the model writes: two continuations side by side.

import { make, numberText, visible } from "../view.js";
import { isOvertaken } from "../api.js";
import { Ablation } from "../steering/ablation.js";
import { SteeredTexts } from "../steering/steered_texts.js";

const SETTLED_MS = 250; // after the slider has moved
const N_STEPS = 200; // of the slider
const LABELS_MS = 3000; // to wait for the labels of a link
const MOST_PROMPT = 500; // characters
const N_MATCHED = 10;
const SIZES = { 10: "10 texts", 40: "40 texts" };

export function panel(app) {
  const steering = new Steering(app);
  return { title: "Steer", element: steering.element, show: () => steering.show() };
}

class Steering {
  #isOpen = false;
  #modelOf = -1; // the recording whose model is there
  #timer = 0;
  #range = null; // of what is changed: { key, low, high }
  #asked = "";
  #waitsForLabels;

  constructor(app) {
    this.app = app;
    const { state } = app;
    state.define("steerBy", { key: "by", kind: "text", initial: "hold" });
    state.define("steerSite", { key: "bysite", kind: "text", initial: "" });
    state.define("steerAt", { key: "at", kind: "text", initial: "" });
    state.define("steerPrompt", { key: "prompt", kind: "text", initial: "" });
    state.define("steerSeed", { key: "seed", kind: "whole", initial: 0 });
    state.define("steerTexts", { key: "texts", kind: "whole", initial: 10 });
    this.message = make("p", "message", { role: "status" });
    this.texts = new SteeredTexts();
    this.ablation = new Ablation(app);
    this.progress = make("progress", "", { hidden: true, "aria-label": "Writing", max: 1, value: 0 });
    this.work = make("div", "steer-work", { hidden: true }, this.#controls(), this.progress, this.texts.element, this.ablation.element);
    const about = "The model goes on from the prompt twice with the same random numbers: as it is, and changed at every character.";
    this.element = make("div", "panel-steer", {}, make("h2", "", {}, "Steer"), make("p", "muted", {}, about), this.message, this.work);
    for (const name of ["unit", "hypothesis", "steerBy", "steerSite", "steerAt", "steerPrompt", "steerSeed", "steerTexts", "back"]) app.on(name, () => this.#settle());
    this.#waitsForLabels = state.get("hypothesis") !== "";
    app.on("recordings", () => this.#isOpen && this.show());
    app.on("labels", () => this.#onLabels());
    app.on("panel", () => (this.#isOpen &&= state.get("panel") === "steer"));
  }

  #controls() {
    const { state } = this.app;
    const set = (name, value) => state.set({ [name]: value });
    const labelled = (text, field) => make("label", "steer-field", {}, make("span", "", {}, text), field);
    this.by = make("select", "", { "aria-label": "What is changed" });
    this.by.addEventListener("change", () => state.set({ steerBy: this.by.value, steerAt: "" }));
    this.site = make("select", "", { "aria-label": "Site of the direction" });
    this.site.addEventListener("change", () => state.set({ steerSite: this.site.value, steerAt: "" }));
    this.siteField = labelled("at", this.site);
    this.slider = make("input", "steer-slider", { type: "range", min: 0, max: N_STEPS, step: 1, "aria-label": "Value" });
    this.value = make("input", "steer-value", { type: "number", step: "any", "aria-label": "Value as a number" });
    this.slider.addEventListener("input", () => set("steerAt", numberText(this.#valueOf(Number(this.slider.value)), 0.001).replace("−", "-")));
    this.value.addEventListener("change", () => this.value.value !== "" && set("steerAt", String(Number(this.value.value))));
    this.ends = [make("span", "muted"), make("span", "muted")];
    this.prompt = make("input", "", { type: "text", autocomplete: "off", spellcheck: false, maxLength: MOST_PROMPT, placeholder: "a new line" });
    this.prompt.addEventListener("change", () => set("steerPrompt", this.prompt.value));
    this.seed = make("input", "steer-seed", { type: "number", min: 0, max: 2 ** 31, step: 1 });
    this.seed.addEventListener("change", () => set("steerSeed", Math.max(Math.floor(Number(this.seed.value)) || 0, 0)));
    const again = make("button", "button", { type: "button" }, "Another seed");
    again.addEventListener("click", () => set("steerSeed", state.get("steerSeed") + 1));
    this.size = make("select", "", {}, ...Object.entries(SIZES).map(([n, text]) => make("option", "", { value: n }, text)));
    this.size.addEventListener("change", () => set("steerTexts", Number(this.size.value)));
    const slide = make("div", "slide", {}, this.ends[0], this.slider, this.ends[1], this.value);
    const writing = make("div", "steer-row", {}, labelled("Prompt", this.prompt), labelled("Seed", this.seed), again, labelled("Measured on", this.size));
    return make("div", "steer-controls", {}, make("div", "steer-row", {}, labelled("Change", this.by), this.siteField), slide, writing);
  }

  async show() {
    this.#isOpen = true;
    this.ablation.update();
    await this.#findModel();
    this.#settle(0);
    if (this.#waitsForLabels) setTimeout(() => this.#onLabels(), LABELS_MS);
  }

  #onLabels() {
    this.#waitsForLabels = false;
    this.#settle();
  }

  get #hasModel() {
    return this.#modelOf === this.app.recording;
  }

  async #findModel() {
    const { app } = this;
    const { recording } = app;
    if (this.#hasModel) return;
    const signal = app.latest("steer-model");
    this.message.textContent = "loading the model …";
    try {
      this.facts = await app.api.post("model", { recording }, { signal });
      if (signal.aborted) return;
      this.#modelOf = this.facts.is_ours ? recording : -1;
      this.message.textContent = this.#hasModel ? "" : "a model of your own computes its steps itself, and cannot be steered";
    } catch (error) {
      if (isOvertaken(error)) return;
      this.message.textContent = error.message;
    }
    this.work.hidden = !this.#hasModel;
  }

  #settle(after = SETTLED_MS) {
    clearTimeout(this.#timer);
    if (!this.#isOpen || !this.#hasModel) return;
    this.#showControls();
    if (this.#waitsForLabels) return; // those of a link, by which the texts are measured
    this.#timer = setTimeout(() => this.#ask(), after);
  }

  // ---- What is changed

  /** What is changed, as the server is asked: a unit that is held, or a direction. */
  get #change() {
    const { app } = this;
    const by = app.state.get("steerBy");
    if (by.startsWith("probe:")) return { probe: by.slice("probe:".length) };
    if (by === "add") return { hypothesis: app.state.get("hypothesis"), site: app.state.get("steerSite") || this.#lastHidden };
    return { unit: app.unit };
  }

  /** The hypothesis by which the texts are measured: one that can label any text, and is no class. */
  get #measured() {
    const name = this.app.state.get("hypothesis");
    const kind = this.app.labelsOf(this.app.recording)?.kind;
    return kind && kind !== "categorical" && !/^(labels|predicts):/.test(name) ? name : "";
  }

  get #sites() {
    return this.app.facts.recordings[this.app.recording].sites.map(({ name }) => name);
  }

  get #lastHidden() {
    return this.#sites.filter((name) => name.endsWith("/hidden")).at(-1) ?? this.#sites.at(-1);
  }

  #showControls() {
    const { state, unit } = this.app;
    const by = state.get("steerBy");
    const hypothesis = state.get("hypothesis");
    const options = [["hold", `hold ${unit}`], ["add", hypothesis ? `add the direction of ${hypothesis}` : "add the direction of a hypothesis (type one above)"]];
    for (const { name, title, site } of this.facts.probes) options.push([`probe:${name}`, `add the ${title} at ${site}`]);
    fill(this.by, options, by);
    fill(this.site, this.#sites.map((name) => [name, name]), state.get("steerSite") || this.#lastHidden);
    this.siteField.hidden = by !== "add";
    const at = state.get("steerAt");
    const isNumber = at !== "" && Number.isFinite(Number(at));
    this.slider.setAttribute("aria-valuetext", at || "none");
    if (document.activeElement !== this.value) this.value.value = isNumber ? at : "";
    if (this.#range && document.activeElement !== this.slider) this.slider.value = this.#stepOf(isNumber ? at : "");
    if (document.activeElement !== this.prompt) this.prompt.value = state.get("steerPrompt");
    if (document.activeElement !== this.seed) this.seed.value = state.get("steerSeed");
    this.size.value = String(state.get("steerTexts"));
  }

  #valueOf(step) {
    const { low, high } = this.#range ?? { low: -1, high: 1 };
    return low + (step / N_STEPS) * (high - low);
  }

  #stepOf(at) {
    const { low, high } = this.#range;
    return at === "" ? Math.round((N_STEPS * Math.min(Math.max(-low, 0), high - low)) / (high - low)) : Math.round((N_STEPS * (Number(at) - low)) / (high - low));
  }

  /** Find the values over which the slider goes. */
  async #findRange(signal) {
    const { app } = this;
    const change = this.#change;
    const key = `${app.recording} ${JSON.stringify(change)}`;
    if (this.#range?.key === key) return;
    this.#range = null;
    let range;
    if (change.unit) range = await app.api.post("hold", { recording: app.recording, ...change }, { signal });
    else await app.api.stream("direction", { recording: app.recording, ...change }, (message) => this.#take(message, (result) => (range = result)), { signal });
    if (signal.aborted) return;
    this.#range = { ...range, key };
    this.ends[0].textContent = numberText(range.low, 0.01);
    this.ends[1].textContent = numberText(range.high, 0.01);
    this.#showControls();
  }

  // ---- What is written

  async #ask() {
    const { app } = this;
    const { state } = app;
    const change = this.#change;
    if (change.hypothesis === "") return this.#stop("type a hypothesis above; its direction is added then");
    const at = state.get("steerAt");
    const prompt = state.get("steerPrompt").slice(0, MOST_PROMPT);
    const question = { recording: app.recording, ...change, value: Number(at), measured: this.#measured, seed: state.get("steerSeed"), texts: Math.min(Math.max(state.get("steerTexts"), 1), 100), matched: N_MATCHED, ...(prompt ? { prompt } : {}) };
    const key = JSON.stringify([question, at]);
    if (key === this.#asked) return;
    this.#asked = key;
    const signal = app.latest("steer");
    this.texts.setStale(true);
    this.element.removeAttribute("data-written");
    try {
      this.message.textContent = change.unit ? "" : "finding the direction …";
      await this.#findRange(signal);
      if (signal.aborted) return;
      if (at === "") return this.#stop(`Move the slider: ${change.unit ? `it holds ${change.unit} at a value` : "its value is the factor of the direction"}.`);
      this.message.textContent = "writing …";
      this.progress.hidden = false;
      this.progress.removeAttribute("value");
      await app.api.stream("steer", question, (message) => !signal.aborted && this.#take(message, (answer, isQuick) => this.#show(answer, isQuick)), { signal });
      if (!signal.aborted) this.element.dataset.written = at; // for whoever waits for it
      if (!signal.aborted) this.progress.hidden = true;
    } catch (error) {
      if (this.#asked === key) this.#asked = "";
      if (isOvertaken(error) || signal.aborted) return;
      this.#stop(error.message);
    }
  }

  #take(message, does) {
    if (message.progress) this.progress.value = message.progress[1] ? message.progress[0] / message.progress[1] : 0;
    else if (message.quick) does(message.quick, true);
    else if (message.result) does(message.result, false);
  }

  #show(answer, isQuick) {
    this.message.textContent = isQuick ? `writing with ${N_MATCHED} matched changes for comparison …` : "";
    this.texts.show(answer, isQuick);
  }

  #stop(sentence) {
    this.progress.hidden = true;
    this.message.textContent = visible(sentence);
    this.texts.clear();
  }
}

function fill(select, options, value) {
  const key = JSON.stringify(options);
  if (select.dataset.options !== key) {
    select.replaceChildren(...options.map(([name, text]) => make("option", "", { value: name }, visible(text))));
    select.dataset.options = key;
  }
  select.value = value;
}
