// The state of the page, which the address holds after its `#`: whoever opens a link sees the same.
//
// A fragment is `key=value&key=value`, as in `#r=0&u=0/cell/56&h=in_comment&p=12345`. Values that are as at first are
// left out, and keys that nobody has defined (of a panel that is not loaded yet) are kept as they are.

/** Calls functions when something happens, by its name. */
export class Emitter {
  #listeners = new Map();

  /** Call a function at each event of a name, until the signal is aborted. */
  on(name, does, signal) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(does);
    signal?.addEventListener("abort", () => this.#listeners.get(name).delete(does));
  }

  /** Call them all: a fault of one is reported, and stops neither the others nor whoever emits. */
  emit(name, ...values) {
    for (const does of [...(this.#listeners.get(name) ?? [])]) {
      try {
        does(...values);
      } catch (error) {
        reportError(error);
      }
    }
  }
}

// ---- Fragments ---------------------------------------------------------------------------------------------------------

/** Return the keys of a fragment and what they say, as a `Map`; what cannot be read is left out. */
export function readFragment(fragment) {
  const texts = new Map();
  for (const part of fragment.replace(/^#/, "").split("&")) {
    const [key, ...rest] = part.split("=");
    try {
      if (key && rest.length) texts.set(decodeURIComponent(key), decodeURIComponent(rest.join("=")));
    } catch {
      continue; // a % that encodes nothing
    }
  }
  return texts;
}

/** Return a fragment that `readFragment` reads as these keys. */
export function writeFragment(texts) {
  const encoded = (text) => encodeURIComponent(text).replace(/%(2F|2C|3A|40|7E|2B)/gi, (code) => decodeURIComponent(code));
  return `#${[...texts].map(([key, text]) => `${encoded(key)}=${encoded(text)}`).join("&")}`;
}

const escaped = (text) => text.replaceAll("%", "%25").replaceAll(",", "%2C");
const unescaped = (text) => text.replaceAll("%2C", ",").replaceAll("%25", "%");

/** Ways in which values stand in a fragment: `parse` returns `undefined` for what is no such value. */
export const KINDS = {
  text: { parse: (text) => text, print: (value) => value },
  whole: { parse: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined), print: String },
  flag: { parse: (text) => ({ 0: false, 1: true })[text], print: (value) => (value ? "1" : "0") },
  texts: { parse: (text) => (text ? text.split(",").map(unescaped) : []), print: (values) => values.map(escaped).join(",") },
  wholes: {
    parse: (text) => (/^\d{1,15}(,\d{1,15})*$/.test(text) ? text.split(",").map(Number) : undefined),
    print: (values) => values.join(","),
  },
  spans: {
    parse: (text) => (/^\d{1,15}-\d{1,15}(,\d{1,15}-\d{1,15})*$/.test(text) ? text.split(",").map((span) => span.split("-").map(Number)) : text ? undefined : []),
    print: (spans) => spans.map(([start, stop]) => `${start}-${stop}`).join(","),
  },
  place: {
    parse: (text) => {
      const match = /^(\d{1,15}):(-?\d{1,5})$/.exec(text);
      return match ? { position: Number(match[1]), below: Number(match[2]) } : undefined;
    },
    print: (place) => (place ? `${place.position}:${Math.round(place.below)}` : ""),
  },
};

/** What the page itself keeps: the name of each value, its key in the address, its kind and what it is at first. */
const FIELDS = {
  recordings: ["r", "wholes", [0]],
  unit: ["u", "text", ""],
  hypothesis: ["h", "text", ""],
  tracks: ["t", "texts", ["unit", "labels"]],
  position: ["p", "whole", 0],
  place: ["v", "place", null],
  selection: ["s", "spans", []],
  panel: ["panel", "text", "ask"],
  full: ["full", "text", ""],
  theme: ["theme", "text", "auto"],
  size: ["size", "whole", 15],
  wraps: ["wrap", "flag", true],
  guesses: ["guesses", "flag", false],
};

// ---- The state -----------------------------------------------------------------------------------------------------------

const QUIET_MS = 250; // after which the address is written: browsers allow some hundred changes a minute
const STEP_MS = 1000; // changes within this time are one step back in the browser

/**
 * Values by name, as the address has them. Emits the name of each value that changes, with the value and the last one.
 * `tidied(values)` returns them without what an address says that there is not.
 */
export class State {
  #events;
  #fields = new Map();
  #texts; // what the fragment says of keys that are not defined yet
  #values = new Map();
  #timer = 0;
  #lastStep = 0;
  tidied = (values) => values;

  constructor(events) {
    this.#events = events;
    this.#texts = readFragment(location.hash);
    for (const [name, [key, kind, initial]] of Object.entries(FIELDS)) this.define(name, { key, kind, initial });
    addEventListener("popstate", () => this.#readAddress());
    addEventListener("hashchange", () => this.#readAddress());
    addEventListener("pagehide", () => this.write());
  }

  /** Keep a value in the address, under a key, as one of `KINDS`. Panels call this once for each of theirs. */
  define(name, { key, kind, initial }) {
    const field = { key, ...KINDS[kind], initial };
    const text = this.#texts.get(key);
    this.#fields.set(name, field);
    this.#texts.delete(key);
    this.#values.set(name, text === undefined ? initial : field.parse(text) ?? initial);
  }

  get(name) {
    return this.#values.get(name);
  }

  /** Replace what there is not, in all values. */
  tidy() {
    this.set(this.tidied(Object.fromEntries(this.#values)));
  }

  /** Change values. With `isStep`, the browser's button goes back to what was before. */
  set(changes, { isStep = false } = {}) {
    const changed = Object.entries(changes).filter(([name, value]) => {
      const { print } = this.#fields.get(name);
      return print(value) !== print(this.get(name));
    });
    if (!changed.length) return;
    const before = new Map(this.#values);
    if (isStep) this.#step();
    for (const [name, value] of changed) this.#values.set(name, value);
    clearTimeout(this.#timer);
    if (isStep) this.write();
    else this.#timer = setTimeout(() => this.write(), QUIET_MS);
    for (const [name, value] of changed) this.#events.emit(name, value, before.get(name));
    this.#events.emit("state", changed.map(([name]) => name));
  }

  /** The fragment that says all of this. */
  get fragment() {
    const texts = new Map();
    for (const [name, { key, print, initial }] of this.#fields) {
      const text = print(this.get(name));
      if (text !== print(initial)) texts.set(key, text);
    }
    return writeFragment([...texts, ...this.#texts]);
  }

  /** Write the address now, and return it. */
  write() {
    clearTimeout(this.#timer);
    if (this.fragment !== (location.hash || "#")) history.replaceState(null, "", this.fragment);
    return location.href;
  }

  #step() {
    const isSoon = performance.now() - this.#lastStep < STEP_MS;
    this.#lastStep = performance.now();
    this.write();
    if (!isSoon) history.pushState(null, "", this.fragment);
  }

  #readAddress() {
    if (this.fragment === (location.hash || "#")) return;
    clearTimeout(this.#timer);
    const texts = readFragment(location.hash);
    const changes = {};
    for (const [name, { key, parse, initial }] of this.#fields) {
      changes[name] = texts.has(key) ? parse(texts.get(key)) ?? initial : initial;
      texts.delete(key);
    }
    this.#texts = texts;
    this.set(this.tidied(changes));
  }
}
