// How the page looks: its theme, the size of its type, and what has the full screen.

import { make, Palette } from "../view.js";

export const THEMES = ["auto", "light", "dark"];
export const SIZES = [10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32];
const SHARES = { "--muted": 0.68, "--line": 0.16, "--soft": 0.05, "--hatch": 0.25 }; // of ink, as in the view of a text

/** The buttons and keys for all of this; `buttons` is their element. */
export class Appearance {
  constructor(app) {
    this.app = app;
    this.themeButton = button("", "Theme", "t", () => this.#nextTheme());
    const full = button("Full", "Full screen of what has the focus", "f", () => this.#toggleFull());
    const sizes = [button("A−", "Smaller type", "-", () => this.#resize(-1)), button("A+", "Larger type", "+", () => this.#resize(1))];
    const parts = [full, ...sizes, this.themeButton, button("?", "Help", "?", () => app.keys.help())];
    this.buttons = make("div", "page-buttons", { role: "group", "aria-label": "Page" }, ...parts);
    app.keys.add("Page", ["f"], "f", "full screen of the text or of the panel, whichever has the focus", () => this.#toggleFull());
    app.keys.add("Page", ["t"], "t", "theme: as the system has it, light, dark", () => this.#nextTheme());
    app.keys.add("Page", ["+", "="], "+", "larger type", () => this.#resize(1));
    app.keys.add("Page", ["-"], "−", "smaller type", () => this.#resize(-1));
    app.on("theme", () => this.#showTheme());
    app.on("size", () => this.#showSize());
    app.on("full", () => this.#showFull());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#showTheme());
    this.#showTheme();
    this.#showSize();
    this.#showFull();
  }

  /** The theme that is seen: light or dark. */
  get themeShown() {
    const theme = this.app.state.get("theme");
    return theme === "auto" ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : theme;
  }

  #nextTheme() {
    const next = (THEMES.indexOf(this.app.state.get("theme")) + 1) % THEMES.length;
    this.app.state.set({ theme: THEMES[next] });
  }

  #showTheme() {
    const theme = this.app.state.get("theme");
    const palette = new Palette(this.app.facts.recordings[0].header.colours[this.themeShown]);
    const { style, dataset } = document.documentElement;
    dataset.theme = this.themeShown;
    style.colorScheme = this.themeShown;
    style.setProperty("--paper", palette.paper);
    style.setProperty("--ink", palette.ink);
    for (const [name, share] of Object.entries(SHARES)) style.setProperty(name, palette.mix(share));
    this.themeButton.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme];
    this.themeButton.setAttribute("aria-label", `Theme: ${theme}`);
    this.app.emit("theme-shown");
  }

  #resize(steps) {
    const distance = (size) => Math.abs(size - this.app.state.get("size"));
    const nearest = SIZES.reduce((best, size) => (distance(size) < distance(best) ? size : best));
    const place = Math.min(Math.max(SIZES.indexOf(nearest) + steps, 0), SIZES.length - 1);
    this.app.state.set({ size: SIZES[place] });
  }

  #showSize() {
    document.documentElement.style.fontSize = `${this.app.state.get("size")}px`;
  }

  #toggleFull() {
    const isInPanel = document.getElementById("side").contains(document.activeElement);
    this.app.state.set({ full: this.app.state.get("full") ? "" : isInPanel ? "panel" : "text" });
  }

  #showFull() {
    const full = this.app.state.get("full");
    document.body.classList.toggle("full-text", full === "text");
    document.body.classList.toggle("full-panel", full === "panel");
  }
}

function button(name, label, key, does) {
  const made = make("button", "quiet", { type: "button", title: `${label} (${key})`, "aria-label": label, "aria-keyshortcuts": key }, name);
  made.addEventListener("click", does);
  return made;
}
