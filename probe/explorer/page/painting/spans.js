// Passages of a text as spans: [start, stop] pairs in order, none of which touches another.

/** The spans and one more: those that it touches are joined with it. */
export function withSpan(spans, [start, stop]) {
  const apart = spans.filter(([first, last]) => last < start || first > stop);
  const touched = spans.filter(([first, last]) => last >= start && first <= stop);
  const joined = [Math.min(start, ...touched.map(([first]) => first)), Math.max(stop, ...touched.map(([, last]) => last))];
  return inOrder([...apart, joined]);
}

/** The spans without the characters of one. */
export function withoutSpan(spans, [start, stop]) {
  const left = spans.flatMap(([first, last]) => [[first, Math.min(last, start)], [Math.max(first, stop), last]]);
  return inOrder(left.filter(([first, last]) => first < last));
}

/** Whether all characters of a span are in the spans. */
export function covers(spans, [start, stop]) {
  return spans.some(([first, last]) => first <= start && stop <= last);
}

/** The span that has a character, or `null`. */
export function spanAt(spans, position) {
  const span = spans[firstAfter(spans, position)];
  return span && span[0] <= position ? span : null;
}

/** The parts of spans that are between two positions. */
export function partsWithin(spans, start, stop) {
  const parts = [];
  for (let n = firstAfter(spans, start); n < spans.length && spans[n][0] < stop; n++) {
    parts.push([Math.max(spans[n][0], start), Math.min(spans[n][1], stop), spans[n]]);
  }
  return parts;
}

/** Spans as an address may have them, in order and joined; those that are beyond the end of the text are left out. */
export function tidied(spans, nChars) {
  const kept = [];
  for (const [start, stop] of inOrder(spans.filter(([first, last]) => first < last && last <= nChars))) {
    if (kept.length && start <= kept.at(-1)[1]) kept.at(-1)[1] = Math.max(kept.at(-1)[1], stop);
    else kept.push([start, stop]);
  }
  return kept;
}

/** The number of the first span that ends after a position. */
function firstAfter(spans, position) {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle][1] > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

function inOrder(spans) {
  return spans.sort((a, b) => a[0] - b[0]);
}
