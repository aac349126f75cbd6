// Scores as text and as bars: the AUC of True and False, the r of numbers, their intervals, chance and controls.

import { make, numberText } from "../view.js";

const CHANCE = { auc: 0.5, r: 0 };
const SCORE_STEP = 0.001;

/** Where the bars of each measure begin, if all scores are above. */
export const LEAST = { auc: 0.4, r: -0.2 };

/** How well a unit does: the held-out score, or that of a quick look. */
export function scoreOf(row, measure) {
  return row.held_out ?? row[`held_out_${measure}`] ?? row.overall ?? row[`overall_${measure}`] ?? null;
}

/** A number with so many digits, or a dash if there is none. */
export function shown(value, digits = 3) {
  return value === null || value === undefined ? "–" : numberText(value, 10 ** -digits);
}

/** A score with three digits; one that is not quite 1 is not written as 1. */
export function scoreText(value) {
  if (value < 1 && value >= 1 - SCORE_STEP / 2) return `> ${numberText(1 - SCORE_STEP, SCORE_STEP)}`;
  return shown(value);
}

/** A share as a percentage; a part that is not nothing, or not quite all, is not written as 0 % or 100 %. */
export function percentText(share, digits = 1) {
  if (share === null || share === undefined) return "–";
  const step = 10 ** -digits;
  const percent = 100 * share;
  if (percent > 0 && percent < step / 2) return `< ${numberText(step, step)}\u00a0%`;
  if (percent < 100 && percent >= 100 - step / 2) return `> ${numberText(100 - step, step)}\u00a0%`;
  return `${numberText(percent, step)}\u00a0%`;
}

/** The name of a measure. */
export function measureName(measure) {
  return measure === "r" ? "r" : "AUC";
}

/** The interval of a score as a bar, with a dot for the score and lines for chance and the controls; and its ends as text. */
export function intervalBar({ low, high }, score, measure, [least, most], controls) {
  const place = (value) => `${(100 * (Math.min(Math.max(value, least), most) - least)) / (most - least)}%`;
  const at = (className, value, title = "") => {
    const mark = make("span", className, { title });
    mark.style.left = place(value);
    return mark;
  };
  const hasInterval = low !== null && low !== undefined;
  const text = hasInterval ? `${scoreText(low)} to ${scoreText(high)}` : "no interval";
  const bar = make("span", "interval-bar", { role: "img", "aria-label": text, title: text }, at("chance", CHANCE[measure]));
  for (const { name, held_out: value } of controls) if (value !== null && value !== undefined) bar.append(at("control-mark", value, `${name} ${scoreText(value)}`));
  if (hasInterval) {
    const span = at("span", low);
    span.style.width = `calc(${place(high)} - ${place(low)})`;
    bar.append(span);
  }
  if (score !== null) bar.append(at("dot", score));
  return bar;
}
