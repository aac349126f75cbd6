// Charts as SVG, made element by element: a frame with two axes, into which lines, bands and steps are drawn.

const NAMESPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [360, 150];
const MARGINS = { left: 44, right: 8, top: 8, bottom: 32 };
const MOST_TICKS = 6;

/** Make an element of SVG; children that are strings become text. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** Round numbers from low to high, at most six, at equal distances; and the distance. */
export function ticksOf(low, high) {
  const rough = (high - low) / MOST_TICKS || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((one) => one >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const ticks = [];
  for (let n = first; n * step <= high + 1e-9 * step; n++) ticks.push(n * step);
  return { ticks, step };
}

/** A number with as many digits as tell it from the next tick. */
export function tickText(value, step) {
  const text = value.toFixed(Math.min(Math.max(-Math.floor(Math.log10(step) + 1e-9), 0), 12));
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** A range that has all of some numbers, and a little more; from −1 to 1 if there are none. */
export function rangeOf(numbers, { withZero = false } = {}) {
  const present = numbers.filter((number) => number !== null && number !== undefined && Number.isFinite(number));
  if (withZero) present.push(0);
  if (!present.length) return [-1, 1];
  const [low, high] = [Math.min(...present), Math.max(...present)];
  const room = (high - low) * 0.04 || Math.abs(high) * 0.1 || 1;
  return [withZero && low === 0 ? 0 : low - room, high + room];
}

/** The frame of a chart: `x` and `y` say where numbers stand; what is added is drawn within it. */
export class Frame {
  constructor({ x, y, xTitle = "", yTitle = "", label }) {
    this.ranges = { x, y };
    this.inner = draw("g");
    this.element = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": label });
    this.element.append(...this.#axis(x, y), this.inner, ...this.#titles(xTitle, yTitle));
  }

  x(value) {
    const [low, high] = this.ranges.x;
    return round(MARGINS.left + ((value - low) / (high - low)) * (WIDTH - MARGINS.left - MARGINS.right));
  }

  y(value) {
    const [low, high] = this.ranges.y;
    return round(HEIGHT - MARGINS.bottom - ((value - low) / (high - low)) * (HEIGHT - MARGINS.top - MARGINS.bottom));
  }

  add(...elements) {
    this.inner.append(...elements);
    return this;
  }

  /** A line across the frame at a number of the first axis. */
  addMark(value, name) {
    const [low, high] = this.ranges.x;
    if (value === null || value < low || value > high) return this;
    const line = draw("line", { x1: this.x(value), x2: this.x(value), y1: MARGINS.top, y2: HEIGHT - MARGINS.bottom, class: "chart-mark" });
    line.append(draw("title", {}, name));
    return this.add(line);
  }

  #axis(x, y) {
    const [columns, rows] = [ticksOf(...x), ticksOf(...y)];
    const bottom = HEIGHT - MARGINS.bottom;
    const lines = rows.ticks.map((tick) => draw("line", { x1: MARGINS.left, x2: WIDTH - MARGINS.right, y1: this.y(tick), y2: this.y(tick), class: "chart-grid" }));
    const below = columns.ticks.map((tick) => draw("text", { x: this.x(tick), y: bottom + 13, class: "chart-tick", "text-anchor": "middle" }, tickText(tick, columns.step)));
    const beside = rows.ticks.map((tick) => draw("text", { x: MARGINS.left - 5, y: this.y(tick) + 3.5, class: "chart-tick", "text-anchor": "end" }, tickText(tick, rows.step)));
    return [...lines, draw("line", { x1: MARGINS.left, x2: WIDTH - MARGINS.right, y1: bottom, y2: bottom, class: "chart-axis" }), ...below, ...beside];
  }

  #titles(xTitle, yTitle) {
    const middle = (MARGINS.left + WIDTH - MARGINS.right) / 2;
    const titles = [draw("text", { x: middle, y: HEIGHT - 4, class: "chart-title", "text-anchor": "middle" }, xTitle)];
    const height = (MARGINS.top + HEIGHT - MARGINS.bottom) / 2;
    if (yTitle) titles.push(draw("text", { x: 9, y: height, class: "chart-title", "text-anchor": "middle", transform: `rotate(-90 9 ${height})` }, yTitle));
    return titles;
  }
}

function round(length) {
  return Math.round(length * 100) / 100;
}
