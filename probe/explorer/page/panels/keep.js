// The panel that keeps: names, notes and lists of units, what is shown as a command or as Python, and as a picture.

import { make } from "../view.js";
import { Commands } from "../keeping/commands.js";
import { KeptUnits } from "../keeping/kept_units.js";
import { UnitNotes } from "../keeping/unit_notes.js";

export function panel(app) {
  const keep = new Keep(app);
  app.keys.add("Keep", ["y"], "y", "copy what is shown as a command for the shell", () => keep.commands.copyShown("command"));
  app.keys.add("Keep", ["Y"], "Y", "copy what is shown as Python", () => keep.commands.copyShown("python"));
  return { title: "Keep", element: keep.element, show: () => keep.commands.ask() };
}

class Keep {
  constructor(app) {
    this.commands = new Commands(app);
    this.element = make("div", "panel-keep", {}, new UnitNotes(app).element, new KeptUnits(app).element, this.commands.element);
  }
}
