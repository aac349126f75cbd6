// The keys of the page, and the dialog that lists them.

import { make } from "./view.js";

/** The group of the keys that move in the text, most of which the view of the text has itself. */
export const TEXT = "In the text";

const TEXT_KEYS = [
  ["← → ↑ ↓", "move by a character, by a row"],
  ["Home, End", "begin and end of the row; with Ctrl, of the text"],
  ["Page ↑ ↓", "a screen up, down"],
  ["Shift + move", "select; Ctrl A selects all, Ctrl C copies the text as it is"],
  ["n N", "find the next, the one before"],
];
const READING = [
  "The first track colours the characters, the others the strips below them. Hatched cells have no value.",
  "Values are those after the character was read. A line before a character says that a document begins there, and with it the model's state.",
  "The strip above the text is the whole of it: from the lowest to the highest value of the unit in each piece. The frame is what is on the screen.",
  "The address holds all that is shown: a link to it shows a colleague with the same recording the same.",
];

/** The keys: each does one thing wherever the focus is, except in a field, where keys type. */
export class Keys {
  #keys = new Map();
  #groups = new Map();

  constructor() {
    this.dialog = make("dialog", "help", { "aria-label": "Help" });
    addEventListener("keydown", (event) => this.#onKey(event), { capture: true });
  }

  /** Let keys do things: `keys` is one or several, `shown` how the help writes them, `does(key)` what is done. */
  add(group, keys, shown, says, does) {
    for (const key of keys) this.#keys.set(key, does);
    if (!this.#groups.has(group)) this.#groups.set(group, []);
    this.#groups.get(group).push([shown, says]);
  }

  /** Open the dialog. */
  help() {
    const close = make("button", "", { type: "button" }, "Close");
    close.addEventListener("click", () => this.dialog.close());
    const head = make("div", "help-head", {}, make("h2", "", {}, "Keys"), close);
    const groups = [...this.#groups].map(([name, keys]) => {
      const rows = [...keys, ...(name === TEXT ? TEXT_KEYS : [])].flatMap(([shown, says]) => [make("dt", "", {}, make("kbd", "", {}, shown)), make("dd", "", {}, says)]);
      return make("section", "", {}, make("h3", "", {}, name), make("dl", "", {}, ...rows));
    });
    const reading = make("section", "reading", {}, make("h3", "", {}, "Reading the picture"), ...READING.map((sentence) => make("p", "", {}, sentence)));
    this.dialog.replaceChildren(head, make("div", "key-groups", {}, ...groups, reading));
    if (!this.dialog.open) this.dialog.showModal();
  }

  #onKey(event) {
    if (document.querySelector("dialog[open]")) return;
    const isField = event.target.closest?.("input:not([type=range]), textarea, select, [contenteditable]");
    const isCommand = (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph"); // which types brackets
    if (isCommand || (isField && event.key !== "Escape")) return;
    const does = this.#keys.get(event.key);
    if (!does || does(event.key, event) === false) return; // not meant for it
    event.preventDefault();
    event.stopPropagation();
  }
}
