// All units that have a name, and all lists of units.

import { make } from "../view.js";
import { link } from "../charts/charts.js";
import { redraw } from "../charts/redraw.js";

/** All units with names, and all lists. */
export class KeptUnits {
  constructor(app) {
    this.app = app;
    this.place = make("div", "kept-units");
    this.element = make("section", "", { "aria-label": "All that is kept" }, this.place);
    for (const event of ["notes", "unit"]) app.on(event, () => this.show());
    this.show();
  }

  show() {
    const { lists, units } = this.app.notes.facts;
    const named = Object.keys(units);
    const groups = [["Named units", named], ...Object.entries(lists)].filter(([, members]) => members.length);
    const listOf = (members) => make("ul", "units", {}, ...members.map((unit) => this.#rowOf(unit)));
    redraw(this.place, groups.flatMap(([name, members]) => [make("h3", "", {}, name), listOf(members)]));
  }

  #rowOf(unit) {
    const { app } = this;
    const show = link(unit, () => app.showUnit(unit));
    show.disabled = !app.units.placeOf(unit);
    const [line] = app.notes.of(unit).note.split("\n");
    const row = make("li", unit === app.unit ? "current" : "", {}, show);
    if (line) row.append(make("span", "muted line", {}, line));
    return row;
  }
}
