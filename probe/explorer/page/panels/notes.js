// Names, notes and lists of units, which the server keeps in a file beside the recording; and names beside units.

import { make } from "../view.js";

const NONE = { name: "", note: "" };
const NOTHING = { file: "", problem: "", notice: "", units: {}, lists: {} }; // until the notes have come
const NO_UNITS = "input, textarea, select, option, pre, code, .unit-name, .unit-choice";

/** What is kept for the units of the recording that is asked. Emits `notes` when it has come or changed. */
export class Notes {
  #channel = new BroadcastChannel("char-probe notes"); // to the other tabs
  #recording = -1;

  constructor(app) {
    this.app = app;
    this.facts = NOTHING;
    this.#channel.addEventListener("message", () => this.load());
    addEventListener("focus", () => this.#recording >= 0 && this.load()); // another program may have changed them
    for (const name of ["recordings", "back"]) app.on(name, () => this.load());
  }

  /** Read what is kept. */
  async load() {
    const { app } = this;
    const { recording } = app;
    const signal = app.latest("notes");
    if (recording !== this.#recording) {
      this.#recording = recording;
      this.#take(NOTHING); // those of another recording are not its own
    }
    try {
      this.#take(await app.api.json("notes", { recording }, { signal }));
    } catch (error) {
      if (signal.aborted) return;
      this.#take({ ...NOTHING, problem: error.message });
    }
  }

  /** Whether what is kept for the recording has come. */
  get areLoaded() {
    return this.facts !== NOTHING;
  }

  /** The name and the note of a unit; empty ones if it has none. */
  of(unit) {
    return { ...NONE, ...(Object.hasOwn(this.facts.units, unit) ? this.facts.units[unit] : {}) };
  }

  nameOf(unit) {
    return this.of(unit).name;
  }

  /** The names of the lists that a unit is in. */
  listsOf(unit) {
    return Object.keys(this.facts.lists).filter((list) => this.facts.lists[list].includes(unit));
  }

  /** The units that have a name or a note, or are in a list. */
  get units() {
    return [...new Set([...Object.keys(this.facts.units), ...Object.values(this.facts.lists).flat()])];
  }

  /** The unit of a name, if exactly one has it. */
  unitNamed(name) {
    const units = Object.keys(this.facts.units).filter((unit) => this.facts.units[unit].name === name);
    return units.length === 1 ? units[0] : undefined;
  }

  /** The units whose names have a text in them. */
  matching(text) {
    const typed = text.trim().toLowerCase();
    if (!typed) return [];
    const isKnown = (unit) => this.app.units.placeOf(unit);
    return Object.keys(this.facts.units).filter((unit) => this.nameOf(unit).toLowerCase().includes(typed) && isKnown(unit));
  }

  /** Keep a name or a note, unless another tab has changed it: then this fails with a sentence, and `status` 409. */
  async write(recording, unit, field, before, after) {
    await this.#change(recording, { unit, field, before, after });
  }

  /** Put a unit of the recording that is asked into a list, or take it out. */
  async setListed(list, unit, isIn) {
    await this.#change(this.app.recording, { unit, list, is_in: isIn });
  }

  async #change(recording, change) {
    const isAsked = () => recording === this.app.recording;
    try {
      const facts = await this.app.api.put("notes", { recording, ...change });
      if (isAsked()) this.#take(facts);
      this.#channel.postMessage("changed");
    } catch (error) {
      if (error.status === 409 && isAsked()) await this.load();
      throw error;
    }
  }

  #take(facts) {
    this.facts = facts;
    this.app.emit("notes");
  }
}

/** Put the names of units beside them, wherever a panel, the bar or a track shows a unit. */
export function showNames(app) {
  const side = document.getElementById("side");
  const panes = document.getElementById("panes");
  const ofShown = make("span", "unit-name", { "aria-live": "off" });
  document.querySelector(".unit-choice").append(ofShown);
  let isDue = false;

  const show = () => {
    isDue = false;
    const roots = [side, ...panes.querySelectorAll(".chips")];
    for (const root of roots) removeStale(root, app.notes);
    for (const root of roots) addNames(root, app.notes);
    const name = app.notes.nameOf(app.unit);
    if (ofShown.textContent !== name) ofShown.textContent = name;
  };
  const schedule = () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(show);
  };
  const isOfOthers = ({ addedNodes, removedNodes }) => [...addedNodes, ...removedNodes].some((node) => !node.classList?.contains("unit-name"));
  const observer = new MutationObserver((changes) => changes.some(isOfOthers) && schedule());
  observer.observe(side, { childList: true, subtree: true });
  for (const name of ["notes", "unit", "tracks", "recordings"]) app.on(name, schedule);
}

function removeStale(root, notes) {
  for (const span of root.querySelectorAll(".unit-name[data-unit]")) {
    const { unit } = span.dataset;
    const anchor = span.previousElementSibling ?? span.parentElement;
    const isRight = notes.nameOf(unit) === span.textContent && [...anchor.childNodes].some((node) => node.data?.trim() === unit);
    if (!isRight) span.remove();
  }
}

function addNames(root, notes) {
  if (!Object.keys(notes.facts.units).length) return;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const anchors = [];
  while (walker.nextNode()) {
    const unit = walker.currentNode.data.trim();
    const { parentElement: anchor } = walker.currentNode;
    if (notes.nameOf(unit) && !anchor.closest(NO_UNITS)) anchors.push([anchor, unit]);
  }
  for (const [anchor, unit] of anchors) {
    const isButton = anchor.matches("button, a");
    const there = isButton ? anchor.nextElementSibling : anchor.lastElementChild;
    if (there?.classList.contains("unit-name")) continue;
    const span = make("span", "unit-name", {}, notes.nameOf(unit));
    span.dataset.unit = unit;
    if (isButton) anchor.after(span);
    else anchor.append(span);
  }
}
