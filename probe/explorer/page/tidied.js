// What an address may say of this server: values that it has, in place of those that it does not have.

import { SIZES, THEMES } from "./bar/appearance.js";
import { Units } from "./bar/units.js";

const MOST_SHOWN = 2; // recordings, side by side
const FULL = ["", "text", "panel"];

/** Return the values of a state with each that these recordings or panels do not have replaced. */
export function tidied(values, allRecordings, panels) {
  const recordings = [...new Set(values.recordings)].filter((number) => number < allRecordings.length).slice(0, MOST_SHOWN);
  const { sites, header } = allRecordings[recordings[0] ?? 0];
  const units = new Units(sites);
  const isWithin = (position) => position < header.n_chars;
  const oneOf = (choices, value) => (choices.includes(value) ? value : choices[0]);
  return {
    ...values,
    recordings: recordings.length ? recordings : [0],
    unit: units.placeOf(values.unit) ? values.unit : units.first,
    position: isWithin(values.position) ? values.position : Math.max(header.n_chars - 1, 0),
    place: isWithin(values.position) && isWithin(values.place?.position ?? 0) ? values.place : null,
    panel: oneOf(panels, values.panel),
    full: oneOf(FULL, values.full),
    theme: oneOf(THEMES, values.theme),
    size: Math.min(Math.max(values.size, SIZES[0]), SIZES.at(-1)),
  };
}
