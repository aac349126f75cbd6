// The strip of the whole text: the lowest and the highest value in each piece of what colours the characters, a unit or the
// loss, and where the labels are True.

import { colourIndices, grouped, make, MISSING, Palette } from "./view.js";
import { isOvertaken } from "./api.js";

const MOST_BINS = 2000;
const LABEL_HEIGHT = 5; // pixels, below the unit
const LATE_MS = 400; // after which it is said that something is being read
const SHARE_OF_STEP = 0.05; // of the text, for a key that goes far

/** The strips of the recordings that are shown, one below the other. */
export class Overviews {
  #strips = [];

  constructor(app, element) {
    const open = () => {
      for (const strip of this.#strips) strip.destroy();
      this.#strips = app.state.get("recordings").map((number) => new Strip(app, number, element));
      for (const strip of this.#strips) strip.load();
    };
    const each = (does) => () => this.#strips.forEach(does);
    app.on("recordings", open);
    for (const name of ["unit", "tracks", "labels", "back", "prepared"]) app.on(name, each((strip) => strip.load()));
    app.on("theme-shown", each((strip) => strip.draw()));
    app.on("window", each((strip) => strip.showWindow()));
    open();
  }
}

/** One recording's strip. It is a slider whose value is the position. */
class Strip {
  #ended = new AbortController();
  #scheduled = 0;
  #parts = { unit: null, labels: null }; // what is drawn: { scale, low, high }
  #asked = { unit: null, labels: null }; // what is drawn, or is to be: the sources and the number of bins
  #pressed = null;

  constructor(app, number, element) {
    Object.assign(this, { app, number, header: app.facts.recordings[number].header });
    this.canvas = make("canvas", "", { "aria-hidden": "true" });
    this.mark = make("div", "overview-window", { "aria-hidden": "true" });
    this.message = make("span", "overview-message muted");
    const name = app.facts.recordings[number].name;
    this.element = make("div", "overview", { tabIndex: 0, role: "slider", "aria-label": `Place in ${name}`, "aria-valuemin": "0", "aria-valuemax": String(Math.max(this.header.n_chars - 1, 0)), "aria-orientation": "horizontal" }, this.canvas, this.mark, this.message);
    element.append(this.element);
    this.#resize();
    this.#listen();
    this.showWindow();
  }

  #listen() {
    const { signal } = this.#ended;
    const on = (name, does) => this.element.addEventListener(name, does, { signal });
    on("pointerdown", (event) => {
      this.element.setPointerCapture(event.pointerId);
      this.#pressed = event.clientX;
      this.#goTo(event);
    });
    on("pointermove", (event) => this.#pressed !== null && this.#goTo(event));
    on("pointerup", () => (this.#pressed = null));
    on("pointercancel", () => (this.#pressed = null));
    on("keydown", (event) => this.#onKey(event));
    const sizes = new ResizeObserver(() => this.#resize());
    sizes.observe(this.element);
    signal.addEventListener("abort", () => sizes.disconnect());
  }

  destroy() {
    this.#ended.abort();
    cancelAnimationFrame(this.#scheduled);
    this.element.remove();
  }

  #resize() {
    const ratio = devicePixelRatio || 1;
    const box = this.element.getBoundingClientRect();
    const [left, top] = [box.left, box.top].map((edge) => Math.ceil(edge * ratio - 0.01)); // whole pixels are not blurred
    const [width, height] = [Math.max(Math.floor(box.right * ratio) - left, 1), Math.max(Math.floor(box.bottom * ratio) - top, 1)];
    Object.assign(this.canvas.style, { left: `${left / ratio - box.left}px`, top: `${top / ratio - box.top}px`, width: `${width / ratio}px`, height: `${height / ratio}px` });
    if (width === this.canvas.width && height === this.canvas.height) return;
    Object.assign(this.canvas, { width, height });
    this.draw();
    this.showWindow();
    if (this.#asked.unit) this.load();
  }

  get #nBins() {
    return Math.max(1, Math.min(this.canvas.width || 1200, MOST_BINS, this.header.n_chars));
  }

  /** Ask for what colours the characters (the unit, if labels do) and for the labels, and draw them when they come. */
  load() {
    const labels = this.app.labelsOf(this.number);
    const [first] = this.app.state.get("tracks");
    const isLoss = first === "loss" && this.app.facts.recordings[this.number].predictions;
    this.#load("unit", isLoss ? { loss: 1 } : { unit: this.app.unit });
    this.#load("labels", labels ? { labels: labels.id } : null);
  }

  async #load(part, source) {
    const key = source && JSON.stringify([source, this.#nBins]);
    if (key === this.#asked[part]) return;
    this.#asked[part] = key;
    const signal = this.app.latest(`overview ${this.number} ${part}`);
    const late = setTimeout(() => (this.message.textContent = "reading the whole text …"), LATE_MS);
    try {
      this.#parts[part] = source && (await this.#read(source, this.#nBins, signal));
      this.message.textContent = "";
    } catch (error) {
      if (isOvertaken(error)) return;
      this.#parts[part] = this.#asked[part] = null;
      this.message.textContent = error.message;
    } finally {
      clearTimeout(late);
    }
    if (!this.#ended.signal.aborted) this.draw();
  }

  async #read(source, nBins, signal) {
    const parameters = { recording: this.number, ...source };
    const [track, bytes] = await Promise.all([this.app.api.json("track", parameters, { signal }), this.app.api.bytes("overview", { ...parameters, bins: nBins }, { signal })]);
    const bins = new Uint8Array(bytes);
    const n = bins.length >> 1;
    return { scale: track.scale, low: bins.subarray(0, n), high: bins.subarray(n) };
  }

  /** Draw in the next frame. */
  draw() {
    this.#scheduled ||= requestAnimationFrame(() => {
      this.#scheduled = 0;
      this.#paint();
    });
  }

  #paint() {
    const { canvas, header } = this;
    const { unit, labels } = this.#parts;
    const context = canvas.getContext("2d");
    const palette = new Palette(header.colours[this.app.themeShown]);
    const ratio = devicePixelRatio || 1;
    const band = labels ? Math.round(LABEL_HEIGHT * ratio) : 0;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (unit) paintUnit(context, unit, palette, canvas.width, canvas.height - band);
    if (labels) paintLabels(context, labels, palette, canvas.width, canvas.height - band + 1, band - 1);
    context.fillStyle = palette.mix(0.5);
    if (header.documents.length > 400) return; // more lines than can be told apart
    for (const { position } of header.documents) {
      if (position > 0) context.fillRect(Math.round((position / header.n_chars) * canvas.width), 0, 1, Math.round(4 * ratio));
    }
  }

  // ---- Places

  /** Show what part of the text is on the screen. */
  showWindow() {
    const { app, header } = this;
    const position = app.position;
    const seen = app.seen ?? [position, position + 1];
    const share = (n) => `${(100 * n) / Math.max(header.n_chars, 1)}%`;
    Object.assign(this.mark.style, { left: share(Math.min(seen[0], header.n_chars)), width: share(Math.min(seen[1], header.n_chars) - Math.min(seen[0], header.n_chars)) });
    this.element.setAttribute("aria-valuenow", String(seen[0]));
    this.element.setAttribute("aria-valuetext", `position ${grouped(header.start + seen[0])} of ${grouped(header.n_chars)}`);
  }

  #goTo(event) {
    const box = this.element.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    this.app.goTo(Math.round(share * (this.header.n_chars - 1)));
  }

  #onKey(event) {
    const { header } = this;
    const [start, stop] = this.app.seen ?? [0, 1];
    const far = Math.round(header.n_chars * SHARE_OF_STEP);
    const steps = {
      ArrowRight: stop - start, ArrowUp: stop - start, ArrowLeft: start - stop, ArrowDown: start - stop,
      PageUp: far, PageDown: -far, Home: -header.n_chars, End: header.n_chars,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.app.goTo(Math.min(Math.max(start + steps[event.key], 0), header.n_chars - 1));
  }
}

/** Bars from the lowest to the highest level of each bin, in the colours of both ends of the scale. */
function paintUnit(context, { low, high, scale }, palette, width, height) {
  const { css } = palette.tables[scale.kind];
  const isDiverging = scale.kind === "diverging";
  const y = (level) => Math.round(((254 - level) / 254) * (height - 1));
  const middle = y(isDiverging ? scale.pivot : 0);
  const edge = (i) => Math.round((i * width) / low.length);
  for (let i = 0; i < low.length; i++) {
    if (low[i] === MISSING) continue;
    const [left, right] = [edge(i), Math.max(edge(i + 1), edge(i) + 1)];
    const [top, bottom] = [y(high[i]), y(low[i]) + 1];
    context.fillStyle = css[Math.round(css.length * 0.88)];
    if (top < middle || !isDiverging) context.fillRect(left, top, right - left, Math.max(Math.min(bottom, isDiverging ? middle : bottom) - top, 1));
    context.fillStyle = css[Math.round(css.length * 0.12)];
    if (isDiverging && bottom > middle) context.fillRect(left, Math.max(top, middle), right - left, Math.max(bottom - Math.max(top, middle), 1));
  }
  context.fillStyle = palette.mix(0.3);
  context.fillRect(0, middle, width, 1);
}

function paintLabels(context, { high, scale }, palette, width, top, height) {
  const { css } = palette.tables[scale.kind];
  const indices = colourIndices(high, scale);
  for (let i = 0; i < high.length; i++) {
    if (high[i] === MISSING || high[i] === 0) continue;
    const left = Math.round((i * width) / high.length);
    context.fillStyle = css[indices[i] % css.length];
    context.fillRect(left, top, Math.max(Math.round(((i + 1) * width) / high.length) - left, 1), height);
  }
}
