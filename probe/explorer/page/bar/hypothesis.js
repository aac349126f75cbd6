// What is asked: the box for a hypothesis or a pattern, and its labels, which are drawn over the text at once.

import { make } from "../view.js";
import { isOvertaken } from "../api.js";
import { CompletingBox } from "./completion.js";

const TYPING_MS = 220; // after the last key: then the labels are asked for
const PATIENCE_MS = 900; // after which it is said what is wrong with what was typed
const WORDS = /[\w.:-]*(?: +[\w.:-]+)*$/; // that are completed: a name, or what somebody calls it
const TELLING = 4; // letters of a word that has to be in the name

/** Return the hypothesis that a text means: `/\d+/` and `/\d+` are short for `regex:'\d+'`. */
export function hypothesisOf(text) {
  const typed = text.trim();
  const pattern = /^\/(.+?)\/?$/s.exec(typed);
  return pattern ? patternOf(pattern[1]) : typed;
}

/** Return how a pattern is spelled as a hypothesis: in quotes, within which they are doubled. */
export function patternOf(pattern) {
  return `regex:'${pattern.replaceAll("'", "''")}'`;
}

/** The names that may be meant by the words before the caret, such as `position in the line`; the text as a pattern last. */
export function hypothesisOptions(text, caret, hypotheses) {
  const phrase = WORDS.exec(text.slice(0, caret))[0].trimStart();
  const [before, after] = [text.slice(0, caret - phrase.length), text.slice(caret)];
  const words = phrase.toLowerCase().split(/ +/);
  const needed = words.length > 1 ? words.filter((word) => word.length >= TELLING) : words;
  const names = hypotheses.filter((one) => needed.every((word) => one.name.includes(word)) && beginningOf(one) !== phrase);
  const likeness = ({ name }) => words.filter((word) => name.includes(word)).length + Number(name.startsWith(words[0])) / 2;
  names.sort((a, b) => likeness(b) - likeness(a));
  const options = names.map((one) => ({ value: before + beginningOf(one) + after, label: one.spelling, detail: one.description }));
  const typed = text.trim();
  if (typed && !/^(\/|regex:|labels:)/.test(typed)) options.push({ value: patternOf(typed), label: `/${typed}/`, detail: "every match of this pattern" });
  return options;
}

/** How a hypothesis is written: without the parameters that may be left out, up to those that may not. */
function beginningOf({ name, spelling, in_file: isInFile }) {
  return !isInFile && spelling.startsWith(`${name}:`) ? `${name}:` : name;
}

/** The labels of the hypothesis, for each recording that is shown. Emits `labels` when they have come or gone. */
export class HypothesisLabels {
  #byRecording = new Map();
  #text = "";
  #renewing = null;

  constructor(app) {
    this.app = app;
    app.on("hypothesis", (text) => text !== this.#text && this.#askQuietly(text));
    for (const name of ["recordings", "back"]) app.on(name, () => this.#askQuietly(app.state.get("hypothesis")));
  }

  /** What the server says of the labels for a recording: { id, name, kind, n_true, warnings, scale }; or `undefined`. */
  of(recording) {
    return this.#byRecording.get(recording);
  }

  /** Ask for the labels of a hypothesis, none if it is empty. Fails with a sentence if it cannot be read. */
  async ask(text, { isStep = true } = {}) {
    const signal = this.app.latest("labels");
    const answers = await this.#answersTo(text, signal);
    if (!signal.aborted) this.#show(text, answers, isStep);
  }

  /** Let the server make the labels that are shown once more, which it does not keep any more: their ids stay. */
  renew() {
    this.#renewing ??= this.#answersTo(this.#text).finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  /** What the server says of the labels of a hypothesis, by recording. */
  async #answersTo(text, signal) {
    const recordings = text ? this.app.state.get("recordings") : [];
    const answers = await Promise.all(recordings.map((recording) => this.app.api.post("labels", { recording, hypothesis: text }, { signal })));
    return new Map(recordings.map((recording, i) => [recording, answers[i]]));
  }

  #show(text, answers, isStep) {
    const { app } = this;
    this.#byRecording = answers;
    this.#text = text;
    app.state.set({ hypothesis: text }, { isStep });
    app.emit("labels", this.of(app.recording) ?? null);
  }

  /** Ask for the labels of what the state has; if there are none, those before it go. */
  async #askQuietly(text) {
    try {
      await this.ask(text);
    } catch (error) {
      if (isOvertaken(error)) return;
      this.#show(text, new Map(), false);
      this.app.say(error.message, { isError: true });
    }
  }
}

/** The box in the bar. */
export class HypothesisBox {
  #timers = [];
  #hasStepped = false; // since the focus came: what is typed on replaces it, as one step back in the browser

  constructor(app) {
    this.app = app;
    this.message = make("div", "box-message", { role: "status" });
    this.box = new CompletingBox({
      label: "Hypothesis or /pattern/",
      placeholder: "Hypothesis or /pattern/",
      key: "a",
      className: "hypothesis-box",
      optionsOf: (text, caret) => hypothesisOptions(text, caret, app.facts.hypotheses),
      onChoose: (value) => this.#choose(value),
      onType: (value) => this.#type(value),
      isPart: (value) => value.endsWith(":"),
    });
    this.box.input.addEventListener("focus", () => (this.#hasStepped = false));
    this.element = make("div", "hypothesis-choice", {}, this.box.element, this.message);
    app.keys.add("Questions", ["a"], "a", "ask: a hypothesis, or a /pattern/", () => this.box.input.focus());
    app.on("hypothesis", (text) => this.#show(text));
    this.#show(app.state.get("hypothesis"));
  }

  #show(text) {
    const isTyping = document.activeElement === this.box.input;
    if (!isTyping || !text) this.box.input.value = text;
    this.#say("");
  }

  #say(message) {
    this.message.textContent = message;
    this.box.input.setAttribute("aria-invalid", String(Boolean(message)));
  }

  #type(value) {
    this.#timers.forEach(clearTimeout);
    this.#say("");
    this.#timers = [setTimeout(() => this.#ask(value, PATIENCE_MS - TYPING_MS), TYPING_MS)];
  }

  async #choose(value) {
    this.#timers.forEach(clearTimeout);
    this.box.input.value = hypothesisOf(value);
    if (await this.#ask(value, 0)) this.app.panes.view.scroller.focus({ preventScroll: true });
  }

  /** Ask for the labels; what is wrong is said after a while, in case that more is typed. Returns whether they came. */
  async #ask(value, patience) {
    try {
      await this.app.ask(hypothesisOf(value), { isStep: !this.#hasStepped });
      this.#hasStepped = true;
      return true;
    } catch (error) {
      if (!isOvertaken(error)) this.#timers.push(setTimeout(() => this.#say(error.message), patience));
      return false;
    }
  }
}
