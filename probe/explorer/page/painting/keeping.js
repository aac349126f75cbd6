// Keeping the painted passages as a file of labels, which commands read.

import { make } from "../view.js";

export class Keeping {
  constructor(app) {
    this.app = app;
    this.name = make("input", "file-name", { type: "text", value: "selection.csv", spellcheck: false, autocomplete: "off", maxLength: 100, id: "selection-name" });
    const save = make("button", "action", { type: "submit" }, "Save");
    this.said = make("div", "kept", { role: "status" });
    const label = make("label", "", { htmlFor: "selection-name" }, "Labels of this selection");
    const form = make("form", "keeping-form", {}, label, this.name, save);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save(false);
    });
    this.element = make("div", "keeping", { hidden: true }, make("h3", "", {}, "Keep it"), form, this.said);
    app.on("painted", () => this.said.replaceChildren());
    this.name.addEventListener("input", () => this.said.replaceChildren());
  }

  async #save(overwrite) {
    const { app } = this;
    const question = { recording: app.recording, spans: app.painting.spans, name: this.name.value.trim(), overwrite };
    try {
      const { saved, exists, unwritable, name, content } = await app.api.post("selection/save", question);
      if (saved) this.#say(...this.#command(saved));
      if (exists) this.#say(exists, this.#replacing());
      if (unwritable) this.#say(unwritable, download(name, content));
    } catch (error) {
      this.#say(error.message);
    }
  }

  #say(sentence, ...more) {
    this.said.replaceChildren(make("p", "", {}, sentence), ...more);
  }

  #command({ path, hypothesis }) {
    const command = `probe rank --hypothesis "${hypothesis}" ${this.app.facts.recordings[this.app.recording].title}`;
    return [`Saved as ${path}`, make("p", "muted", {}, "Every command reads it:"), make("code", "command", {}, command)];
  }

  #replacing() {
    const button = make("button", "action", { type: "button" }, "Replace it");
    button.addEventListener("click", () => this.#save(true));
    return button;
  }
}

/** A link that saves a file where the browser saves files. */
function download(name, content) {
  const address = URL.createObjectURL(new Blob([content], { type: "text/csv;charset=utf-8" }));
  return make("a", "action", { href: address, download: name }, `Download ${name}`);
}
