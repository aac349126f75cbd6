// The recorded values of a character in the inspector, in place of those of its levels, of which there are 255.

import { isOvertaken } from "./api.js";

const STILL_MS = 120; // a pointer that moves on asks nothing
const DIGITS = 6; // significant ones: those of float32

/** Return a recorded value as text, such as −0.53125. */
export function exactText(value) {
  return String(Number(value.toPrecision(DIGITS))).replaceAll("-", "−");
}

/** Lets the inspector of a pane say what was recorded, once the pointer or the caret stays at a character. */
export class ExactValues {
  #timer = 0;

  constructor(app, pane) {
    Object.assign(this, { app, pane, turn: `values of ${pane.number}` });
  }

  /** To be called when the inspector shows a character; what is asked of the one before is given up. */
  show(position) {
    this.stop();
    const signal = this.app.latest(this.turn);
    this.#timer = setTimeout(() => this.pane.shownUnits.forEach(([track, unit]) => this.#ask(position, track, unit, signal)), STILL_MS);
  }

  stop() {
    clearTimeout(this.#timer);
    this.app.abort(this.turn);
  }

  async #ask(position, track, unit, signal) {
    const { app, pane } = this;
    try {
      const { value } = await app.api.json("value", { recording: pane.number, unit, position }, { signal });
      const card = pane.view.inspector.byTrack.get(track);
      if (signal.aborted || !card || value === null) return;
      card.value.textContent = exactText(value);
    } catch (error) {
      if (!isOvertaken(error)) pane.view.say(error.message); // the value of the level stays
    }
  }
}
