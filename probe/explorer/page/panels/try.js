// The panel in which one types: units, predictions and the hypothesis as one types, what a prediction depends on, and
// what changes if one character is another.

import { grouped, levelText, make, MISSING, numberText, Palette, visible } from "../view.js";
import { isOvertaken } from "../api.js";
import { ChangedCharacter, shown } from "./changed_character.js";
import { levelsOf, TypedText } from "./typed_text.js";

const TYPING_MS = 40; // after the last key: then the text is read
const RESTING_MS = 120; // on a character: then it is asked what the next prediction depends on
const FEWEST_CHARS = 2; // of which one is predicted from the other
const MOST_CHARS = 5000; // that are read
const MOST_KEPT = 2000; // in the address
const N_GUESSES = 5;
const N_MATTERING = 3; // characters that are named, of those that a prediction depends on

export function panel(app) {
  const trying = new Trying(app);
  return { title: "Try", element: trying.element, show: () => trying.show() };
}

class Trying {
  #answer = null; // of the server, for the text that it is of
  #asked = "";
  #isOpen = false;
  #modelOf = -1; // the recording whose model is there
  #timers = { text: 0, place: 0 };

  constructor(app) {
    this.app = app;
    app.state.define("tried", { key: "try", kind: "text", initial: "" });
    this.about = make("p", "muted about-try", {}, "The model reads what is typed here, from a state of zero.");
    this.message = make("p", "message", { role: "status" });
    this.typed = new TypedText({ label: "Text that the model reads", onText: () => this.#onText(), onPlace: (place) => this.#onPlace(place) });
    this.legend = make("dl", "typed-legend");
    this.guesses = make("div", "guesses");
    this.notes = make("ul", "warnings", { hidden: true, "aria-label": "Notes" });
    this.change = new ChangedCharacter(app, this.typed, (change) => this.typed.markChanged(change?.position ?? -1, (change?.position ?? -2) + 1));
    this.work = make("div", "try-work", { hidden: true }, this.typed.element, this.legend, this.guesses, this.notes, this.change.element);
    this.element = make("div", "panel-try", {}, make("h2", "", {}, "Try text"), this.about, this.message, this.work);
    for (const name of ["unit", "hypothesis", "back"]) app.on(name, () => this.#settle(0));
    app.on("recordings", () => this.#isOpen && this.show());
    app.on("theme-shown", () => this.#paint());
    app.on("tried", (text) => text !== this.#kept && this.typed.setText(text));
    app.on("panel", () => (this.#isOpen &&= app.state.get("panel") === "try"));
  }

  /** What the address keeps of the text. */
  get #kept() {
    return this.typed.characters.slice(0, MOST_KEPT).join("");
  }

  async show() {
    this.#isOpen = true;
    this.typed.setText(this.app.state.get("tried") || this.typed.text);
    await this.#findModel();
    this.#settle(0);
  }

  get #hasModel() {
    return this.#modelOf === this.app.recording;
  }

  async #findModel() {
    if (this.#hasModel) return;
    const { app } = this;
    const { recording } = app;
    const signal = app.latest("try-model");
    this.message.textContent = "loading the model …";
    try {
      this.facts = await app.api.post("model", { recording }, { signal });
      if (signal.aborted) return;
      this.#modelOf = recording;
      this.message.textContent = "";
    } catch (error) {
      if (isOvertaken(error)) return;
      this.message.textContent = error.message;
    }
    this.work.hidden = !this.#hasModel;
  }

  // ---- What is typed

  #onText() {
    const { app, typed } = this;
    app.state.set({ tried: this.#kept });
    this.change.clear();
    if (typed.characters.length > MOST_CHARS) this.message.textContent = `the text has ${grouped(typed.characters.length)} characters; the first ${grouped(MOST_CHARS)} are read`;
    else if (typed.characters.length > MOST_KEPT) this.message.textContent = `the address holds the first ${grouped(MOST_KEPT)} characters`;
    else this.message.textContent = "";
    this.#settle(TYPING_MS);
  }

  #settle(after) {
    clearTimeout(this.#timers.text);
    this.#timers.text = setTimeout(() => this.#ask(), after);
  }

  async #ask() {
    const { app } = this;
    const text = this.typed.characters.slice(0, MOST_CHARS).join("");
    const question = { recording: app.recording, text, units: [app.unit], hypothesis: app.state.get("hypothesis") };
    const key = JSON.stringify(question);
    if (!this.#isOpen || !this.#hasModel || key === this.#asked) return;
    this.#asked = key;
    app.abort("depends");
    const signal = app.latest("try");
    if (this.typed.characters.length === 1) this.message.textContent = "type on: the model reads two characters or more";
    if (this.typed.characters.length < FEWEST_CHARS) return this.#take(null, text);
    try {
      const answer = await app.api.post("try", question, { signal });
      if (!signal.aborted) this.#take(answer, text);
    } catch (error) {
      if (this.#asked === key) this.#asked = "";
      if (isOvertaken(error)) return;
      this.message.textContent = error.message;
      this.#answer = null; // it is of the text before
      this.#paint();
    }
  }

  #take(answer, text) {
    const [name, unit] = Object.entries(answer?.units ?? {})[0] ?? [];
    const { labels, loss } = answer ?? {};
    this.#answer = answer && {
      ...answer,
      text: [...text],
      layers: {
        unit: { name, scale: unit.scale, levels: levelsOf(unit.levels) },
        labels: labels && !labels.error ? { name: labels.name, scale: labels.scale, levels: levelsOf(labels.levels) } : null,
        loss: { name: "loss", scale: loss.scale, levels: levelsOf(loss.levels) },
        depends: null,
      },
      guess_levels: levelsOf(answer.guess_levels),
    };
    const notes = [...(answer?.notes ?? []), ...(labels?.error ? [`${labels.name}: ${labels.error}`] : [])];
    this.notes.replaceChildren(...notes.map((note) => make("li", "", {}, visible(note))));
    this.notes.hidden = !notes.length;
    this.element.dataset.read = [...text].length; // how much has been read, for whoever waits for it
    this.#paint();
    this.#onPlace(this.typed.place);
  }

  #paint() {
    const palette = new Palette(this.app.facts.recordings[0].header.colours[this.app.themeShown]);
    for (const layer of ["unit", "labels", "loss", "depends"]) this.#paintLayer(layer, palette);
  }

  #paintLayer(layer, palette = new Palette(this.app.facts.recordings[0].header.colours[this.app.themeShown])) {
    const { scale, levels } = this.#answer?.layers[layer] ?? {};
    this.typed.colour(layer, levels ?? null, scale && palette.levels(scale));
  }

  // ---- One character

  #onPlace(place) {
    clearTimeout(this.#timers.place);
    this.app.abort("depends");
    this.change.offer(this.typed.caret);
    const answer = this.#answer;
    if (answer?.layers.depends) {
      answer.layers.depends = null;
      this.#paintLayer("depends");
    }
    this.#inspect(place);
    if (answer && place >= 0 && place < answer.text.length && this.facts.is_ours) this.#timers.place = setTimeout(() => this.#askDependence(place), RESTING_MS);
  }

  async #askDependence(position) {
    const { app } = this;
    const answer = this.#answer;
    const signal = app.latest("depends");
    try {
      const dependence = await app.api.post("depends", { recording: app.recording, text: answer.text.join(""), position }, { signal });
      if (signal.aborted || answer !== this.#answer) return;
      answer.layers.depends = { name: "gradient", scale: dependence.scale, levels: levelsOf(dependence.levels), dependence };
      this.#paintLayer("depends");
      this.#inspect(position);
    } catch (error) {
      if (!isOvertaken(error)) this.message.textContent = error.message;
    }
  }

  /** Say all about one character: what is shown in its row, and the five guesses after it. */
  #inspect(place) {
    const answer = this.#answer;
    const character = answer?.text[place];
    if (character === undefined) {
      this.legend.replaceChildren();
      return this.guesses.replaceChildren();
    }
    const { unit, labels, loss, depends } = answer.layers;
    const rows = [["characters", unit], ["first strip", labels], ["second strip", loss]].filter(([, layer]) => layer).map(([where, layer]) => line(where, layer.name, valueOf(layer, place, answer)));
    if (depends) rows.push(line("third strip", "gradient", dependenceIn(answer.text, depends.dependence)));
    this.legend.replaceChildren(...rows.flat());
    const guesses = Array.from({ length: N_GUESSES }, (_, k) => [answer.guessed[answer.guess_ids[place]?.[k]], answer.guess_levels[N_GUESSES * place + k] / 255]);
    const heading = make("h3", "", {}, `After ${shown(character)} at ${grouped(place)}, the model expects`);
    this.guesses.replaceChildren(heading, ...guesses.filter(([guess]) => guess !== undefined).map(([guess, probability]) => guessLine(guess, probability, answer.text[place + 1])));
  }
}

function valueOf(layer, place, answer) {
  if (layer.name === "loss") return answer.losses[place] === null ? "no value" : `${numberText(answer.losses[place], 0.001)} nats`;
  const level = layer.levels[place];
  return level === undefined || level === MISSING ? "no value" : levelText(level, layer.scale);
}

/** What a prediction depends on, in words: the characters with the largest gradients, the largest first. */
function dependenceIn(text, { character, probability, norms }) {
  const places = norms.map((_, place) => place).filter((place) => norms[place] > 0);
  const mattering = places.sort((one, other) => norms[other] - norms[one]).slice(0, N_MATTERING);
  const most = mattering.map((place) => `${shown(text[place])} at ${grouped(place)}`).join(", ");
  return `what predicting ${shown(character)} (${percent(probability)}) depends on${most ? `: most on ${most}` : ""}`;
}

function line(where, name, value) {
  return [make("dt", "", {}, make("span", "name", {}, visible(name)), make("span", "muted", {}, ` ${where}`)), make("dd", "number", {}, value)];
}

const percent = (share) => `${numberText(100 * share, share < 0.1 ? 0.1 : 1)}\u00a0%`;

function guessLine(guess, probability, next) {
  const bar = make("span", "guess-bar");
  bar.style.width = `${100 * probability}%`;
  const isRight = guess === next;
  return make("div", `guess${isRight ? " right" : ""}`, { title: isRight ? "this one comes" : "" }, make("span", "name", {}, shown(guess)), make("span", "guess-track", {}, bar), make("span", "number", {}, percent(probability)));
}
