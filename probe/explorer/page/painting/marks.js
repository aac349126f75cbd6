// Frames around the painted passages, drawn over the text wherever its rows are on the screen.

import { layoutTile, make } from "../view.js";
import { partsWithin } from "./spans.js";

const MOST_LAYOUTS = 8;

/** The frames in one view of the text. */
export class PaintedMarks {
  #layouts = new Map(); // of tiles that have painted passages

  /** Draw the frames in all rows that are at hand; rows that have them already are left alone. */
  draw(view, spans, version) {
    for (const block of view.blocks.values()) {
      const key = `${version} ${block.written} ${view.columns} ${view.cellWidth} ${view.geometry.rowHeight}`;
      if (block.paintedAs === key || !block.written) continue;
      const frames = this.#framesOf(view, block, spans);
      if (!frames) continue; // the text of the tile is on its way
      block.painted ??= make("div", "painted-rows", { "aria-hidden": "true" });
      if (block.painted.parentNode !== block.element) block.element.append(block.painted);
      block.painted.replaceChildren(...frames);
      block.paintedAs = key;
    }
  }

  #framesOf(view, block, spans) {
    const parts = partsWithin(spans, block.start, block.stop);
    if (!parts.length) return [];
    const layout = this.#layoutOf(view, block.tile);
    if (!layout) return null;
    const first = block.tile * view.header.tile_chars;
    return parts.flatMap(([start, stop, span]) => this.#framesOfPart(view, block, layout, [start - first, stop - first], [span[0] - first, span[1] - first]));
  }

  /** The frames of a part of a passage, one for each row; only where the passage begins and ends are they closed. */
  #framesOfPart(view, block, layout, [start, stop], span) {
    const { painter, geometry, gutter, cellWidth } = view;
    const frames = [];
    for (let row = layout.rows[start]; row <= layout.rows[stop - 1]; row++) {
      const [from, to] = [Math.max(start, layout.starts[row]), Math.min(stop, layout.starts[row + 1])];
      const ends = `${from === span[0] ? " begins" : ""}${to === span[1] ? " ends" : ""}`;
      const frame = make("div", `painted${ends}`);
      const left = layout.left[from];
      const right = layout.left[to - 1] + layout.width[to - 1];
      Object.assign(frame.style, {
        top: `${geometry.titleHeight + (row - block.firstRow) * geometry.rowHeight}px`,
        left: `${gutter + left * cellWidth}px`,
        width: `${Math.max((right - left) * cellWidth, 3)}px`,
        height: `${painter.cellHeight / painter.ratio}px`,
      });
      frames.push(frame);
    }
    return frames;
  }

  #layoutOf(view, tile) {
    const key = `${tile} ${view.columns}`;
    if (!this.#layouts.has(key)) {
      const [text, cells] = ["text", "cells"].map((kind) => view.provider.tile(kind, 0, tile));
      if (!text || !cells) return null;
      this.#layouts.set(key, layoutTile(text, cells, view.columns));
      if (this.#layouts.size > MOST_LAYOUTS) this.#layouts.delete(this.#layouts.keys().next().value);
    }
    return this.#layouts.get(key);
  }
}
