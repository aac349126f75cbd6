// A box that completes what is typed: a combobox with a list, as the ARIA Authoring Practices describe it.

import { make } from "../view.js";

let nBoxes = 0;

/**
 * Make a box. `optionsOf(text, caret)` returns what may be meant, as { value, label, detail }: the value is what stands in
 * the box when it is chosen. `onChoose(value, isFinished)` is called when one is chosen or Enter is pressed, `onType(value)`
 * at each change. A value that `isPart` says is only the beginning leaves the box open for more.
 */
export class CompletingBox {
  #options = [];
  #active = -1;

  constructor({ label, placeholder, key, className = "", optionsOf, onChoose, onType = () => {}, isPart = () => false }) {
    Object.assign(this, { optionsOf, onChoose, onType, isPart });
    const id = `options-${++nBoxes}`;
    this.list = make("ul", "options", { id, role: "listbox", "aria-label": label, hidden: true });
    this.input = make("input", "", {
      type: "text", role: "combobox", placeholder, spellcheck: false, autocomplete: "off", "aria-label": label,
      "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list", "aria-keyshortcuts": key,
      title: `${label} (${key})`,
    });
    this.element = make("div", `completing ${className}`, {}, this.input, this.list);
    this.input.addEventListener("input", () => {
      this.open();
      this.onType(this.input.value);
    });
    this.input.addEventListener("keydown", (event) => this.#onKey(event));
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("focus", () => this.input.select());
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // which would take the focus
    this.list.addEventListener("click", (event) => this.#choose(Number(event.target.closest("li")?.dataset.number ?? -1)));
  }

  /** Show what may be meant. */
  open() {
    this.#options = this.optionsOf(this.input.value, this.input.selectionStart);
    const rows = this.#options.map(({ label, detail }, number) => {
      const id = `${this.list.id}-${number}`;
      const row = make("li", "", { id, role: "option", "aria-selected": "false" }, make("span", "name", {}, label));
      if (detail) row.append(make("span", "detail", {}, detail));
      row.dataset.number = number;
      return row;
    });
    this.list.replaceChildren(...rows);
    this.list.hidden = !rows.length;
    this.input.setAttribute("aria-expanded", String(rows.length > 0));
    this.#mark(-1);
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.#mark(-1);
  }

  #mark(number) {
    this.list.children[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = number;
    const row = this.list.children[number];
    row?.setAttribute("aria-selected", "true");
    row?.scrollIntoView({ block: "nearest" });
    if (row) this.input.setAttribute("aria-activedescendant", row.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  #onKey(event) {
    const n = this.#options.length;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      if (this.list.hidden) this.open();
      else if (n) this.#mark((this.#active + step + (this.#active < 0 && step < 0 ? 1 : 0) + n) % n);
    } else if (event.key === "Tab" && this.#active >= 0) {
      this.#choose(this.#active);
    } else if (event.key === "Enter") {
      if (this.#active >= 0) this.#choose(this.#active);
      else this.#finish();
    } else if (event.key === "Escape" && !this.list.hidden) {
      this.close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #choose(number) {
    const option = this.#options[number];
    if (!option) return;
    this.input.value = option.value;
    this.input.setSelectionRange(option.value.length, option.value.length);
    if (this.isPart(option.value)) {
      this.open();
      this.onType(option.value);
    } else {
      this.#finish();
    }
  }

  #finish() {
    this.close();
    this.onChoose(this.input.value);
  }
}
