// The tour: five steps, each of which says what to do, goes on when that is done, and can be left.

import { make } from "../view.js";

const FIRST = 1;
const HYPOTHESIS = "in_comment";

/** The steps: `isDone(app, before)` is asked after each change, with what was shown when the step began. */
const STEPS = [
  {
    title: "Read",
    says: "The colour of each character is the value of one unit after the network has read it: orange where it is high, blue where it is low. Point at a character to see its value. To see the next unit, press ] or the button › above.",
    done: "That is another unit.",
    isDone: (app, before) => app.unit !== before.unit,
  },
  {
    title: "Ask",
    says: `Which unit follows comments? Press a, type ${HYPOTHESIS}, and press Enter. The strips below the characters then show where the hypothesis is true.`,
    done: "The units are ranked by how well each alone tells where it is true: 0.5 is chance, 1 is always.",
    isDone(app, before) {
      const asked = app.state.get("hypothesis");
      return Boolean(app.labelsOf(app.recording)) && (asked === HYPOTHESIS || asked !== before.hypothesis);
    },
  },
  {
    title: "Choose",
    says: "As soon as the list is there, in the panel Ask (key 1), choose the unit at its top: click on its name, or press Tab until it has the focus, and Enter.",
    done: "The text now has the colours of this unit. Do they change where the comments begin and end?",
    isDone: (app) => ranked(app).slice(0, 3).includes(app.unit),
  },
  {
    title: "Look",
    says: "The strip above is the whole text, and the frame is what you see of it. Click where it stands out, or press . to go to the next change of the labels.",
    done: "Every place of the text is one step away.",
    isDone: (app, before) => app.position !== before.position,
  },
  {
    title: "Keep",
    says: "Open the panel Keep, and give the unit a name, such as “comments”. It stands beside the unit from now on, also for whoever opens this recording later.",
    done: "The name is kept in a file beside the recording.",
    isDone: (app, before) => before.names && app.notes.nameOf(app.unit) !== (before.names.get(app.unit) ?? ""),
    isPossible: (app) => !app.notes.facts.problem,
  },
];
const END = STEPS.length + 1;
const NEXT = "Now ask something of your own: any /pattern/ or hypothesis. The quiz in Class asks which unit it is, and ? lists all keys.";
const HOLD = "In Steer, hold the unit, and see what the model writes then.";

/** The units that the panel Ask lists, the best first. */
function ranked(app) {
  const rows = app.panels.get("ask")?.element.querySelectorAll("tbody tr[data-unit]") ?? [];
  return [...rows].map((row) => row.dataset.unit);
}

/** A card above the panels, which stays while all else is used. The step is in the address: `tour=1` begins. */
export class Tour {
  #before = null;
  #praise = "";

  constructor(app) {
    this.app = app;
    app.state.define("tour", { key: "tour", kind: "whole", initial: 0 });
    this.title = make("h2", "", { id: "tour-title" });
    this.text = make("div", "tour-text", { role: "status" });
    this.skip = this.#button("Skip", () => this.#goTo(this.#step + 1));
    this.leave = this.#button("Leave the tour", () => this.end());
    this.card = make("section", "tour", { "aria-labelledby": "tour-title", hidden: true }, this.title, this.text, make("div", "in-a-row", {}, this.skip, this.leave));
    document.getElementById("side").prepend(this.card);
    for (const event of ["state", "labels", "window"]) app.on(event, () => this.#look());
    app.on("notes", () => this.#onNotes());
    app.on("tour", () => this.show());
    this.show();
  }

  get #step() {
    return this.app.state.get("tour");
  }

  start() {
    if (this.app.state.get("full") === "text") this.app.state.set({ full: "" });
    this.#praise = "";
    this.#goTo(FIRST);
    this.skip.focus();
  }

  end() {
    this.#goTo(0);
    this.app.panes.view.scroller.focus({ preventScroll: true });
  }

  show() {
    const step = this.#step;
    this.card.hidden = !(step >= FIRST && step <= END);
    if (this.card.hidden) return;
    this.#before = this.#snapshot();
    const { title, says } = STEPS[step - 1] ?? { title: "That is all", says: NEXT };
    this.title.textContent = step === END ? title : `${step} of ${STEPS.length} · ${title}`;
    this.text.replaceChildren(...(this.#praise ? [make("p", "done", {}, this.#praise)] : []), make("p", "", {}, says));
    if (step === END && this.app.facts.recordings[this.app.recording].model) this.text.append(make("p", "", {}, HOLD));
    this.skip.hidden = step === END;
    this.leave.textContent = step === END ? "Close" : "Leave the tour";
  }

  /** Names that come with their recording are from before the step. */
  #onNotes() {
    if (!this.#before) return;
    this.#before.names = this.app.notes.areLoaded ? (this.#before.names ?? this.#names()) : null;
    this.#look();
  }

  /** Go on if what the step asks for has been done. */
  #look() {
    const step = STEPS[this.#step - 1];
    if (!step || !this.#before || !step.isDone(this.app, this.#before)) return;
    this.#goTo(this.#step + 1, step.done);
  }

  #goTo(step, praise = "") {
    this.#praise = praise;
    let next = step;
    while (STEPS[next - 1]?.isPossible?.(this.app) === false) next += 1;
    this.app.state.set({ tour: next });
  }

  #snapshot() {
    const { app } = this;
    return { unit: app.unit, hypothesis: app.state.get("hypothesis"), position: app.position, names: this.#names() };
  }

  /** The names that are kept, by unit; `null` until they have come. */
  #names() {
    const { notes } = this.app;
    return notes.areLoaded ? new Map(Object.entries(notes.facts.units).map(([unit, { name }]) => [unit, name])) : null;
  }

  #button(label, does) {
    const made = make("button", "plain", { type: "button" }, label);
    made.addEventListener("click", does);
    return made;
  }
}
