// The list of the painted passages: a click goes to one, and a button un-paints it.

import { make, visible } from "../view.js";
import { isOvertaken } from "../api.js";
import { focusPanel, redraw } from "../charts/redraw.js";

const MOST_SHOWN = 40;
const MOST_CHARS = 60;

export class PassageList {
  #turn = 0;

  constructor(app) {
    this.app = app;
    this.list = make("ul", "painted-list", { "aria-label": "Painted passages" });
    this.more = make("p", "muted");
    this.all = make("button", "quiet", { type: "button" }, "Un-paint all");
    this.all.addEventListener("click", () => {
      focusPanel(this.all);
      app.painting.clear();
    });
    this.element = make("div", "painted-passages", { hidden: true }, this.list, this.more, this.all);
  }

  async show(spans) {
    const turn = ++this.#turn;
    this.element.hidden = !spans.length;
    this.more.textContent = spans.length > MOST_SHOWN ? `and ${spans.length - MOST_SHOWN} more` : "";
    const chosen = spans.slice(0, MOST_SHOWN);
    const items = [];
    for (const span of chosen) {
      const text = await this.#textOf(span);
      if (turn !== this.#turn) return;
      items.push(this.#item(span, text));
    }
    redraw(this.list, items);
  }

  /** The text of a passage, or the places of its ends while that cannot be had. */
  async #textOf([start, stop]) {
    try {
      return await textOf(this.app, start, Math.min(stop, start + MOST_CHARS));
    } catch (error) {
      if (!isOvertaken(error)) this.app.say(error.message, { isError: true });
      return `${start} to ${stop}`;
    }
  }

  #item([start, stop], text) {
    const shown = visible(text) + (stop - start > MOST_CHARS ? "…" : "");
    const go = make("button", "passage", { type: "button", title: `Characters ${start} to ${stop}` }, make("mark", "", {}, shown));
    go.addEventListener("click", () => this.app.goTo(start));
    const away = make("button", "chip-away", { type: "button", title: "Un-paint this passage", "aria-label": `Un-paint ${shown}` }, "×");
    away.addEventListener("click", () => this.app.painting.erase([start, stop]));
    return make("li", "", {}, go, away);
  }
}

/** Some of the text of the recording that is asked. */
export async function textOf(app, start, stop) {
  const { provider, header } = app.panes.views[0];
  const parts = [];
  for (let tile = Math.floor(start / header.tile_chars); tile * header.tile_chars < stop; tile++) {
    const first = tile * header.tile_chars;
    const codes = provider.tile("text", 0, tile) ?? (await provider.request("text", 0, tile));
    parts.push(...codes.subarray(Math.max(start - first, 0), stop - first));
  }
  return String.fromCodePoint(...parts);
}
