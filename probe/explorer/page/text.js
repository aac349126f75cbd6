// The text of one recording, or of two side by side: their tiles, their tracks and their views, which stay together.

import { CachedTiles, make, TextView, visible } from "./view.js";
import { isOvertaken } from "./api.js";
import { ExactValues } from "./exact.js";

const MOST_TRACKS = 4;
const MOST_RUNNING = 4; // requests of tiles at a time: browsers send six to one server
const MOST_WAITING = 32; // more have been overtaken by scrolling on
const ARRAYS = { text: Uint32Array, cells: Uint8Array, guess_ids: Uint16Array, guess_levels: Uint8Array };
const OWN_KEYS = ["t", "?", "+", "-"]; // buttons of the view that the page has itself

/** Loads tiles, those that were asked for last first: what is on the screen now. */
class TileQueue {
  #waiting = [];
  #running = new Set();

  constructor(fetchTile) {
    this.fetchTile = fetchTile;
  }

  /** A promise of a tile; it fails with an `AbortError` when the tile was overtaken. */
  load(kind, track, index) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ kind, track, index, resolve, reject, controller: new AbortController() });
      if (this.#waiting.length > MOST_WAITING) drop(this.#waiting.shift());
      this.#next();
    });
  }

  /** Drop what is asked for of other tracks than these. */
  keepTracks(tracks) {
    const isLeft = (job) => job.kind === "tracks" && !tracks.includes(job.track);
    this.#waiting.filter(isLeft).forEach(drop);
    this.#waiting = this.#waiting.filter((job) => !isLeft(job));
    for (const job of this.#running) if (isLeft(job)) job.controller.abort();
  }

  #next() {
    while (this.#running.size < MOST_RUNNING && this.#waiting.length) this.#run(this.#waiting.pop());
  }

  async #run(job) {
    this.#running.add(job);
    try {
      job.resolve(await this.fetchTile(job.kind, job.track, job.index, job.controller.signal));
    } catch (error) {
      job.reject(error);
    }
    this.#running.delete(job);
    this.#next();
  }
}

function drop({ reject }) {
  reject(new DOMException("overtaken", "AbortError"));
}

/** One recording: its tiles, its tracks, and its view in an element. */
class Pane {
  #tracks = new Map(); // number of each track in the header, by what it shows
  #sources = []; // what each track shows, as the parameters of a request
  #shown = "";

  constructor(app, number, element) {
    const { header } = app.facts.recordings[number];
    Object.assign(this, { app, number, place: null, caret: -1, shown: "" });
    this.header = { ...header, tracks: [], panels: [], notes: header.notes ?? [] };
    this.queue = new TileQueue((...job) => this.#fetchTile(...job));
    this.tiles = new CachedTiles(this.header, (...tile) => this.queue.load(...tile));
    this.element = make("section", "pane", { "aria-label": `Text of ${app.facts.recordings[number].name}` });
    element.append(this.element);
    const { state } = app;
    const options = { headingLevel: 2, size: state.get("size"), theme: state.get("theme"), wrap: state.get("wraps"), guesses: state.get("guesses") };
    const calls = { onFrame: () => this.onFrame(), onInspect: (position) => this.values.show(position) };
    this.values = new ExactValues(app, this);
    this.view = new TextView(this.element, this.tiles, { ...options, ...calls, measured: app.isMeasured });
    this.onFrame = () => {};
    this.chips = make("div", "chips", { role: "group", "aria-label": "Tracks" });
    this.#takeToolbar();
  }

  #takeToolbar() {
    const { toolbar, root } = this.view;
    toolbar.tracks.hidden = true;
    for (const button of toolbar.element.querySelectorAll("button")) {
      const key = button.getAttribute("aria-keyshortcuts");
      if (OWN_KEYS.includes(key)) button.hidden = true;
      if (key === "g") {
        button.title = "Guesses (p)";
        button.setAttribute("aria-keyshortcuts", "p");
      }
    }
    const { name } = this.app.facts.recordings[this.number];
    this.name = make("span", "recording-name", { hidden: true }, visible(name));
    root.querySelector(".titles").replaceChildren(make("div", "pane-head", {}, this.name, this.chips));
  }

  async #fetchTile(kind, track, index, signal) {
    const { api, labels } = this.app;
    const source = kind === "tracks" ? this.#sources[track] : { kind };
    const parameters = { recording: this.number, ...source, tile: index };
    const ask = () => api.bytes(kind === "tracks" ? "levels" : "tile", parameters, { signal });
    const bytes = await ask().catch(async (error) => {
      if (error.status !== 404 || !source.labels) throw error;
      await labels.renew(); // the server keeps those that were asked for last
      return ask();
    });
    return new (ARRAYS[kind] ?? Uint8Array)(bytes);
  }

  /** Show tracks, given by what they show, once all that is on the screen of them is at hand. */
  async show(sources, signal) {
    const key = JSON.stringify(sources);
    if (key === this.#shown) return;
    const numbers = sources.map((source) => this.#numberOf(source));
    this.queue.keepTracks([...numbers, ...this.view.panels.flatMap((panel) => panel.tracks)]);
    const tracks = await Promise.all(numbers.map((number) => this.#ready(number, signal)));
    if (signal.aborted) return;
    const present = numbers.filter((_, i) => tracks[i]);
    this.view.show(present);
    this.queue.keepTracks(present);
    this.#shown = key;
  }

  /** The number of the track that shows something; the header has what is to be known of it once it is `#ready`. */
  #numberOf(source) {
    const key = JSON.stringify(source);
    if (!this.#tracks.has(key)) {
      this.#tracks.set(key, this.header.tracks.length);
      this.#sources.push(source);
      this.header.tracks.push(null);
    }
    return this.#tracks.get(key);
  }

  /** Ask for all that is on the screen of a track. Returns what the header has of it; `null` if this recording lacks it. */
  async #ready(number, signal) {
    const { tracks } = this.header;
    const source = this.#sources[number];
    const levels = Promise.all(this.#seenTiles().map((tile) => this.tiles.request("tracks", number, tile)));
    levels.catch(() => {}); // that of the track says what is wrong
    try {
      tracks[number] ??= await this.app.api.json("track", { recording: this.number, ...source }, { signal });
    } catch (error) {
      if (isOvertaken(error) || error.status !== 404) throw error;
      this.view.say(error.message);
      return null;
    }
    await levels;
    return tracks[number];
  }

  #seenTiles() {
    const { geometry, scroll } = this.view;
    const [first, last] = [scroll.top, scroll.top + scroll.height].map((y) => geometry.placeAt(y).tile);
    return Array.from({ length: Math.min(last - first, 3) + 1 }, (_, i) => first + i);
  }

  /** The first character on the screen, and that after the last. */
  get seen() {
    const { geometry, scroll, place, header } = this.view;
    if (!place) return null;
    const low = geometry.placeAt(scroll.top + scroll.height);
    const share = (low.row + 1) / geometry.rowsOf(low.tile);
    const stop = low.tile * header.tile_chars + share * geometry.charsOf(low.tile);
    return [place.position, Math.min(Math.max(Math.ceil(stop), place.position + 1), header.n_chars)];
  }

  /** The units that are shown: the number of the track, and the name, of each. */
  get shownUnits() {
    const { tracks } = this.view.panels[0];
    return tracks.map((track) => [track, this.#sources[track]?.unit]).filter(([, unit]) => unit);
  }

  destroy() {
    this.values.stop();
    this.queue.keepTracks([]);
    this.view.destroy();
    this.element.remove();
  }
}

/**
 * The panes. One of them is led by the person who reads, and the others follow it: to the same place, with the caret and
 * the pointer on the same character. Recordings of different texts have different places, and do not follow.
 */
export class Panes {
  #app;
  #element;
  #panes = [];
  #leader = null;
  #wanted = null; // the place that the address names: kept, whatever changes the heights of rows, until the reader moves

  constructor(app, element) {
    this.#app = app;
    this.#element = element;
    for (const name of ["unit", "labels", "tracks"]) app.on(name, () => this.showTracks());
    app.on("recordings", () => this.open());
    app.on("theme", (theme) => this.#panes.forEach(({ view }) => view.setTheme(theme)));
    app.on("size", (size) => this.#panes.forEach(({ view }) => resized(view, size)));
    app.on("wraps", (wraps) => this.#panes.forEach(({ view }) => view.wraps !== wraps && view.setWrap(wraps)));
    app.on("guesses", (shows) => this.#panes.forEach(({ view }) => view.showsGuesses !== shows && view.setGuesses(shows)));
    app.on("state", (names) => (names.includes("position") || names.includes("place")) && this.#showPlace());
    app.on("selection", (spans) => this.#select(spans));
    app.on("back", () => this.showTracks());
    for (const name of ["keydown", "wheel", "pointerdown"]) addEventListener(name, () => (this.#wanted = null), { capture: true, passive: true });
  }

  /** The view that leads. */
  get view() {
    return this.#leader.view;
  }

  /** All views, in the order of the recordings that are shown. */
  get views() {
    return this.#panes.map(({ view }) => view);
  }

  /** Whether the recordings that are shown have the same text. */
  get areAlike() {
    const { recordings } = this.#app.facts;
    return new Set(this.#panes.map(({ number }) => recordings[number].text_sha256)).size <= 1;
  }

  /** The first character on the screen, and that after the last; `null` while that is not known. */
  get seen() {
    return this.#leader.seen;
  }

  /** Show the recordings that the state names. */
  async open() {
    const { state } = this.#app;
    for (const pane of this.#panes.splice(0)) pane.destroy();
    this.#element.replaceChildren();
    const [position, place, spans] = ["position", "place", "selection"].map((name) => state.get(name));
    this.#panes = state.get("recordings").map((number) => new Pane(this.#app, number, this.#element));
    this.#leader = this.#panes[0];
    for (const pane of this.#panes) {
      pane.name.hidden = this.#panes.length < 2;
      pane.view.inspector.element.ariaLabel = `Character and legend of ${this.#app.facts.recordings[pane.number].name}`;
      pane.onFrame = () => this.#onFrame(pane);
      for (const name of ["pointerdown", "pointerenter", "wheel", "focusin"]) {
        pane.element.addEventListener(name, () => this.#lead(pane), { passive: true });
      }
    }
    if (!this.areAlike) this.#panes.forEach(({ view }) => view.say("these texts differ: places are not the same"));
    this.showTracks();
    await this.#showPlace(position, place);
    this.#select(spans);
  }

  /** Go to a position. */
  goTo(position) {
    this.#wanted = null;
    return this.view.goTo(position);
  }

  /** Go to the place that the state names, if the leading view is not there. */
  async #showPlace(position = this.#app.state.get("position"), place = this.#app.state.get("place")) {
    const { view } = this;
    const isThere = !place || isSame(place, view.place);
    if (isThere && position === view.caret.position) return;
    this.#wanted = place;
    if (position !== view.caret.position) await view.goTo(position);
    if (this.#wanted) await view.showPlace(this.#wanted);
  }

  /** Stay at the place, after tracks have come or gone, which makes rows higher or lower. */
  #keepPlace() {
    if (this.#wanted) this.view.showPlace(this.#wanted);
    const { place } = this.#leader;
    if (place) this.#follow((other) => other.showPlace(place));
  }

  #lead(pane) {
    if (pane === this.#leader) return;
    this.#leader.view.pointAt(null);
    this.#leader = pane;
    pane.view.pointAt(null);
  }

  // ---- Tracks

  /** Let every pane show the tracks of the state. */
  showTracks() {
    if (!this.#leader) return;
    const signal = this.#app.latest("tracks");
    for (const pane of this.#panes) {
      this.#showChips(pane);
      const shown = pane.show(this.#sourcesOf(pane), signal).then(() => this.#keepPlace());
      shown.catch((error) => isOvertaken(error) || pane.view.say(error.message));
    }
  }

  /** What the tracks of a pane show, as the parameters of a request; the first colours the characters. */
  #sourcesOf(pane) {
    const { state } = this.#app;
    const sources = state.get("tracks").map((name) => {
      if (name === "labels") return this.#app.labelsOf(pane.number) && { labels: this.#app.labelsOf(pane.number).id };
      if (name === "loss") return this.#app.facts.recordings[pane.number].predictions && { loss: 1 };
      return { unit: name === "unit" ? state.get("unit") : name };
    });
    const keys = new Map(sources.filter(Boolean).map((source) => [JSON.stringify(source), source]));
    return [...keys.values()].slice(0, MOST_TRACKS);
  }

  /** The names of the tracks, to take one away or to let it colour the characters. */
  #showChips(pane) {
    const app = this.#app;
    const names = app.state.get("tracks").filter((name) => name !== "labels" || app.state.get("hypothesis"));
    const chips = names.map((name, place) => this.#chipOf(name, place));
    const { predictions } = app.facts.recordings[pane.number];
    if (predictions && !names.includes("loss") && names.length < MOST_TRACKS) chips.push(adding("loss", "Show the model's loss", () => app.toggleTrack("loss")));
    if (names.length < MOST_TRACKS) chips.push(adding("keep unit", "Keep this unit beside the next ones (k)", () => app.toggleTrack(app.unit)));
    pane.chips.replaceChildren(...chips);
  }

  #chipOf(name, place) {
    const app = this.#app;
    const label = { unit: app.unit, labels: app.state.get("hypothesis") }[name] ?? name;
    const isFirst = place === 0;
    const title = isFirst ? `${label} colours the characters` : `Let ${label} colour the characters`;
    const first = make("button", "chip-name", { type: "button", title, "aria-pressed": String(isFirst) }, visible(label));
    first.addEventListener("click", () => app.state.set({ tracks: [name, ...app.state.get("tracks").filter((one) => one !== name)] }));
    const chip = make("span", "chip", {}, first);
    if (name !== "unit") {
      const away = make("button", "chip-away", { type: "button", title: `Take ${label} away`, "aria-label": `Take ${label} away` }, "×");
      away.addEventListener("click", () => (name === "labels" ? app.ask("") : app.toggleTrack(name)));
      chip.append(away);
    }
    return chip;
  }

  // ---- Places

  #onFrame(pane) {
    this.#app.emit("frame", pane.view, pane.number);
    if (pane !== this.#leader) return;
    const { view } = pane;
    const { caret, pointed } = view;
    const place = inWholePixels(view.place);
    const hasScrolled = place && !isSame(place, pane.place);
    const hasMoved = caret.position !== pane.caret;
    const { seen } = pane;
    const isNew = hasScrolled || hasMoved || String(seen) !== pane.shown;
    Object.assign(pane, { place, caret: caret.position, shown: String(seen) });
    this.#follow((other) => {
      if (hasScrolled) other.showPlace(place);
      if (hasMoved) other.caret.position = caret.position;
      if (hasMoved) other.schedule();
      other.pointAt(pointed ? pointed.position : null);
    });
    const now = { selection: view.selection.range ? [view.selection.ends] : [] };
    if (!this.#wanted) Object.assign(now, { position: caret.position, place });
    this.#app.onFrame(now, pointed?.position ?? null, isNew);
  }

  #follow(does) {
    if (this.#panes.length < 2 || !this.areAlike) return;
    for (const { view } of this.#panes) if (view !== this.view) does(view);
  }

  #select(spans) {
    const [start, stop] = spans[0] ?? [0, 0];
    const range = this.view.selection.range ? this.view.selection.ends : [0, 0];
    if (start !== range[0] || stop !== range[1]) this.view.selection.set(start, stop);
  }
}

function adding(name, title, does) {
  const button = make("button", "chip-add", { type: "button", title }, `+ ${name}`);
  button.addEventListener("click", does);
  return button;
}

function isSame(place, other) {
  return other && place.position === other.position && Math.round(place.below) === Math.round(other.below);
}

function inWholePixels(place) {
  return place && { ...place, below: Math.round(place.below) };
}

function resized(view, size) {
  if (view.size === size) return;
  view.size = size;
  view.resize(0);
}
