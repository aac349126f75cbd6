// Whether the model uses the unit: how its loss changes without it, where the hypothesis holds and where not.

import { grouped, make, numberText, visible } from "../view.js";
import { isOvertaken } from "../api.js";
import { copied } from "../keeping/commands.js";

const STEP = 0.0001; // of what is shown, in nats per character
const PLACES = {
  "inside − outside": "where it holds less where it does not",
  all: "all characters",
  inside: "where it holds",
  outside: "where it does not",
  end: "the last characters where it holds",
  predicted: "before characters that it predicts",
};

const hasValue = (value) => value !== null && value !== undefined;
const signed = (value) => (hasValue(value) ? (value > 0 ? "+" : "") + numberText(value, STEP) : "–");

const smallText = (p) => (p < 0.001 ? "< 0.001" : numberText(p, 0.001));

/** The part of the panel Steer that measures, when its button is pressed, what the model loses without the unit. */
export class Ablation {
  #key = "";

  constructor(app) {
    this.app = app;
    this.button = make("button", "button", { type: "button" }, "Measure");
    this.button.addEventListener("click", () => this.#ask());
    this.question = make("p", "muted");
    this.message = make("p", "message", { role: "status" });
    this.progress = make("progress", "", { hidden: true, "aria-label": "Measuring", max: 1, value: 0 });
    this.answer = make("div", "ablation-answer");
    this.element = make("section", "ablation", { "aria-label": "Does the model use it?" }, make("h3", "", {}, "Does the model use it?"), this.question, this.button, this.message, this.progress, this.answer);
    for (const name of ["unit", "hypothesis", "recordings", "labels", "back"]) app.on(name, () => this.update());
  }

  /** Say what the button measures; what was measured of something else is given up, and goes. */
  update() {
    const { unit } = this.app;
    const labels = this.#labels;
    const key = JSON.stringify([this.app.recording, unit, labels?.id]);
    if (key === this.#key) return;
    this.#key = key;
    this.app.abort("ablate");
    this.#clear(labels && labels.kind !== "binary" ? `${labels.name} is not True or False, so that there is no inside and outside; compare it with a number, or name one of its classes` : "");
    this.button.disabled = labels?.kind !== "binary";
    const name = labels ? labels.name : "a hypothesis (type one above)";
    this.question.textContent = visible(`While the model reads the text with ${unit} held at its mean: how much worse does it predict where ${name} holds, and elsewhere?`);
  }

  /** The labels of the hypothesis that is shown; undefined while there are none. */
  get #labels() {
    return this.app.state.get("hypothesis") ? this.app.labelsOf(this.app.recording) : undefined;
  }

  #clear(sentence) {
    this.message.textContent = visible(sentence);
    this.progress.hidden = true;
    this.answer.replaceChildren();
    this.element.removeAttribute("data-measured");
  }

  async #ask() {
    const { app } = this;
    const question = { recording: app.recording, unit: app.unit, labels: this.#labels.id, hypothesis: app.state.get("hypothesis") };
    const signal = app.latest("ablate");
    this.#clear("measuring, which may take a minute or two …");
    this.progress.hidden = false;
    this.progress.removeAttribute("value");
    try {
      await app.api.stream("ablate", question, (message) => !signal.aborted && this.#take(message), { signal });
    } catch (error) {
      if (isOvertaken(error) || signal.aborted) return;
      this.#clear(error.message);
      if (error.status === 404) app.labels.renew().catch(() => {}); // the server keeps those that were asked for last
    }
  }

  #take({ progress, result }) {
    if (progress) this.progress.value = progress[1] ? progress[0] / progress[1] : 0;
    if (!result) return;
    this.#clear("");
    this.#show(result);
    this.element.dataset.measured = result.unit; // for whoever waits for it
  }

  #show({ rows, findings, notes, n_chars: nChars, n_matched: nMatched, predicted_characters: predicted, command }) {
    const heads = ["loss", "matched", "p"].map((text) => make("th", "number", { scope: "col" }, text));
    const table = make("table", "losses", {}, make("thead", "", {}, make("tr", "", {}, ...heads)), ...rows.map(rowOf));
    const about = [
      `Nats per character, on ${grouped(nChars)} characters; above 0, the model predicts worse without the unit.`,
      nMatched ? `matched: the mean of ${grouped(nMatched)} other units of the site that vary as much, held in the same way; p: how often one like these would differ from them as much.` : "",
      predicted ? `It predicts ${[...predicted].map((character) => visible(character === " " ? "␣" : character)).join(" ")}` : "",
    ];
    const sentences = [...findings, ...notes, ...about].filter(Boolean);
    this.answer.replaceChildren(table, ...sentences.map((sentence) => make("p", "muted", {}, visible(sentence))), this.#commandRow(command));
  }

  #commandRow(command) {
    const button = make("button", "plain", { type: "button", "aria-label": "Copy the ablation as a command" }, "Copy");
    button.addEventListener("click", async () => {
      const isCopied = await copied(command);
      this.app.say(isCopied ? "copied the ablation as a command" : "the browser does not allow copying; select the text and copy it", { isError: !isCopied });
    });
    const code = make("code", "command", { tabIndex: 0, role: "group", "aria-label": "The ablation as a command" }, command);
    return make("div", "command-row", {}, make("div", "in-a-row", {}, make("span", "about", {}, "The same"), button), code);
  }
}

function rowOf({ where, n_chars: nChars, effect, low, high, matched, p }) {
  const ends = hasValue(low) ? `${signed(low)} to ${signed(high)}` : "no interval";
  const name = make("th", "measure", { scope: "rowgroup", colSpan: 3, title: `${grouped(nChars)} characters` }, where, make("span", "place muted", {}, ` ${PLACES[where] ?? ""}`));
  const loss = make("td", "number effect", {}, signed(effect), make("span", "ends muted", {}, ends));
  const values = make("tr", "", {}, loss, make("td", "number matched", {}, signed(matched)), make("td", "number p", {}, hasValue(p) ? smallText(p) : "–"));
  return make("tbody", "", {}, make("tr", "", {}, name), values);
}
