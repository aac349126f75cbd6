// The quiz: passages of a unit without its name; patterns and hypotheses are scored; the name is said on demand.

import { make, MISSING, Palette, visible } from "../view.js";
import { isOvertaken } from "../api.js";
import { CompletingBox } from "../bar/completion.js";
import { hypothesisOf, hypothesisOptions } from "../bar/hypothesis.js";
import { intervalBar, LEAST, measureName, scoreText } from "../charts/scores.js";
import { levelsOf } from "./typed_text.js";

const MOST_SEEDS = 1_000_000;
const WELL_KNOWN = "Units that follow what people know";

/** One question at a time. Its number is in the address, so that whoever opens the link gets the same. */
export class Quiz {
  #asked = "";
  #question = null;
  #guesses = [];

  constructor(app) {
    this.app = app;
    app.state.define("quiz", { key: "quiz", kind: "texts", initial: [] });
    this.from = make("select", "", { "aria-label": "Units that are asked for" });
    const next = this.#button("New question", () => this.next());
    this.status = make("p", "muted", { role: "status" });
    this.progress = make("progress", "", { hidden: true, max: 1, value: 0, "aria-label": "Looking for units" });
    this.passages = make("div", "quiz-passages");
    this.guesses = make("div", "ranking quiz-guesses");
    this.box = new CompletingBox({
      label: "Your guess: a hypothesis or /pattern/",
      placeholder: "Your guess: a hypothesis or /pattern/",
      key: "",
      className: "guess-box",
      optionsOf: (text, caret) => hypothesisOptions(text, caret, app.facts.hypotheses),
      onChoose: (value) => this.#guess(hypothesisOf(value)),
      isPart: (value) => value.endsWith(":"),
    });
    this.box.input.removeAttribute("aria-keyshortcuts");
    this.box.input.title = "Your guess";
    this.said = make("p", "guess-said", { role: "status" });
    this.answer = make("p", "revealed", { role: "status" });
    this.reveal = this.#button("Which unit is it?", () => this.#reveal());
    this.see = this.#button("Show it in the text", () => this.#see());
    this.asking = make("div", "asking", { hidden: true }, this.passages, this.box.element, this.said, this.guesses, make("div", "in-a-row", {}, this.reveal, this.see), this.answer);
    this.element = make("section", "quiz", { "aria-label": "Quiz" }, make("h3", "", {}, "Quiz: which unit is this?"), make("div", "in-a-row", {}, this.from, next), this.status, this.progress, this.asking);
    app.on("quiz", () => this.ask());
    app.on("notes", () => this.#showLists());
    app.on("theme-shown", () => this.#question && this.#showPassages());
    app.on("recordings", () => app.state.set({ quiz: [] }));
    this.#showLists();
    this.#forget();
  }

  /** Ask another question. */
  next() {
    const [number] = crypto.getRandomValues(new Uint32Array(1));
    this.app.state.set({ quiz: [String(number % MOST_SEEDS), this.from.value] }, { isStep: true });
  }

  /** The question that the address names, as the server reads it; `null` if there is none. */
  get #wanted() {
    const [seed, list = ""] = this.app.state.get("quiz");
    return /^\d{1,15}$/.test(seed ?? "") ? { recording: this.app.recording, list, seed: Number(seed) } : null;
  }

  /** Ask the question of the address, unless that has been done, or nobody sees it. */
  async ask() {
    const { app } = this;
    const wanted = this.#wanted;
    const key = wanted ? JSON.stringify(wanted) : "";
    if (app.state.get("panel") !== "class" || key === this.#asked) return;
    this.#asked = key;
    this.#forget();
    if (!wanted) return;
    this.from.value = wanted.list;
    this.progress.hidden = false;
    this.progress.removeAttribute("value");
    this.status.textContent = "Looking for units that follow something …";
    const signal = app.latest("quiz");
    try {
      await app.api.stream("quiz", wanted, (message) => !signal.aborted && this.#take(message), { signal });
    } catch (error) {
      if (this.#asked === key) this.#asked = "";
      if (isOvertaken(error)) return;
      this.status.textContent = error.message;
    }
    this.progress.hidden = true;
  }

  #take({ progress, result }) {
    if (progress) this.progress.value = progress[1] ? progress[0] / progress[1] : 0;
    if (!result) return;
    this.#question = result;
    this.status.textContent = result.n_units === 1 ? "The only unit of this list." : `One of ${result.n_units} units. What does it follow?`;
    this.asking.hidden = false;
    this.#showPassages();
  }

  #forget() {
    for (const name of ["guess", "reveal"]) this.app.abort(name); // their answers are about the question before
    this.#question = null;
    this.#guesses = [];
    this.asking.hidden = true;
    this.progress.hidden = true;
    this.reveal.hidden = false;
    this.see.hidden = true;
    this.status.textContent = "Passages of a unit whose name is hidden: find what it follows.";
    for (const element of [this.said, this.answer]) element.textContent = "";
    this.box.input.value = "";
    this.guesses.replaceChildren();
  }

  #showLists() {
    const { value } = this.from;
    const lists = Object.keys(this.app.notes.facts.lists);
    this.from.replaceChildren(make("option", "", { value: "" }, WELL_KNOWN), ...lists.map((list) => make("option", "", { value: list }, `The list ${list}`)));
    this.from.value = lists.includes(value) ? value : "";
  }

  // ---- Passages

  #showPassages() {
    const { app } = this;
    const { passages, scale } = this.#question;
    const palette = new Palette(app.facts.recordings[0].header.colours[app.themeShown]).levels(scale);
    const groups = [["Where it is high", true], ["Where it is low", false]].map(([title, isMost]) => {
      const rows = passages.filter((one) => one.is_most === isMost).map((one) => make("li", "quiz-passage", {}, ...coloured(one, palette)));
      return make("div", "", {}, make("h4", "", {}, title), make("ul", "", { "aria-label": title }, ...rows));
    });
    this.passages.replaceChildren(...groups);
  }

  // ---- Guesses

  async #guess(guess) {
    const { app } = this;
    if (!guess || !this.#question) return;
    const signal = app.latest("guess");
    this.said.textContent = "Scoring …";
    try {
      let score = null;
      await app.api.stream("quiz/guess", { ...this.#wanted, guess }, ({ result }) => (score = result ?? score), { signal });
      if (signal.aborted || !score) return;
      this.#guesses = [score, ...this.#guesses.filter(({ hypothesis }) => hypothesis !== score.hypothesis)];
      this.said.textContent = scoreSaid(score);
      this.box.input.select();
      this.#showGuesses();
    } catch (error) {
      if (!isOvertaken(error)) this.said.textContent = error.message;
    }
  }

  #showGuesses() {
    const head = make("tr", "", {}, ...["Guess", "", "score", "95 % interval"].map((text, i) => make(text ? "th" : "td", ["", "", "number", "interval"][i], text ? { scope: "col" } : {}, text)));
    const best = new Set(["auc", "r"].map((measure) => this.#best(measure)));
    const body = this.#guesses.map((score) => {
      const { measure, held_out: value, hypothesis } = score;
      return make(
        "tr", best.has(score) ? "current" : "", {},
        make("th", "name", { scope: "row" }, visible(hypothesis)),
        make("td", "muted", {}, measureName(measure)),
        make("td", "number score", {}, scoreText(value)),
        make("td", "interval", {}, value === null ? "" : intervalBar(score, value, measure, [Math.min(LEAST[measure], score.low ?? value), 1], []), make("span", "ends muted", {}, endsOf(score))),
      );
    });
    this.guesses.replaceChildren(make("table", "", {}, make("thead", "", {}, head), make("tbody", "", {}, ...body)));
  }

  /** The best guess of those with this measure: an AUC and an r say nothing about each other. */
  #best(measure) {
    const scored = this.#guesses.filter((guess) => guess.measure === measure && guess.held_out !== null);
    return scored.sort((a, b) => b.held_out - a.held_out)[0];
  }

  // ---- The answer

  async #reveal() {
    const { app } = this;
    const signal = app.latest("reveal");
    try {
      const { unit } = await app.api.post("quiz/reveal", this.#wanted, { signal });
      if (signal.aborted) return;
      this.answer.replaceChildren(make("span", "", {}, "It is "), make("strong", "name", {}, unit));
      this.answer.dataset.unit = unit;
      this.reveal.hidden = true;
      this.see.hidden = false;
      this.see.focus();
    } catch (error) {
      if (!isOvertaken(error)) this.answer.textContent = error.message;
    }
  }

  /** Show the unit in the text, with what was guessed best. */
  #see() {
    const { app } = this;
    const best = this.#best("auc") ?? this.#best("r");
    app.showUnit(this.answer.dataset.unit);
    if (best) app.ask(best.hypothesis).catch((error) => isOvertaken(error) || app.say(error.message, { isError: true }));
  }

  #button(label, does) {
    const made = make("button", "plain", { type: "button" }, label);
    made.addEventListener("click", does);
    return made;
  }
}

function endsOf({ low, high }) {
  return low === null || high === null ? "no interval" : `${scoreText(low)} to ${scoreText(high)}`;
}

function scoreSaid(score) {
  const { measure, held_out: value, warnings } = score;
  if (value === null) return warnings[0] ?? "this has no score here";
  return `${visible(score.hypothesis)}: ${measureName(measure)} ${scoreText(value)} (${endsOf(score)})${score.direction < 0 ? ", where the unit is low" : ""}`;
}

/** The characters of a passage, each with the colour of its level; the one where the unit is most or least active is marked. */
function coloured({ text, levels, peak }, { colours, inks }) {
  const bytes = levelsOf(levels);
  return [...text].map((char, i) => {
    const cell = make(i === peak ? "mark" : "span", "cell", {}, visible(char));
    if (bytes[i] === MISSING) return cell;
    cell.style.backgroundColor = colours[bytes[i]];
    cell.style.color = inks[bytes[i]] ? "#fff" : "#000";
    return cell;
  });
}
