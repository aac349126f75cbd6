// The weights of a unit, in and out, and the units that go with it.

import { make, visible } from "../view.js";
import { barTable, link } from "../charts/charts.js";
import { intervalBar, LEAST, scoreText } from "../charts/scores.js";

export function weightsOf(app, weights) {
  const { gates, pushing, holding_back: holdingBack, to_above: toAbove, read_by: readBy, notes } = weights;
  const parts = [];
  if (pushing.length || holdingBack.length) {
    const rows = [...pushing, ...[...holdingBack].reverse()].map(({ name, weight }) => ({ name, value: weight }));
    parts.push(part(`Next characters that ${readBy} pushes`, barTable({ rows, label: "Next characters that the unit pushes", heads: ["Next", "nats per 1"] }), true));
  }
  if (toAbove.length) parts.push(part("Units above that it writes to", unitBars(app, toAbove, "Units above that the unit writes to", "norm"), true));
  gates.forEach((gate, i) => parts.push(part(`What writes to ${gate.gate === "hidden" ? "it" : `the ${gate.gate.replaceAll("_", " ")}`}`, gateOf(app, gate), i === 0)));
  return [...parts, make("ul", "notes", {}, ...notes.map((note) => make("li", "muted", {}, note)))];
}

function part(name, content, isOpen) {
  return make("details", "weights-part", { open: isOpen }, make("summary", "", {}, visible(name)), content);
}

function gateOf(app, { gate, raising, lowering, from_below: fromBelow, from_before: fromBefore }) {
  const tables = [];
  if (raising.length || lowering.length) {
    const rows = [...raising, ...[...lowering].reverse()].map(({ name, weight }) => ({ name, value: weight }));
    tables.push(barTable({ rows, label: `Characters that write to the ${gate}`, heads: ["Character", "weight"] }));
  }
  if (fromBelow.length) tables.push(unitBars(app, fromBelow, `Units below that write to the ${gate}`, "weight"));
  if (fromBefore.length) tables.push(unitBars(app, fromBefore, `Units one character before that write to the ${gate}`, "weight"));
  return make("div", "", {}, ...tables);
}

function unitBars(app, weights, label, what) {
  const rows = weights.map(({ name, weight }) => ({ name, value: weight, onClick: () => app.showUnit(name) }));
  return barTable({ rows, label, heads: [label, what] });
}

export function nearestOf(app, { rows }) {
  const lines = rows.map((row) =>
    make(
      "tr", "", {},
      make("th", "", { scope: "row" }, link(row.unit, () => app.showUnit(row.unit))),
      make("td", "number", {}, scoreText(row.r)),
      make("td", "number score", {}, scoreText(row.held_out_r)),
      make("td", "interval", {}, intervalBar(row, row.held_out_r, "r", [LEAST.r, 1], [])),
    ),
  );
  const heads = [["Unit", ""], ["r", "number"], ["held-out", "number"], ["95 % interval", "interval"]];
  const head = make("tr", "", {}, ...heads.map(([text, className]) => make("th", className, { scope: "col" }, text)));
  return [
    make("p", "muted", {}, "Pearson's correlation at all characters; on held-out ones turned by the sign of training."),
    make("table", "ranking", { "aria-label": "Nearest units" }, make("thead", "", {}, head), make("tbody", "", {}, ...lines)),
  ];
}
