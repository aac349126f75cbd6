// What is shown as commands, as Python, as a link and as files.

import { grouped, make } from "../view.js";
import { isOvertaken } from "../api.js";
import { redraw } from "../charts/redraw.js";

const SETTLED_MS = 250; // after the state has changed: then the commands are asked for
const ABOUT = { text: "The text", ranking: "The ranking", unit: "The unit" };
const FILES = [["png", "PNG"], ["svg", "SVG"], ["html", "HTML page"]];

/** What is shown, as the server reads it for commands and files. */
function shownBy(app) {
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

/** What is shown as commands, as Python, as a link and as files. */
export class Commands {
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
      make("h3", "", {}, "Reproduce this"), this.rows,
      make("h3", "", {}, "Save this as a file"), this.about, make("div", "in-a-row", {}, ...files),
      make("h3", "", {}, "Share this"), make("div", "in-a-row", {}, link),
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
    this.about.textContent = `${app.selected ? "The selection" : "What is on the screen"}: characters ${grouped(start)} to ${grouped(stop)}.`;
    const signal = app.latest("commands");
    try {
      await this.#read(shown, signal);
      redraw(this.rows, this.#commands.map((command) => this.#rowOf(command)));
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
