// A field for a text whose characters are coloured as one types: the field lies over the same text with its colours.

import { make, MISSING } from "../view.js";

const NEWLINE = "\n";
const LAYERS = ["unit", "labels", "loss", "depends"]; // from top to bottom of a row

/** Bytes of levels, as the server sends them. */
export function levelsOf(base64) {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/**
 * The field. `onText(text)` is called when another text is typed, and `onPlace(position)` when another character is
 * pointed at, or is the one before the caret (-1 if there is none). Positions are code points.
 */
export class TypedText {
  #pointed = null;
  #place = -1;

  constructor({ label, onText, onPlace }) {
    Object.assign(this, { onText, onPlace });
    this.characters = [];
    this.spans = [];
    this.end = make("span", "typed-end", {}, "\u200b");
    this.marks = make("div", "typed-marks", { "aria-hidden": "true" }, this.end);
    this.field = make("textarea", "typed-field", { "aria-label": label, spellcheck: false, autocomplete: "off", rows: 1, placeholder: "Type or paste a text …" });
    this.field.setAttribute("autocapitalize", "off");
    this.element = make("div", "typed", {}, this.marks, this.field);
    this.field.addEventListener("input", () => this.#read());
    for (const name of ["keyup", "click", "focus", "select"]) this.field.addEventListener(name, () => this.#move());
    document.addEventListener("selectionchange", () => document.activeElement === this.field && this.#move());
    this.element.addEventListener("pointermove", (event) => this.#point(event), { passive: true });
    this.element.addEventListener("pointerleave", () => this.#setPointed(null));
  }

  get text() {
    return this.field.value;
  }

  /** Show another text; the caret is then at its end. */
  setText(text) {
    if (text === this.field.value) return;
    this.field.value = text;
    this.#read();
  }

  /** The character that is looked at: the one under the pointer, or else the one before the caret; -1 if there is none. */
  get place() {
    return this.#pointed ?? this.caret;
  }

  /** The character before the caret. */
  get caret() {
    return Math.min([...this.field.value.slice(0, this.field.selectionStart)].length, this.characters.length) - 1;
  }

  /** Colour the characters in a layer: `levels` of each, and the palette's colours and inks of these; none if `null`. */
  colour(layer, levels, palette) {
    const name = `--${layer}`;
    this.spans.forEach((span, i) => {
      const level = levels && i < levels.length ? levels[i] : MISSING;
      const colour = level === MISSING ? "" : palette.colours[level];
      if (span[name] === colour) return;
      span[name] = colour;
      span.style.setProperty(name, colour || "transparent");
      if (layer === "unit") span.style.color = colour ? (palette.inks[level] ? "#fff" : "#000") : "";
    });
  }

  /** Mark the characters from `start` up to `stop` as changed; none if they are the same. */
  markChanged(start, stop) {
    this.spans.forEach((span, i) => span.classList.toggle("changed", i >= start && i < stop));
  }

  // ---- What happens in the field

  #read() {
    const characters = [...this.field.value];
    const before = this.characters;
    let first = 0;
    while (first < Math.min(before.length, characters.length) && before[first] === characters[first]) first++;
    let nSame = 0;
    while (nSame < Math.min(before.length, characters.length) - first && before.at(-1 - nSame) === characters.at(-1 - nSame)) nSame++;
    const made = characters.slice(first, characters.length - nSame).map(spanOf);
    const gone = this.spans.splice(first, before.length - nSame - first, ...made);
    for (const span of gone) span.remove();
    const next = this.spans[first + made.length] ?? this.end;
    next.before(...made);
    this.characters = characters;
    this.onText(this.field.value);
    this.#move(true);
  }

  #move(isSure = false) {
    if (!isSure && this.place === this.#place) return;
    this.spans[this.#place]?.classList.remove("place");
    this.#place = this.place;
    for (const span of this.marks.querySelectorAll(".place")) span.classList.remove("place");
    this.spans[this.#place]?.classList.add("place");
    this.onPlace(this.#place);
  }

  #point(event) {
    const span = document.elementsFromPoint(event.clientX, event.clientY).find((one) => one.parentNode === this.marks);
    this.#setPointed(span ? this.spans.indexOf(span) : -1);
  }

  #setPointed(position) {
    this.#pointed = position === -1 ? null : position;
    this.#move();
  }
}

function spanOf(character) {
  const span = make("span", character === NEWLINE ? "newline" : "", {}, character);
  for (const layer of LAYERS) span.style.setProperty(`--${layer}`, "transparent");
  return span;
}
