// The charts of the panels: histograms, curves with their intervals, and bars beside names.

import { make, numberText, visible } from "../view.js";
import { draw, Frame, rangeOf } from "./frame.js";

const MOST_NAMED = 4; // curves that have a colour of their own

/** What colours stand for, below a chart of several groups. */
export function legendOf(names) {
  const items = names.map((name, i) => make("span", "legend-item", {}, make("span", `legend-sample series-${i % MOST_NAMED}`), visible(name)));
  return make("div", "legend", {}, ...items);
}

/** Shares of characters in bins of equal width, for one group or several: [{ name, values }]. */
export function histogramChart({ edges, groups, xTitle, label, marks = [] }) {
  const most = Math.max(...groups.flatMap(({ values }) => values), 0);
  const frame = new Frame({ x: [edges[0], edges.at(-1)], y: [0, most || 1], xTitle, yTitle: "share", label });
  groups.forEach(({ values }, i) => {
    const steps = values.map((value, bin) => `H${frame.x(edges[bin])}V${frame.y(value)}H${frame.x(edges[bin + 1])}`).join("");
    const [left, bottom] = [frame.x(edges[0]), frame.y(0)];
    frame.add(draw("path", { d: `M${left} ${bottom}${steps}V${bottom}H${left}Z`, class: `chart-steps series-${i % MOST_NAMED}` }));
  });
  for (const { value, name } of marks) frame.addMark(value, name);
  return frame.element;
}

/** Curves with their intervals: series of [{ name, points: [{ x, y, low, high }] }]; points without a `y` are gaps. */
export function curvesChart({ series, xTitle, yTitle = "", label, marks = [], withZero = false }) {
  const points = series.flatMap((one) => one.points);
  const x = points.map((point) => point.x);
  const y = rangeOf(points.flatMap((point) => [point.y, point.low, point.high]), { withZero });
  const frame = new Frame({ x: [Math.min(...x), Math.max(...x, Math.min(...x) + 1e-9)], y, xTitle, yTitle, label });
  for (const { value, name } of marks) frame.addMark(value, name);
  series.forEach((one, i) => frame.add(...curve(frame, one, i % MOST_NAMED)));
  return frame.element;
}

function curve(frame, { name, points }, number) {
  const lines = runsOf(points, (point) => isNumber(point.y)).map((run) => {
    const path = run.map((point) => `${frame.x(point.x)} ${frame.y(point.y)}`).join("L");
    return draw("path", { d: `M${path}${run.length === 1 ? "h0.01" : ""}`, class: `chart-curve series-${number}` }, draw("title", {}, name));
  });
  const bands = runsOf(points, (point) => isNumber(point.low) && isNumber(point.high)).map((run) => {
    const top = run.map((point) => `${frame.x(point.x)} ${frame.y(point.high)}`);
    const bottom = run.map((point) => `${frame.x(point.x)} ${frame.y(point.low)}`).reverse();
    return draw("path", { d: `M${[...top, ...bottom].join("L")}Z`, class: `chart-band series-${number}` });
  });
  return [...bands, ...lines];
}

function runsOf(points, isPresent) {
  const runs = [[]];
  for (const point of points) {
    if (isPresent(point)) runs.at(-1).push(point);
    else if (runs.at(-1).length) runs.push([]);
  }
  return runs.filter((run) => run.length);
}

function isNumber(value) {
  return value !== null && value !== undefined && Number.isFinite(value);
}

/** Names with a bar for each number, from zero to the left or to the right: rows of [{ name, value, title, onClick }]. */
export function barTable({ rows, label, heads, step = 0.001 }) {
  const most = Math.max(...rows.map(({ value }) => Math.abs(value ?? 0)), 1e-12);
  const signs = new Set(rows.map(({ value }) => Math.sign(value ?? 0)));
  const hasBoth = signs.has(1) && signs.has(-1);
  const lines = rows.map(({ name, value, title = "", onClick }) => {
    const bar = make("span", `value-bar${hasBoth ? " both" : ""}${value < 0 ? " below" : ""}`, { "aria-hidden": "true" }, make("span", "value-fill"));
    bar.firstChild.style.width = `${((hasBoth ? 50 : 100) * Math.abs(value ?? 0)) / most}%`;
    return make("tr", "", { title }, make("th", "", { scope: "row" }, onClick ? link(name, onClick) : make("span", "name", {}, visible(name === " " ? "␣" : name))), make("td", "number", {}, value === null ? "–" : numberText(value, step)), make("td", "bar-cell", {}, bar));
  });
  const head = make("tr", "", {}, ...[...heads, ""].map((text, i) => make(text ? "th" : "td", i === 1 ? "number" : "", text ? { scope: "col" } : {}, text)));
  return make("table", "bars", { "aria-label": label }, make("thead", "", {}, head), make("tbody", "", {}, ...lines));
}

export function link(name, onClick) {
  const button = make("button", "link", { type: "button", title: `Show ${name}` }, visible(name));
  button.addEventListener("click", onClick);
  return button;
}
