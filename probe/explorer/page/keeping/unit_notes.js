// The name, the note and the lists of a unit, which are kept as they are typed.

import { make } from "../view.js";
import { redraw } from "../charts/redraw.js";

const TYPING_MS = 700; // after the last key: then a note is kept

/** The name, the note and the lists of the unit that is shown. */
export class UnitNotes {
  constructor(app) {
    this.app = app;
    this.heading = make("h2", "name");
    this.name = new Field(app, "name", make("input", "", { type: "text", id: "keep-name", maxLength: 60, autocomplete: "off", spellcheck: false }));
    this.note = new Field(app, "note", make("textarea", "", { id: "keep-note", maxLength: 4000, rows: 3 }));
    this.lists = make("ul", "chips lists", { "aria-label": "Lists of this unit" });
    this.list = make("input", "", { type: "text", id: "keep-list", maxLength: 60, autocomplete: "off", spellcheck: false, placeholder: "Name of a list" });
    this.list.setAttribute("list", "keep-lists");
    this.known = make("datalist", "", { id: "keep-lists" });
    this.status = make("p", "muted", { role: "status" });
    const add = make("button", "plain", { type: "button" }, "Add");
    add.addEventListener("click", () => this.#add());
    this.list.addEventListener("keydown", (event) => event.key === "Enter" && this.#add());
    this.element = make(
      "section", "", { "aria-label": "Notes on this unit" },
      this.heading,
      make("label", "", { htmlFor: "keep-name" }, "Name"), this.name.element,
      make("label", "", { htmlFor: "keep-note" }, "Note"), this.note.element,
      make("label", "", { htmlFor: "keep-list" }, "Lists"), this.lists,
      make("div", "in-a-row", {}, this.list, add, this.known),
      this.status,
    );
    for (const event of ["notes", "unit", "recordings"]) app.on(event, () => this.show());
    this.show();
  }

  show() {
    const { app } = this;
    const { facts } = app.notes;
    this.heading.textContent = app.unit;
    for (const field of [this.name, this.note]) field.show(app.recording, app.unit, facts.problem);
    this.list.disabled = Boolean(facts.problem);
    const lists = app.notes.listsOf(app.unit);
    redraw(this.lists, lists.map((list) => this.#chipOf(list)));
    this.lists.hidden = !lists.length;
    this.known.replaceChildren(...Object.keys(facts.lists).map((list) => make("option", "", { value: list })));
    this.status.classList.toggle("problem", Boolean(facts.problem));
    this.status.textContent = facts.problem || facts.notice || `Kept in ${facts.file}, beside the recording.`;
  }

  #chipOf(list) {
    const away = make("button", "chip-away", { type: "button", "aria-label": `Take ${this.app.unit} out of ${list}` }, "×");
    away.addEventListener("click", () => this.#set(list, false));
    return make("li", "chip", {}, make("span", "chip-name", {}, list), away);
  }

  async #add() {
    const list = this.list.value.trim();
    if (list && (await this.#set(list, true))) this.list.value = "";
  }

  async #set(list, isIn) {
    try {
      await this.app.notes.setListed(list, this.app.unit, isIn);
      return true;
    } catch (error) {
      this.app.say(error.message, { isError: true });
      return false;
    }
  }
}

/** A field that is kept when typing has ended; what another tab has written meanwhile is shown beside it, and not lost. */
class Field {
  #timer = 0;
  #draft = null; // of the unit that is shown

  constructor(app, field, input) {
    Object.assign(this, { app, field, input });
    this.conflict = make("div", "conflict", { role: "alert", hidden: true });
    this.element = make("div", "field", {}, input, this.conflict);
    input.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.keep(), TYPING_MS);
    });
    input.addEventListener("change", () => this.keep());
    addEventListener("pagehide", () => this.keep());
  }

  get #isChanged() {
    return this.input.value.trim() !== this.#draft.before;
  }

  /** Show what is kept for a unit of a recording, unless something else is being typed. */
  show(recording, unit, problem) {
    const isNext = recording !== this.#draft?.recording || unit !== this.#draft.unit;
    if (isNext) {
      this.keep();
      this.#draft = new Draft(this, recording, unit);
    }
    const kept = this.app.notes.of(unit)[this.field];
    if (isNext || !this.#isChanged || this.input.value.trim() === kept) {
      if (this.input.value.trim() !== kept) this.input.value = kept;
      this.#draft.before = kept;
      this.conflict.hidden = true;
    }
    this.input.readOnly = Boolean(problem);
  }

  /** Keep what was typed. */
  keep() {
    clearTimeout(this.#timer);
    if (!this.#draft || !this.#isChanged || !this.conflict.hidden || this.input.readOnly) return;
    this.#draft.keep(this.input.value.trim());
  }

  /** Deal with a draft that could not be kept. */
  onFailed(draft, error) {
    if (error.status === 409 && draft === this.#draft) this.#ask(draft);
    else this.app.say(`${draft.unit}: ${error.message}`, { isError: true });
  }

  /** Let the reader choose between what was typed here, and what was kept meanwhile. */
  #ask(draft) {
    const { typed } = draft;
    const kept = this.app.notes.of(draft.unit)[this.field];
    const end = (value) => {
      draft.before = kept;
      this.input.value = value;
      this.conflict.hidden = true;
      this.keep();
      this.input.focus();
    };
    const mine = make("button", "plain", { type: "button" }, "Keep mine");
    const theirs = make("button", "plain", { type: "button" }, "Take the other");
    mine.addEventListener("click", () => end(typed));
    theirs.addEventListener("click", () => end(kept));
    this.conflict.replaceChildren(make("p", "", {}, `Changed in another tab meanwhile. There it says: ${kept || "nothing"}`), make("div", "in-a-row", {}, mine, theirs));
    this.conflict.hidden = false;
  }
}

/** What is typed for one unit of one recording: sent to the server again and again until it is kept as it stands. */
class Draft {
  #isSending = false;

  constructor(field, recording, unit) {
    Object.assign(this, { field, recording, unit, before: "", typed: "" });
  }

  async keep(typed) {
    this.typed = typed;
    if (this.#isSending) return; // what is typed meanwhile is sent after the answer
    this.#isSending = true;
    try {
      while (this.typed !== this.before) {
        const after = this.typed;
        await this.field.app.notes.write(this.recording, this.unit, this.field.field, this.before, after);
        this.before = after;
      }
    } catch (error) {
      if (this.typed !== this.before) this.field.onFailed(this, error);
    } finally {
      this.#isSending = false;
    }
  }
}
