// Which recordings are shown: one, or two side by side.

import { make, visible } from "../view.js";

/** The name of the only recording, or a choice of one or two. */
export function recordingChoice(app) {
  const { recordings } = app.facts;
  const title = (number) => visible(recordings[number].name);
  if (recordings.length === 1) return make("h1", "recording-name", { title: visible(recordings[0].title ?? "") }, title(0));
  const numbers = [...recordings.keys()];
  const pairs = numbers.flatMap((first) => numbers.filter((second) => second !== first).map((second) => [first, second]));
  const choices = [...numbers.map((number) => [number]), ...pairs];
  const options = choices.map((choice) => make("option", "", { value: choice.join(",") }, choice.map(title).join("  |  ")));
  const select = make("select", "recording-choice", { "aria-label": "Recordings", title: "Recordings: one, or two side by side" }, ...options);
  const show = () => (select.value = app.recordings.join(","));
  select.addEventListener("change", () => app.state.set({ recordings: select.value.split(",").map(Number) }, { isStep: true }));
  app.on("recordings", show);
  show();
  return make("div", "recordings", {}, make("h1", "unseen", {}, "Explorer"), select);
}
