// The explorer's page: the bar, the text with its strip above, and beside it the panels.
//
// A panel is a module of the folder `panels` with
//
//   export function panel(app)       called once, returns { title, element, show, hide }
//
// where `title` stands on its tab, `element` is what the tab shows, and `show()` and `hide()`, which may be missing, are
// called when it is opened and left. To register one, add its name to PANELS. What it may use of `app`:
//
//   app.facts                what /api/facts says: recordings, hypotheses, version
//   app.recording            number of the recording that is asked (the first of those shown); app.recordings: all shown
//   app.units                the units of that recording (units.js): sites, placeOf(name), nameOf(place)
//   app.unit                 the name of the unit that is shown; app.showUnit(name) shows another one
//   app.position             the position of the caret, in characters of the recording; app.goTo(position) goes to one, and
//                            app.goTo(position, recording) to one of another recording that is shown
//   app.seen                 the first character on the screen, and that after the last: [start, stop]; null at first;
//                            app.seenOf(recording) the same of another recording that is shown
//   app.pointed              the position under the pointer, or null (also over another recording with another text)
//   app.selected             the range that is selected in the text, [start, stop], or null
//   app.painting             the passages that are painted (painting.js): spans, paint(span), erase(span), clear()
//   app.labelsOf(recording)  { id, name, kind, n_true, warnings, scale } of the hypothesis; undefined if there are none
//   app.ask(hypothesis)      asks a hypothesis: a promise that fails with a sentence if it cannot be read
//   app.toggleTrack(name)    shows a unit's track (or `loss`) beside the others, or no longer
//   app.panes.view           the TextView that leads (view.js); app.panes.views: all of them
//   app.state                what the address keeps (state.js): get(name), set({ name: value }), and for a value of your
//                            own, once, when the panel is made: define(name, { key, kind, initial })
//   app.api                  json, bytes, post and stream (api.js), each with { signal }
//   app.latest(name)         a signal that is aborted at the next call with this name: for requests that are overtaken
//   app.abort(name)          aborts what was begun under this name
//   app.keys.add(…)          gives keys a meaning, and a line in the help (keys.js)
//   app.say(sentence)        says something in the bar for a while; { isError: true } until something else is said
//   app.openPanel(name)      opens a panel
//   app.notes                names, notes and lists of units (panels/notes.js): nameOf(unit), listsOf(unit), …; names are put
//                            beside units that a panel shows, wherever the text of an element is a unit and nothing else
//   app.themeShown           light or dark
//   app.on(event, does)      calls a function at an event; `app.on(event, does, signal)` until the signal is aborted
//
// Events: the name of each value of the state (unit, hypothesis, tracks, recordings, selection, panel, full, theme, size, …)
// with the value and the one before; `labels` with those of the recording that is asked, or null; `window` when another
// part of the text is on the screen, or the caret has moved; `notes` when notes have come or changed; `pointed` with a
// position or null; `prepared` when the server has prepared the overviews; `frame` with a view and its recording when it
// has drawn; `theme-shown`; `gone` and `back` of the server.

import { Api } from "./api.js";
import { Appearance } from "./bar/appearance.js";
import { HypothesisBox, HypothesisLabels } from "./bar/hypothesis.js";
import { recordingChoice } from "./bar/recordings.js";
import { UnitChoice, Units } from "./bar/units.js";
import { Keys, TEXT } from "./keys.js";
import { Overviews } from "./overview.js";
import { Notes, showNames } from "./panels/notes.js";
import { Emitter, State } from "./state.js";
import { Painting } from "./painting/painting.js";
import { Panes } from "./text.js";
import { tidied } from "./tidied.js";
import { make, visible } from "./view.js";

const PANELS = ["ask", "selection", "unit", "try", "steer", "keep", "class"];

const SAID_MS = 4000;
const PREPARING_MS = 1500; // between two looks at what the server prepares

class App extends Emitter {
  #turns = new Map();
  #saidTimer = 0;
  #openPanel = null;
  #isWatching = false;
  #saidFailures = new Set();

  constructor() {
    super();
    this.state = new State(this);
    this.keys = new Keys();
    this.api = new Api({ onGone: (sentence) => this.#onGone(sentence), onBack: (facts) => this.#onBack(facts) });
    this.labels = new HypothesisLabels(this);
    this.notes = new Notes(this);
    this.pointed = null;
    this.said = make("div", "said", { role: "status" });
    this.panels = new Map();
  }

  /** Read what there is, and show what the address says. */
  async start() {
    const modules = Promise.all(PANELS.map((name) => import(`./panels/${name}.js`)));
    this.facts = await this.api.json("facts");
    this.state.tidied = (values) => this.#tidied(values);
    this.on("recordings", () => this.state.tidy());
    this.state.tidy();
    this.appearance = new Appearance(this);
    this.#build();
    this.painting = new Painting(this);
    this.panes = new Panes(this, document.getElementById("panes"));
    this.panes.open();
    this.overviews = new Overviews(this, document.getElementById("overviews"));
    this.#makePanels(await modules);
    this.#listen();
    this.labels.ask(this.state.get("hypothesis")).catch((error) => this.say(error.message, { isError: true }));
    for (const name of ["recordings", "back"]) this.on(name, () => this.#watchPreparing());
    this.#watchPreparing();
    showNames(this);
    this.notes.load();
    if (!document.activeElement || document.activeElement === document.body) this.panes.view.scroller.focus({ preventScroll: true });
  }

  // ---- What is shown

  get recordings() {
    return this.state.get("recordings");
  }

  get recording() {
    return this.recordings[0];
  }

  get units() {
    return new Units(this.facts.recordings[this.recording].sites);
  }

  get unit() {
    return this.state.get("unit");
  }

  get position() {
    return this.state.get("position");
  }

  get seen() {
    return this.seenOf(this.recording);
  }

  seenOf(recording) {
    return this.panes?.seenOf(recording) ?? null;
  }

  get selected() {
    return this.state.get("selection")[0] ?? null;
  }

  labelsOf(recording) {
    return this.labels.of(recording);
  }

  ask(hypothesis, options) {
    return this.labels.ask(hypothesis, options);
  }

  showUnit(name) {
    this.state.set({ unit: name }, { isStep: true });
  }

  goTo(position, recording = this.recording) {
    return this.panes.goTo(position, recording);
  }

  toggleTrack(name) {
    const tracks = this.state.get("tracks");
    if (tracks.includes(name)) this.state.set({ tracks: tracks.filter((one) => one !== name) });
    else if (tracks.length < 4) this.state.set({ tracks: [...tracks, name] });
    else this.say("four tracks are shown; take one away first");
  }

  // ---- Requests that are overtaken

  latest(name) {
    this.abort(name);
    this.#turns.set(name, new AbortController());
    return this.#turns.get(name).signal;
  }

  abort(name) {
    this.#turns.get(name)?.abort();
  }

  // ---- Called by the panes

  onFrame(changes, pointed, hasMoved) {
    this.state.set(changes);
    if (hasMoved) this.emit("window");
    if (pointed === this.pointed) return;
    this.pointed = pointed;
    this.emit("pointed", pointed);
  }

  // ---- The beginning

  /** Replace what the address says, but this server does not have, and say so of a unit. */
  #tidied(values) {
    const known = tidied(values, this.facts.recordings, PANELS);
    if (values.unit && values.unit !== known.unit) this.say(`this recording has no unit ${values.unit}; shown is ${known.unit}`, { isError: true });
    return known;
  }

  #build() {
    this.prepared = make("span", "prepared muted");
    const choice = new UnitChoice(this);
    const question = new HypothesisBox(this);
    const bar = document.getElementById("bar");
    bar.replaceChildren(recordingChoice(this), choice.element, question.element, this.appearance.buttons, make("div", "messages", {}, this.prepared, this.said));
    document.body.append(this.keys.dialog);
    document.getElementById("page").hidden = false;
    document.getElementById("starting")?.remove();
  }

  // ---- Panels

  #makePanels(modules) {
    const tabs = document.getElementById("tabs");
    const place = document.getElementById("panels");
    PANELS.forEach((name, number) => {
      const panel = modules[number].panel(this);
      const key = String(number + 1);
      panel.tab = make("button", "tab", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, title: `${panel.title} (${key})`, "aria-keyshortcuts": key }, panel.title);
      panel.tab.addEventListener("click", () => this.openPanel(name));
      panel.place = make("div", "panel", { id: `panel-${name}`, role: "tabpanel", tabIndex: 0, hidden: true, "aria-labelledby": `tab-${name}` }, panel.element);
      this.panels.set(name, panel);
      tabs.append(panel.tab);
      place.append(panel.place);
      this.keys.add("Panels", [key], key, panel.title, () => this.openPanel(name));
    });
    tabs.addEventListener("keydown", (event) => this.#onTabKey(event));
    this.on("panel", () => this.#showPanel());
    this.#showPanel();
  }

  openPanel(name) {
    if (this.state.get("full") === "text") this.state.set({ full: "" });
    this.state.set({ panel: name });
  }

  #showPanel() {
    const open = this.panels.get(this.state.get("panel"));
    for (const panel of this.panels.values()) {
      const isOpen = panel === open;
      panel.tab.setAttribute("aria-selected", String(isOpen));
      panel.tab.tabIndex = isOpen ? 0 : -1;
      panel.place.hidden = !isOpen;
    }
    if (open === this.#openPanel) return;
    this.#openPanel?.hide?.();
    this.#openPanel = open;
    open?.show?.();
  }

  #onTabKey(event) {
    const names = [...this.panels.keys()];
    const open = names.indexOf(this.state.get("panel"));
    const number = { ArrowRight: open + 1, ArrowLeft: open - 1, Home: 0, End: -1 }[event.key];
    if (number === undefined) return;
    const next = names.at(number % names.length);
    this.openPanel(next);
    this.panels.get(next).tab.focus();
    event.preventDefault();
  }

  // ---- Keys, and what follows from the state

  #listen() {
    const { keys, state } = this;
    const finder = () => this.panes.view.toolbar.finder;
    keys.add(TEXT, ["/"], "/", "find in the text", () => finder().select());
    keys.add(TEXT, ["g"], "g", "go to a position: @12345", () => this.#jump(finder()));
    keys.add(TEXT, ["<", ","], "<", "the change of the labels before", () => this.panes.view.search.step(-1));
    keys.add(TEXT, [">", "."], ">", "the next change of the labels", () => this.panes.view.search.step(1));
    keys.add(TEXT, ["w"], "w", "wrap lines, or a line in one row", () => state.set({ wraps: !state.get("wraps") }));
    keys.add(TEXT, ["p"], "p", "the model's five guesses below each character", () => state.set({ guesses: !state.get("guesses") }));
    keys.add("Page", ["Escape"], "Esc", "close a message, end the full screen, and return to the text", (_, event) => this.#leave(event));
    keys.add("Page", ["?"], "?", "this help", () => keys.help());
    for (const name of ["unit", "hypothesis", "recordings"]) this.on(name, () => this.#entitle());
    this.#entitle();
  }

  #jump(finder) {
    finder.value = `@${this.panes.view.caret.position}`;
    finder.focus();
    finder.setSelectionRange(1, finder.value.length);
  }

  #entitle() {
    const parts = [this.unit, this.state.get("hypothesis"), this.recordings.map((number) => this.facts.recordings[number].name).join(" | ")];
    document.title = parts.filter(Boolean).map(visible).join(" · ");
  }

  get themeShown() {
    return this.appearance.themeShown;
  }

  #leave(event) {
    if (event.target.getAttribute?.("aria-expanded") === "true") return false; // a list, which closes first
    this.say("");
    if (this.state.get("full")) return this.state.set({ full: "" });
    if (document.getElementById("panes").contains(event.target)) return false; // the view has its own
    return this.panes.view.scroller.focus({ preventScroll: true });
  }

  // ---- What is said

  say(sentence, { isError = false } = {}) {
    clearTimeout(this.#saidTimer);
    this.said.textContent = sentence;
    this.said.classList.toggle("error", isError);
    if (!isError) this.#saidTimer = setTimeout(() => (this.said.textContent = ""), SAID_MS);
  }

  #onGone(sentence) {
    const banner = document.getElementById("banner");
    banner.textContent = sentence || "The explorer does not answer: it was stopped, or the computer was asleep. This page goes on when it is back.";
    banner.hidden = false;
    this.emit("gone");
  }

  #onBack(facts) {
    document.getElementById("banner").hidden = true;
    const before = this.facts;
    if (!before) return;
    const texts = ({ recordings }) => recordings.map(({ name, text_sha256: hash }) => `${name} ${hash}`).join("\n");
    if (texts(facts) !== texts(before)) return void location.reload(); // other recordings: all is different
    this.facts = { ...facts, recordings: facts.recordings.map((recording, i) => ({ ...recording, header: before.recordings[i].header })) };
    this.emit("back");
  }

  /** Say what the server prepares for the recordings that are shown, until it is done; of a failure once. */
  async #watchPreparing() {
    if (this.#isWatching) return;
    this.#isWatching = true;
    try {
      while (await this.#isPreparing()) await new Promise((done) => setTimeout(done, PREPARING_MS));
    } finally {
      this.#isWatching = false;
    }
    const failure = this.#sidecars("failed").map(({ sentence }) => sentence).find((sentence) => sentence && !this.#saidFailures.has(sentence));
    if (failure) this.say(failure);
    this.#saidFailures.add(failure);
    this.emit("prepared");
  }

  async #isPreparing() {
    const { recordings } = await this.api.json("facts");
    this.facts.recordings.forEach((recording, i) => (recording.sidecar = recordings[i].sidecar));
    const { sentence, progress } = this.#sidecars("making")[0] ?? {};
    const share = Array.isArray(progress) ? progress[0] / progress[1] : progress ?? 0;
    const isPreparing = this.#sidecars("making").length > 0;
    this.prepared.textContent = isPreparing ? `preparing ${Math.floor(100 * share)} %` : "";
    this.prepared.title = sentence ?? "";
    return isPreparing;
  }

  #sidecars(wanted) {
    return this.recordings.map((number) => this.facts.recordings[number].sidecar).filter((sidecar) => sidecar?.state === wanted);
  }
}

const app = new App();
globalThis.app = app; // to be looked at from the browser's console
app.start().catch((error) => {
  const banner = document.getElementById("banner");
  banner.textContent = `This page cannot be shown: ${error.message}`;
  banner.hidden = false;
  throw error;
});
