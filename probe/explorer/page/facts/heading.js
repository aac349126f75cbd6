// The heading of a panel, with the name of the recording that it is about where two are shown.

import { make } from "../view.js";

export class Heading {
  #text;

  constructor(app, text) {
    this.app = app;
    this.element = make("h2");
    this.#text = text;
    app.on("recordings", () => this.show(this.#text));
    this.show(text);
  }

  show(text) {
    const { facts, recording, recordings } = this.app;
    this.#text = text;
    const recordingName = recordings.length > 1 ? [make("span", "of-recording muted", {}, ` in ${facts.recordings[recording].name}`)] : [];
    this.element.replaceChildren(text, ...recordingName);
  }
}
