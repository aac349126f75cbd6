// Which unit is shown: the choice of the site, the box with the unit's name, and the steps to its neighbours.

import { grouped, make } from "../view.js";
import { CompletingBox } from "./completion.js";

const MOST_OPTIONS = 60;

/** The sites of a recording, and the units in them. */
export class Units {
  constructor(sites) {
    this.sites = sites;
  }

  /** Return the site and the number of a unit by its name; `null` if there is none. */
  placeOf(name) {
    const match = /^(.+)\/(\d+)$/.exec(name);
    const site = match && this.sites.findIndex((one) => one.name === match[1]);
    return match && site >= 0 && Number(match[2]) < this.sites[site].n_units ? { site, number: Number(match[2]) } : null;
  }

  nameOf({ site, number }) {
    return `${this.sites[site].name}/${number}`;
  }

  /** The unit that is shown when none is chosen: the first cell, or the first unit. */
  get first() {
    const site = this.sites.findIndex(({ signal }) => signal === "cell");
    return this.nameOf({ site: Math.max(site, 0), number: 0 });
  }

  /** The next (1) or the last (-1) unit, in the order of the sites; `null` at the ends. */
  beside(name, step) {
    const { site, number } = this.placeOf(name);
    if (number + step >= 0 && number + step < this.sites[site].n_units) return this.nameOf({ site, number: number + step });
    const next = this.sites[site + step];
    return next ? this.nameOf({ site: site + step, number: step > 0 ? 0 : next.n_units - 1 }) : null;
  }

  /** The unit of the same number in the next (1) or the last (-1) site, or the last unit there; `null` at the ends. */
  inSiteBeside(name, step) {
    const { site, number } = this.placeOf(name);
    return this.sites[site + step] ? this.inSite(number, site + step) : null;
  }

  inSite(number, site) {
    return this.nameOf({ site, number: Math.min(number, this.sites[site].n_units - 1) });
  }

  /** The names that may be meant by a text, those of a site first. */
  matching(text, site) {
    const typed = text.trim();
    if (/^\d+$/.test(typed)) return this.#numbered(typed, site);
    const beginning = [];
    const within = [];
    for (const [place, { name, n_units: nUnits }] of this.sites.entries()) {
      for (let number = 0; number < nUnits && beginning.length < MOST_OPTIONS; number++) {
        const unit = `${name}/${number}`;
        if (unit.startsWith(typed)) beginning.push(this.nameOf({ site: place, number }));
        else if (within.length < MOST_OPTIONS && unit.includes(typed)) within.push(unit);
      }
    }
    return [...beginning, ...within].slice(0, MOST_OPTIONS);
  }

  #numbered(digits, site) {
    const order = [site, ...this.sites.keys()].filter((one, place, all) => all.indexOf(one) === place);
    const names = order.flatMap((place) => {
      const numbers = Array.from({ length: this.sites[place].n_units }, (_, number) => number);
      return numbers.filter((number) => String(number).startsWith(digits)).map((number) => this.nameOf({ site: place, number }));
    });
    return names.slice(0, MOST_OPTIONS);
  }
}

/** The part of the bar that chooses the unit; it makes the keys of the steps. */
export class UnitChoice {
  constructor(app) {
    this.app = app;
    this.sites = make("select", "", { "aria-label": "Site", title: "Site ({ })" });
    this.sites.addEventListener("change", () => this.#show(app.units.inSite(this.#place.number, this.sites.selectedIndex)));
    const optionsOf = (text) => this.#optionsOf(text === app.unit ? "" : text);
    this.box = new CompletingBox({ label: "Unit", key: "u", className: "unit-box", optionsOf, onChoose: (value) => this.#choose(value) });
    const step = (name, label, does) => {
      const button = make("button", "step", { type: "button", title: label, "aria-label": label }, name);
      button.addEventListener("click", does);
      return button;
    };
    const before = step("‹", "Unit before ([)", () => this.#step(-1));
    const after = step("›", "Next unit (])", () => this.#step(1));
    this.element = make("div", "unit-choice", { role: "group", "aria-label": "Unit to show" }, this.sites, this.box.element, before, after);
    app.keys.add("Units", ["["], "[", "unit before", () => this.#step(-1));
    app.keys.add("Units", ["]"], "]", "next unit", () => this.#step(1));
    app.keys.add("Units", ["{"], "{", "same unit in the site before", () => this.#stepSite(-1));
    app.keys.add("Units", ["}"], "}", "same unit in the next site", () => this.#stepSite(1));
    app.keys.add("Units", ["u"], "u", "choose a unit by its name", () => this.box.input.focus());
    app.keys.add("Units", ["k"], "k", "keep this unit beside the next ones, or no longer", () => app.toggleTrack(app.unit));
    for (const name of ["unit", "recordings"]) app.on(name, () => this.show());
    this.show();
  }

  get #place() {
    return this.app.units.placeOf(this.app.unit);
  }

  /** Let the controls say which unit is shown. */
  show() {
    const { sites } = this.app.units;
    const rows = sites.map(({ name, n_units: nUnits }) => make("option", "", { value: name }, `${name} · ${grouped(nUnits)}`));
    if (this.sites.dataset.names !== String(sites.map(({ name }) => name))) this.sites.replaceChildren(...rows);
    this.sites.dataset.names = String(sites.map(({ name }) => name));
    this.sites.selectedIndex = this.#place.site;
    this.box.input.value = this.app.unit;
  }

  #optionsOf(text) {
    const { notes, units } = this.app;
    const names = new Set([...notes.matching(text), ...units.matching(text, this.#place.site)]);
    return [...names].map((name) => ({ value: name, label: name, detail: notes.nameOf(name) }));
  }

  #choose(value) {
    const { app } = this;
    const typed = value.trim();
    const name = /^\d+$/.test(typed) ? `${app.units.sites[this.#place.site].name}/${typed}` : app.notes.unitNamed(typed) ?? typed;
    if (app.units.placeOf(name)) return this.#show(name);
    app.say(`there is no unit ${name}; units are named like ${app.units.first}`, { isError: true });
    return this.box.input.select();
  }

  #show(name) {
    this.app.showUnit(name);
    this.show();
    this.app.panes.view.scroller.focus({ preventScroll: true });
  }

  #step(step) {
    const name = this.app.units.beside(this.app.unit, step);
    if (name) this.app.showUnit(name);
    else this.app.say(step > 0 ? "this is the last unit" : "this is the first unit");
  }

  #stepSite(step) {
    const name = this.app.units.inSiteBeside(this.app.unit, step);
    if (name) this.app.showUnit(name);
    else this.app.say(step > 0 ? "this is the last site" : "this is the first site");
  }
}
