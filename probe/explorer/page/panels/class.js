// The panel for a class: the tour, the quiz, and type that the last row can read.

import { make } from "../view.js";
import { Quiz } from "./quiz.js";
import { Tour } from "./tour.js";

const LARGE = 24; // pixels
const USUAL = 15;

export function panel(app) {
  const tour = new Tour(app);
  const quiz = new Quiz(app);
  const begin = make("button", "plain", { type: "button" }, "Start the tour");
  begin.addEventListener("click", () => tour.start());
  const large = make("button", "plain", { type: "button" }, "Large type");
  large.addEventListener("click", () => app.state.set({ size: isLarge() ? USUAL : LARGE }));
  const isLarge = () => app.state.get("size") >= LARGE;
  const show = () => large.setAttribute("aria-pressed", String(isLarge()));
  app.on("size", show);
  show();
  const element = make(
    "div", "panel-class", {},
    make("h2", "", {}, "Class"),
    make("p", "muted", {}, "Five steps from the first unit to an answer, and a quiz: which unit is this? Nothing here needs a network."),
    make("div", "in-a-row", {}, begin, large),
    quiz.element,
  );
  return { title: "Class", element, show: () => quiz.ask() };
}
