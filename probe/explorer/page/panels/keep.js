// The panel that keeps: names, notes and lists of units, what is shown as a command or as Python, and as a picture.

import { make } from "../view.js";
import { isOvertaken } from "../api.js";

const TYPING_MS = 700; // after the last key: then a note is kept
const SETTLED_MS = 250; // after the state has changed: then the commands are asked for
const ABOUT = { text: "The text", ranking: "The ranking", unit: "The unit" };
const FILES = [["png", "PNG"], ["svg", "SVG"], ["html", "HTML page"]];

export function panel(app) {
  const keep = new Keep(app);
  app.keys.add("Keep", ["y"], "y", "copy what is shown as a command for the shell", () => keep.commands.copyShown("command"));
  app.keys.add("Keep", ["Y"], "Y", "copy what is shown as Python", () => keep.commands.copyShown("python"));
  return { title: "Keep", element: keep.element, show: () => keep.commands.ask() };
}

class Keep {
  constructor(app) {
    this.commands = new Commands(app);
    this.element = make("div", "panel-keep", {}, new UnitNotes(app).element, new Kept(app).element, this.commands.element);
  }
}

/** What is shown, as the server reads it for commands and files. */
export function shownBy(app) {
  const tracks = app.state.get("tracks");
  const units = tracks.filter((name) => name !== "labels" && name !== "loss").map((name) => (name === "unit" ? app.unit : name));
  const seen = app.seen ?? [app.position, app.position + 1];
  return {
    recordings: app.recordings,
    unit: app.unit,
    units: [...new Set(units)].slice(0, 4),
    hypothesis: app.state.get("hypothesis"),
    labelled: tracks.includes("labels") && Boolean(app.state.get("hypothesis")),
    loss: tracks.includes("loss"),
    guesses: app.state.get("guesses"),
    span: app.selected ?? seen,
  };
}

// ---- The unit that is shown

/** The name, the note and the lists of the unit that is shown. */
class UnitNotes {
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
    for (const field of [this.name, this.note]) field.show(app.unit, facts.problem);
    this.list.disabled = Boolean(facts.problem);
    const lists = app.notes.listsOf(app.unit);
    this.lists.replaceChildren(...lists.map((list) => this.#chipOf(list)));
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
  #unit = "";
  #before = ""; // what was kept when the field was last the same

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
    return this.input.value.trim() !== this.#before;
  }

  /** Show what is kept for a unit, unless something else is being typed. */
  show(unit, problem) {
    if (unit !== this.#unit) {
      this.keep();
      this.conflict.hidden = true;
    }
    const kept = this.app.notes.of(unit)[this.field];
    if (unit !== this.#unit || !this.#isChanged || this.input.value.trim() === kept) {
      if (this.input.value.trim() !== kept) this.input.value = kept;
      this.#before = kept;
      this.conflict.hidden = true;
    }
    this.#unit = unit;
    this.input.readOnly = Boolean(problem);
  }

  /** Keep what was typed. */
  async keep() {
    clearTimeout(this.#timer);
    if (!this.#unit || !this.#isChanged || !this.conflict.hidden || this.input.readOnly) return;
    const [unit, before, after] = [this.#unit, this.#before, this.input.value.trim()];
    try {
      await this.app.notes.write(unit, this.field, before, after);
      if (unit === this.#unit) this.#before = after;
    } catch (error) {
      if (error.status === 409 && unit === this.#unit) this.#ask(unit, after);
      else this.app.say(`${unit}: ${error.message}`, { isError: true });
    }
  }

  /** Let the reader choose between what was typed here, and what was kept meanwhile. */
  #ask(unit, typed) {
    const kept = this.app.notes.of(unit)[this.field];
    const end = (value) => {
      this.#before = kept;
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

// ---- All that is kept

/** All units with names, and all lists. */
class Kept {
  constructor(app) {
    this.app = app;
    this.place = make("div", "kept-units");
    this.element = make("section", "", { "aria-label": "All that is kept" }, this.place);
    for (const event of ["notes", "unit"]) app.on(event, () => this.show());
    this.show();
  }

  show() {
    const { lists, units } = this.app.notes.facts;
    const named = Object.keys(units);
    const groups = [["Named units", named], ...Object.entries(lists)].filter(([, members]) => members.length);
    this.place.replaceChildren(...groups.flatMap(([name, members]) => [make("h3", "", {}, name), make("ul", "units", {}, ...members.map((unit) => this.#rowOf(unit)))]));
  }

  #rowOf(unit) {
    const { app } = this;
    const link = make("button", "link", { type: "button", title: `Show ${unit}` }, unit);
    link.addEventListener("click", () => app.showUnit(unit));
    link.disabled = !app.units.placeOf(unit);
    const [line] = app.notes.of(unit).note.split("\n");
    const row = make("li", unit === app.unit ? "current" : "", {}, link);
    if (line) row.append(make("span", "muted line", {}, line));
    return row;
  }
}

// ---- Commands and files

/** What is shown as commands, as Python, as a link and as files. */
class Commands {
  #timer = 0;
  #commands = [];

  constructor(app) {
    this.app = app;
    this.rows = make("div", "commands");
    const link = make("button", "plain", { type: "button" }, "Copy the link");
    link.addEventListener("click", () => this.#copy(app.state.write(), "the link"));
    const files = FILES.map(([ending, name]) => {
      const button = make("button", "plain", { type: "button" }, name);
      button.addEventListener("click", () => this.#save(ending, name));
      return button;
    });
    this.about = make("p", "muted");
    this.element = make(
      "section", "", { "aria-label": "What is shown" },
      make("h3", "", {}, "What is shown, to do it again"), this.rows,
      make("h3", "", {}, "What is shown, as a file"), this.about, make("div", "in-a-row", {}, ...files),
      make("h3", "", {}, "What is shown, for a colleague"), make("div", "in-a-row", {}, link),
    );
    app.on("state", () => this.#settle());
    app.on("window", () => this.#settle());
    app.on("labels", () => this.#settle());
  }

  #settle() {
    clearTimeout(this.#timer);
    if (this.app.state.get("panel") === "keep") this.#timer = setTimeout(() => this.ask(), SETTLED_MS);
  }

  /** Ask for the commands of what is shown now. */
  async ask() {
    const { app } = this;
    if (app.state.get("panel") !== "keep" || !app.panes?.view) return;
    const shown = shownBy(app);
    const [start, stop] = shown.span;
    this.about.textContent = `${app.selected ? "The selection" : "What is on the screen"}: characters ${start.toLocaleString("en-US")} to ${stop.toLocaleString("en-US")}.`;
    const signal = app.latest("commands");
    try {
      await this.#read(shown, signal);
      this.rows.replaceChildren(...this.#commands.map((one) => this.#rowOf(one)));
    } catch (error) {
      if (!isOvertaken(error)) this.rows.replaceChildren(make("p", "muted", {}, error.message));
    }
  }

  async #read(shown, signal) {
    this.#commands = (await this.app.api.post("commands", shown, { signal })).commands;
  }

  #rowOf({ about, command, python }) {
    const name = ABOUT[about].toLowerCase();
    const button = (label, text, what) => {
      const made = make("button", "plain", { type: "button", "aria-label": `Copy ${name} as ${what}` }, label);
      made.addEventListener("click", () => this.#copy(text, what === "Python" ? `${name} as Python` : `${name} as a command`));
      return made;
    };
    const code = make("code", "command", { tabIndex: 0, role: "group", "aria-label": `${ABOUT[about]} as a command` }, command);
    const head = make("div", "in-a-row", {}, make("span", "about", {}, ABOUT[about]), button("Copy", command, "a command"), button("Copy as Python", python, "Python"));
    return make("div", "command-row", {}, head, code);
  }

  /** Copy what the open panel shows: the ranking in Ask, the unit in Unit, and otherwise the text. */
  async copyShown(form) {
    const { app } = this;
    try {
      await this.#read(shownBy(app), app.latest("commands"));
    } catch (error) {
      return isOvertaken(error) || app.say(error.message, { isError: true });
    }
    const wanted = { ask: "ranking", unit: "unit" }[app.state.get("panel")] ?? "text";
    const one = this.#commands.find(({ about }) => about === wanted) ?? this.#commands.find(({ about }) => about === "text");
    return this.#copy(one[form], `${ABOUT[one.about].toLowerCase()} as ${form === "python" ? "Python" : "a command"}`);
  }

  async #copy(text, what) {
    const isCopied = await copied(text);
    this.app.say(isCopied ? `copied ${what}` : "the browser does not allow copying; select the text and copy it", { isError: !isCopied });
  }

  async #save(ending, name) {
    const { app } = this;
    app.say(`making the ${name} …`);
    try {
      const file = await app.api.file("save", { ...shownBy(app), format: ending }, { signal: app.latest("save") });
      const address = URL.createObjectURL(file.blob);
      make("a", "", { href: address, download: file.name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      app.say(`saved ${file.name}`);
    } catch (error) {
      if (!isOvertaken(error)) app.say(error.message, { isError: true });
    }
  }
}

/** Copy a text; where the browser has no clipboard for pages, as away from localhost, by a field that is selected. */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", "unseen", { value: text, "aria-hidden": "true" });
    const { activeElement } = document;
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    activeElement?.focus({ preventScroll: true });
    return isCopied;
  }
}
