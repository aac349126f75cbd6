// Painting passages of the text: with the pointer while there is a brush, or with a key what is selected.
//
// `app.painting` has the passages; the state has them as `painted`, and so does the address. What is painted is of the text
// of the recording that is asked; another recording with the same text shows the same.

import { covers, spanAt, tidied, withoutSpan, withSpan } from "./spans.js";
import { PaintedMarks } from "./marks.js";

const MOST_PASSAGES = 10_000;
const BRUSHES = ["paint", "erase", "none"];

export class Painting {
  #marks = new Map(); // by the view
  #version = 0;
  #pressed = null; // the view in which the pointer is down
  #text = "";

  constructor(app) {
    this.app = app;
    const { state } = app;
    state.define("painted", { key: "paint", kind: "spans", initial: [] });
    state.define("brush", { key: "brush", kind: "text", initial: "paint" });
    state.set({ painted: tidied(state.get("painted"), this.#nChars) });
    if (!BRUSHES.includes(state.get("brush"))) state.set({ brush: "paint" });
    this.#text = this.#textOf(app.recording);
    app.on("frame", (view, recording) => this.#draw(view, recording));
    app.on("painted", () => this.#show());
    app.on("state", (names) => this.#checkText(names));
    app.keys.add("Selection", ["m"], "m", "paint what is selected, or un-paint it; the painted passage at the caret is un-painted", () => this.#toggle());
    const panes = document.getElementById("panes");
    panes.addEventListener("pointerdown", (event) => this.#press(event), { capture: true });
    addEventListener("pointerup", () => this.#release());
    addEventListener("pointercancel", () => (this.#pressed = null));
  }

  /** The passages, in order. */
  get spans() {
    return this.app.state.get("painted");
  }

  /** What dragging over the text does: `paint`, `erase` or `none`. */
  get brush() {
    return this.app.state.get("brush");
  }

  get nPainted() {
    return this.spans.reduce((n, [start, stop]) => n + stop - start, 0);
  }

  paint(span) {
    this.#set(withSpan(this.spans, span));
  }

  erase(span) {
    this.#set(withoutSpan(this.spans, span));
  }

  clear() {
    this.#set([]);
  }

  #set(spans) {
    if (spans.length > MOST_PASSAGES) return this.app.say(`${MOST_PASSAGES} passages are painted, which is the most`, { isError: true });
    this.app.state.set({ painted: spans }, { isStep: true });
  }

  // ---- The text that is painted

  get #nChars() {
    return this.app.facts.recordings[this.app.recording].header.n_chars;
  }

  #textOf(recording) {
    return this.app.facts.recordings[recording].text_sha256;
  }

  /** Forget what is painted when another text is asked, unless the address says what is painted there. */
  #checkText(names) {
    const text = this.#textOf(this.app.recording);
    if (text === this.#text) return;
    this.#text = text;
    if (names.includes("painted")) this.#show();
    else this.app.state.set({ painted: [] });
  }

  #show() {
    const spans = tidied(this.spans, this.#nChars);
    if (String(spans) !== String(this.spans)) return this.app.state.set({ painted: spans });
    this.#version++;
    for (const view of this.app.panes.views) view.schedule();
  }

  #draw(view, recording) {
    if (!this.#marks.has(view)) {
      for (const old of this.#marks.keys()) if (!old.root.isConnected) this.#marks.delete(old);
      this.#marks.set(view, new PaintedMarks());
    }
    const spans = this.#textOf(recording) === this.#text ? this.spans : [];
    this.#marks.get(view).draw(view, spans, this.#version);
  }

  // ---- The pointer and the key

  #press(event) {
    const { panes, state } = this.app;
    const isPainting = state.get("panel") === "selection" && this.brush !== "none" && event.button === 0 && !event.shiftKey;
    const view = isPainting && panes.views.find(({ scroller }) => scroller.contains(event.target));
    this.#pressed = view || null;
  }

  /** Paint or erase what was dragged over; a click with the brush that erases takes the passage there away. */
  async #release() {
    const view = this.#pressed;
    this.#pressed = null;
    if (!view) return;
    await new Promise((done) => setTimeout(done, 0)); // until the view has seen it
    view.selection.onChange(); // which the browser tells later when it is busy
    const span = view.selection.range ? view.selection.ends : null;
    if (!this.#isPaintable(view)) return;
    if (span) {
      view.selection.set(0, 0);
      if (this.brush === "paint") this.paint(span);
      else this.erase(span);
    } else if (this.brush === "erase") {
      const passage = spanAt(this.spans, view.caret.position);
      if (passage) this.erase(passage);
    }
  }

  #toggle() {
    const { view } = this.app.panes;
    if (!this.#isPaintable(view)) return;
    const span = view.selection.range ? view.selection.ends : spanAt(this.spans, view.caret.position);
    if (!span) return this.app.say("nothing is selected to be painted: hold Shift and move, or drag");
    if (covers(this.spans, span)) this.erase(span);
    else this.paint(span);
    view.selection.set(0, 0);
    this.app.openPanel("selection");
  }

  #isPaintable(view) {
    const number = this.app.recordings[this.app.panes.views.indexOf(view)];
    if (number !== undefined && this.#textOf(number) === this.#text) return true;
    this.app.say("these texts differ: passages are painted in the first one", { isError: true });
    return false;
  }
}
