// Draws a text whose characters are coloured by tracks of values: in a page, in a notebook, from a server.
//
// The data come as tiles of a container (probe/viewer/page/tiles.py says what is in one) from a *tile provider*:
//
//   { header,                        what the container says of itself
//     tile(kind, track, index),      a typed array if it is at hand, else undefined; never waits
//     request(kind, track, index) }  a promise of the same
//
// `PageTiles` has them all, `CachedTiles` asks for them. `new TextView(element, provider, options)` draws them, and the
// default export is the widget of anywidget: its trait `container` has the bytes of a container, and `options`, if there
// is one, what `TextView` takes.
//
// Positions are code points of the passage, from 0. Where nothing else is said, lengths on canvases are device pixels.

const FORMAT = "char-probe text view";
const VERSION = 1;
export const MISSING = 255; // the level of a character without a value
const WIDTH = 3; // bits of a cell: columns of the cluster that begins here, 0 if it began before
const NEWLINE = 10;
const N_GUESSES = 5;
const MOST_TRACKS = 4; // of a panel
const ARRAYS = { text: Uint32Array, cells: Uint8Array, tracks: Uint8Array, guess_ids: Uint16Array, guess_levels: Uint8Array };
const NAMES = { 0x9: "tab", 0xa: "newline", 0xd: "carriage return", 0x1b: "escape", 0x20: "space", 0xa0: "no-break space", 0x200d: "joiner", 0xfeff: "byte order mark" };
const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif';
const MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace';

// ---- Data

/** Read a container: an ArrayBuffer, or a view of one. Returns its header and the bytes of its parts. */
export function decodeContainer(data) {
  const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const length = bytes.length > 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) : 0;
  let header;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  } catch {
    header = {};
  }
  if (header.format !== FORMAT) throw new Error("these bytes are no text view; make them again with `probe view`");
  if (header.version !== VERSION) throw new Error(`this text view has version ${header.version}, and version ${VERSION} is read here; make it again with this version of char-probe`);
  const start = Math.ceil((4 + length) / 8) * 8;
  const parts = bytes.subarray(start);
  return { header, parts: parts.byteOffset % 8 ? parts.slice() : parts }; // typed arrays need an aligned place
}

/** The tile provider of a page and a widget: all tiles are at hand. */
export class PageTiles {
  #parts;

  constructor(data) {
    const { header, parts } = decodeContainer(data);
    this.header = header;
    this.#parts = parts;
  }

  /** Read a container that was compressed by gzip and written in base64. */
  static async fromBase64(text) {
    const packed = atob(text.trim());
    const bytes = new Uint8Array(packed.length);
    for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new PageTiles(await new Response(stream).arrayBuffer());
  }

  tile(kind, track, index) {
    const places = kind === "tracks" ? this.header.parts.tracks[track] : this.header.parts[kind];
    if (!places?.[index]) return undefined;
    const [offset, length] = places[index];
    return new ARRAYS[kind](this.#parts.buffer, this.#parts.byteOffset + offset, length / ARRAYS[kind].BYTES_PER_ELEMENT);
  }

  async request(kind, track, index) {
    return this.tile(kind, track, index);
  }
}

/** A tile provider that loads tiles when they are asked for, and keeps those that were used last. */
export class CachedTiles {
  #load;
  #mostBytes;
  #tiles = new Map(); // in the order of their last use
  #pending = new Map();

  /** `load(kind, track, index)` returns a promise of a typed array. At most `mostBytes` are kept. */
  constructor(header, load, { mostBytes = 64 << 20 } = {}) {
    this.header = header;
    this.nBytes = 0;
    this.#load = load;
    this.#mostBytes = mostBytes;
  }

  tile(kind, track, index) {
    const key = `${kind} ${track} ${index}`;
    const values = this.#tiles.get(key);
    if (values) {
      this.#tiles.delete(key);
      this.#tiles.set(key, values);
    }
    return values;
  }

  request(kind, track, index) {
    const key = `${kind} ${track} ${index}`;
    const atHand = this.tile(kind, track, index);
    if (atHand) return Promise.resolve(atHand);
    if (!this.#pending.has(key)) {
      const loaded = this.#load(kind, track, index).then((values) => this.#keep(key, values));
      this.#pending.set(key, loaded.finally(() => this.#pending.delete(key)));
    }
    return this.#pending.get(key);
  }

  #keep(key, values) {
    this.#tiles.set(key, values);
    this.nBytes += values.byteLength;
    for (const [oldest, dropped] of this.#tiles) {
      if (this.nBytes <= this.#mostBytes || oldest === key) break;
      this.#tiles.delete(oldest);
      this.nBytes -= dropped.byteLength;
    }
    return values;
  }
}

// ---- Where characters stand

/**
 * Put the characters of a tile into rows, as `cells.lay_out` does in Python; `columns` null never wraps.
 *
 * Returns the row of each character, the column at which it begins and its width in columns (fractions where several
 * characters share a cell), the first character of each row (and the end of the last), and the columns of the widest row.
 */
export function layoutTile(text, cells, columns) {
  const n = text.length;
  const rows = new Int32Array(n);
  const left = new Float64Array(n);
  const width = new Float64Array(n);
  const starts = n ? [0] : [];
  let row = 0;
  let column = 0;
  let widest = 0;
  let position = 0;
  while (position < n) {
    const stop = clusterStop(cells, position);
    const nColumns = Math.max(cells[position] & WIDTH, 1);
    if (columns !== null && column && column + nColumns > columns) {
      row++;
      column = 0;
      starts.push(position);
    }
    const share = nColumns / (stop - position);
    for (let i = position; i < stop; i++) {
      rows[i] = row;
      left[i] = column + share * (i - position);
      width[i] = share;
    }
    column += nColumns;
    if (column > widest) widest = column;
    if (text[position] === NEWLINE && stop < n) {
      row++;
      column = 0;
      starts.push(stop);
    }
    position = stop;
  }
  return { rows, left, width, starts: Int32Array.from([...starts, n]), nRows: starts.length, widest };
}

function clusterStop(cells, position) {
  let stop = position + 1;
  while (stop < cells.length && !(cells[stop] & WIDTH)) stop++;
  return stop;
}

/** Return the character of a row at a column; `null` beside the row, or its nearest character. */
export function characterAt(layout, row, column, nearest = false) {
  let low = layout.starts[row];
  let high = layout.starts[row + 1] - 1;
  const isBeside = column < 0 || column >= layout.left[high] + layout.width[high];
  if (isBeside && !nearest) return null;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (layout.left[middle] <= column) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Where the rows of all tiles and panels stand, from top to bottom, in CSS pixels.
 *
 * Rows come in *systems*, as in a score: some rows of the passage in the first panel, the same rows in the second, and
 * so on, then the next rows. Rows of a panel in a system are a *block*. The rows of tiles that have not been laid out are
 * estimated from those that have.
 */
export class Geometry {
  #rows;
  #tops;

  constructor(nChars, tileChars) {
    this.nChars = nChars;
    this.tileChars = tileChars;
    this.nTiles = Math.ceil(nChars / tileChars);
    this.setShape({ nPanels: 1, rowHeight: 20, titleHeight: 0, nRows: 8, gap: 0, margin: 0 });
    this.forgetRows();
  }

  /** Set the height of a row, and of a panel's title, the rows of a system, and the space after it and at both ends. */
  setShape(shape) {
    Object.assign(this, shape);
    this.#tops = null;
  }

  forgetRows() {
    this.#rows = new Int32Array(this.nTiles).fill(-1);
    this.#tops = null;
  }

  setRows(tile, nRows) {
    this.#rows[tile] = nRows;
    this.#tops = null;
  }

  isKnown(tile) {
    return this.#rows[tile] >= 0;
  }

  charsOf(tile) {
    return Math.min(this.tileChars, this.nChars - tile * this.tileChars);
  }

  rowsOf(tile) {
    this.#topsOfTiles();
    return this.isKnown(tile) ? this.#rows[tile] : Math.max(1, Math.round(this.charsOf(tile) * this.rowsPerChar));
  }

  top(tile) {
    return this.#topsOfTiles()[tile];
  }

  get height() {
    return this.#topsOfTiles()[this.nTiles] + this.margin;
  }

  get #systemHeight() {
    return this.nPanels * (this.titleHeight + this.nRows * this.rowHeight) + this.gap;
  }

  #topsOfTiles() {
    if (this.#tops) return this.#tops;
    let rows = 0;
    let chars = 0;
    for (let tile = 0; tile < this.nTiles; tile++) {
      if (!this.isKnown(tile)) continue;
      rows += this.#rows[tile];
      chars += this.charsOf(tile);
    }
    this.rowsPerChar = chars ? rows / chars : 1 / 40;
    this.#tops = new Float64Array(this.nTiles + 1);
    this.#tops[0] = this.margin;
    for (let tile = 0; tile < this.nTiles; tile++) this.#tops[tile + 1] = this.#tops[tile] + this.#heightOfRows(this.rowsOf(tile));
    return this.#tops;
  }

  #heightOfRows(nRows) {
    const nSystems = Math.ceil(nRows / this.nRows);
    return this.nPanels * (nRows * this.rowHeight + nSystems * this.titleHeight) + nSystems * this.gap;
  }

  #rowsOfSystem(tile, system) {
    return Math.min(this.nRows, this.rowsOf(tile) - system * this.nRows);
  }

  /** The top of a row in a panel. */
  rowTop(tile, row, panel) {
    const system = Math.floor(row / this.nRows);
    const panelHeight = this.titleHeight + this.#rowsOfSystem(tile, system) * this.rowHeight;
    return this.top(tile) + system * this.#systemHeight + panel * panelHeight + this.titleHeight + (row % this.nRows) * this.rowHeight;
  }

  /** The tile, panel and row at a height, how far below the row's top it is, and whether it is in a title. */
  placeAt(y) {
    const tops = this.#topsOfTiles();
    let low = 0;
    let high = Math.max(this.nTiles - 1, 0);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    const inTile = Math.max(y - tops[low], 0);
    const nSystems = Math.ceil(this.rowsOf(low) / this.nRows);
    const system = Math.min(Math.floor(inTile / this.#systemHeight), nSystems - 1);
    const nRows = this.#rowsOfSystem(low, system);
    const panelHeight = this.titleHeight + nRows * this.rowHeight;
    const inSystem = inTile - system * this.#systemHeight;
    const panel = Math.min(Math.floor(inSystem / panelHeight), this.nPanels - 1);
    const inRows = inSystem - panel * panelHeight - this.titleHeight;
    const row = system * this.nRows + Math.min(Math.max(Math.floor(inRows / this.rowHeight), 0), nRows - 1);
    return { tile: low, panel, row, below: y - this.rowTop(low, row, panel), inTitle: inRows < 0 };
  }

  /** The blocks that are seen between two heights, and the tiles there that are not laid out yet. */
  between(top, bottom) {
    const blocks = [];
    const unknown = [];
    for (let tile = this.nTiles ? this.placeAt(top).tile : 0; tile < this.nTiles && this.top(tile) < bottom; tile++) {
      if (!this.isKnown(tile)) {
        unknown.push(tile);
        continue;
      }
      const first = Math.max(Math.floor((top - this.top(tile)) / this.#systemHeight), 0);
      for (let system = first; system * this.nRows < this.rowsOf(tile); system++) {
        if (this.top(tile) + system * this.#systemHeight >= bottom) break;
        for (let panel = 0; panel < this.nPanels; panel++) {
          const block = this.#block(tile, system, panel);
          if (block.top < bottom && block.top + block.height > top) blocks.push(block);
        }
      }
    }
    return { blocks, unknown };
  }

  #block(tile, system, panel) {
    const firstRow = system * this.nRows;
    const nRows = this.#rowsOfSystem(tile, system);
    const height = this.titleHeight + nRows * this.rowHeight;
    return { key: `${tile} ${system} ${panel}`, tile, panel, firstRow, nRows, top: this.rowTop(tile, firstRow, panel) - this.titleHeight, height };
  }
}

// ---- What levels mean

/** Return the index of each level's colour in the table of its kind, as `Scale.colours` does in Python; 0 if missing. */
export function colourIndices(levels, scale) {
  const { kind, pivot, gain } = scale;
  return Uint8Array.from(levels, (level) => {
    if (level === MISSING) return 0;
    if (kind === "binary" || kind === "classes") return level;
    return Math.min(Math.max(Math.floor(pivot + (level - pivot) * gain + 0.5), 0), 254);
  });
}

/** Return what a level says, as text: a number with the digits that the step allows, or the name of a class. */
export function levelText(level, scale) {
  if (level === MISSING) return "no value";
  if (scale.kind === "binary" || scale.kind === "classes") return scale.classes[level] ?? `class ${level}`;
  return numberText(scale.offset + level * scale.step, scale.is_whole ? 1 : scale.step);
}

/** Return a number with the digits that a step allows, such as −0.53 for steps of 0.008. */
export function numberText(value, step) {
  const digits = Math.round(-Math.log10(step));
  if (digits > 6) return value.toExponential(2).replaceAll("-", "−");
  const text = value.toFixed(Math.max(digits, 0));
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** Return the values whose colours are the first, the middle and the last of a scale's table, as text. */
export function barNumbers(scale) {
  if (scale.kind === "probability") return ["0", "0.5", "1"];
  const middle = scale.offset + scale.pivot * scale.step;
  const full = ((254 - scale.pivot) * scale.step) / scale.gain;
  const isBeyond = scale.gain > 1.001;
  const number = (value) => numberText(value, scale.is_whole ? 0.1 : scale.step).replace(scale.is_whole ? /\.0$/ : /^0\.0+$/, (zeros) => (zeros[0] === "0" ? "0" : ""));
  const last = (isBeyond ? "≥ " : "") + number(middle + full);
  if (scale.kind === "sequential") return [number(middle), number(middle + full / 2), last];
  return [(isBeyond ? "≤ " : "") + number(middle - full), number(middle), last];
}

/** Return the document, line and column of a character, from the text of its tile. */
export function placeOf(header, position, text) {
  const tile = Math.floor(position / header.tile_chars);
  const tileStart = tile * header.tile_chars;
  const document = header.documents[documentsBefore(header, position + 1) - 1];
  let [start, [line, column]] = [tileStart, header.tile_places[tile] ?? [1, 1]];
  if (document?.position >= tileStart) ({ position: start, line, column } = document);
  for (let i = start; i < position; i++) {
    column++;
    if (text[i - tileStart] === NEWLINE) {
      line++;
      column = 1;
    }
  }
  return { document: document?.name ?? "", line, column };
}

/** How many documents begin before a position. */
function documentsBefore({ documents }, position) {
  let low = 0;
  let high = documents.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (documents[middle].position < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** The colours of a theme, as canvases and style sheets take them. */
export class Palette {
  constructor(theme) {
    this.paper = theme.paper;
    this.ink = theme.ink;
    this.tables = {};
    for (const kind of ["diverging", "sequential", "probability", "binary", "classes"]) {
      const channels = bytesOf(theme[kind].colours);
      const css = [];
      for (let i = 0; i < channels.length; i += 3) css.push(`rgb(${channels[i]}, ${channels[i + 1]}, ${channels[i + 2]})`);
      this.tables[kind] = { channels, css, inks: bytesOf(theme[kind].inks) };
    }
  }

  /** A mixture of ink and paper. */
  mix(share) {
    const channel = (colour, i) => parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16);
    return `rgb(${[0, 1, 2].map((i) => Math.round(share * channel(this.ink, i) + (1 - share) * channel(this.paper, i))).join(", ")})`;
  }

  /** For each level of a scale: the colour as a pixel (0 if missing) and as CSS, and its ink: 0 black, 1 white. */
  levels(scale) {
    const { channels, css, inks } = this.tables[scale.kind];
    const indices = colourIndices(Uint8Array.from({ length: 256 }, (_, level) => level), scale);
    const pixels = new Uint32Array(256);
    const colours = [];
    const inkOf = new Uint8Array(256);
    for (let level = 0; level < MISSING; level++) {
      const index = indices[level] % css.length;
      pixels[level] = (255 << 24) | (channels[3 * index + 2] << 16) | (channels[3 * index + 1] << 8) | channels[3 * index];
      colours.push(css[index]);
      inkOf[level] = inks[index];
    }
    return { pixels, colours, inks: inkOf };
  }
}

// ---- Drawing

const WHITE = 1;
const INK = 2;
const PALE = 3;
const PAGE_WIDTH = 1024; // of the canvases that keep glyphs
const PAGE_HEIGHT = 512;
const MOST_PAGES = 8;

/** Glyphs that have been drawn once, in every ink, so that drawing them again is copying pixels. */
class Glyphs {
  #pages = [];
  #slots = new Map();
  #x = 0;
  #y = 0;

  constructor(fontSize, width, height, palette) {
    Object.assign(this, { font: `${fontSize}px ${MONO}`, width, height });
    const inks = ["#000000", "#ffffff", palette.ink];
    this.inks = [...inks.map((colour) => [colour, 1]), ...inks.map((colour) => [colour, 0.5])];
  }

  /** The place of a glyph, of some columns, in an ink: drawn now if it was not before. */
  slot(text, nColumns, ink) {
    const key = `${ink}${nColumns}${text}`;
    let slot = this.#slots.get(key);
    if (!slot) {
      slot = this.#draw(text, nColumns * this.width, this.inks[ink]);
      this.#slots.set(key, slot);
    }
    return slot;
  }

  #draw(text, width, [colour, alpha]) {
    const { canvas, context } = this.#room(width);
    const slot = { canvas, x: this.#x, y: this.#y, width };
    this.#x += width;
    context.save();
    context.beginPath();
    context.rect(slot.x, slot.y, width, this.height);
    context.clip();
    context.fillStyle = colour;
    context.globalAlpha = alpha;
    const measured = context.measureText(text).width;
    const scale = measured > 1.03 * width ? width / measured : 1;
    context.translate(slot.x + Math.round((width - measured * scale) / 2), slot.y + this.baseline);
    context.scale(scale, 1);
    context.fillText(text, 0, 0);
    context.restore();
    return slot;
  }

  #room(width) {
    if (this.#pages.length && this.#x + width > PAGE_WIDTH) {
      this.#x = 0;
      this.#y += this.height;
    }
    if (!this.#pages.length || this.#y + this.height > PAGE_HEIGHT) {
      if (this.#pages.length === MOST_PAGES) {
        this.#pages = [];
        this.#slots.clear();
      }
      const canvas = newCanvas(PAGE_WIDTH, Math.max(PAGE_HEIGHT, this.height));
      const context = canvas.getContext("2d");
      context.font = this.font;
      const { fontBoundingBoxAscent: ascent, fontBoundingBoxDescent: descent } = context.measureText("M");
      this.baseline = Math.round((this.height - ascent - descent) / 2 + ascent);
      this.#pages.push({ canvas, context });
      this.#x = 0;
      this.#y = 0;
    }
    return this.#pages.at(-1);
  }
}

function newCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** Draws blocks: the cells of one panel, in a font size and a theme. */
class Painter {
  #scratch = newCanvas(1, 1);
  #ruler = newCanvas(1, 1).getContext("2d");
  #levels = new Map();
  #glyphs;
  #guessGlyphs;
  #guessLevels;

  constructor(header, palette, fontSize, ratio, nStrips, showsGuesses) {
    Object.assign(this, { header, palette, fontSize, ratio, nStrips, showsGuesses });
    const pixels = (em) => Math.round(em * fontSize * ratio);
    this.#scratch.getContext("2d", { willReadFrequently: true });
    this.#ruler.font = `${fontSize * ratio}px ${MONO}`;
    const advance = this.#ruler.measureText("M").width;
    this.advance = advance / ratio;
    this.cellWidth = Math.max(Math.round(advance), 1);
    this.cellHeight = pixels(1.45);
    this.between = Math.max(1, pixels(0.09));
    this.stripHeight = Math.max(2, pixels(0.3));
    this.guessHeight = pixels(1.12);
    const strips = nStrips * (this.stripHeight + this.between);
    this.trackHeight = this.cellHeight + strips;
    this.guessTop = this.trackHeight + pixels(0.22);
    const guesses = showsGuesses ? pixels(0.22) + N_GUESSES * this.guessHeight : 0;
    this.rowHeight = this.cellHeight + strips + guesses + pixels(strips || guesses ? 0.6 : 0.25);
    this.#glyphs = new Glyphs(fontSize * ratio, this.cellWidth, this.cellHeight, palette);
    this.#guessGlyphs = new Glyphs(fontSize * ratio * 0.84, this.cellWidth, this.guessHeight, palette);
    this.#guessLevels = palette.levels({ kind: "sequential", gain: 1, pivot: 0 });
    this.#hatch();
  }

  /** Colours of the levels of a track. */
  levelsOf(track) {
    if (!this.#levels.has(track)) this.#levels.set(track, this.palette.levels(this.header.tracks[track].scale));
    return this.#levels.get(track);
  }

  /** Whether a character is as wide as a cell, as those of ASCII are. */
  isMonospaced(char) {
    return Math.abs(this.#ruler.measureText(char).width - this.advance * this.ratio) < 0.02;
  }

  signOf(code) {
    return this.header.signs[code];
  }

  /**
   * Draw some rows of a tile, from a column on, on a canvas whose top left corner is theirs.
   *
   * `tile` has text, cells, layout, the levels of each track, guessIds and guessLevels, and the position of its start.
   */
  draw(context, tile, tracks, firstRow, nRows, firstColumn, nColumns) {
    const { canvas } = context;
    context.fillStyle = this.palette.paper;
    context.fillRect(0, 0, canvas.width, canvas.height);
    const area = { firstRow, nRows, firstColumn, nColumns };
    tracks.forEach((track, number) => {
      const top = number ? this.cellHeight + this.between + (number - 1) * (this.stripHeight + this.between) : 0;
      const height = number ? this.stripHeight : this.cellHeight;
      const at = { n: 1, of: (i) => tile.levels[number][i] };
      this.#drawLevels(context, tile, area, at, this.levelsOf(track), top, height);
    });
    this.#drawGlyphs(context, tile, tracks.length ? this.levelsOf(tracks[0]) : null, area);
    if (this.showsGuesses) this.#drawGuesses(context, tile, area);
    this.#drawStarts(context, tile, area);
  }

  /** Draw a line before each document that begins within the text: there the model's state begins anew. */
  #drawStarts(context, { layout, start }, { firstRow, nRows, firstColumn }) {
    const { documents } = this.header;
    const width = Math.max(2, Math.round(2 * this.ratio));
    context.fillStyle = this.palette.ink;
    for (let k = documentsBefore(this.header, start + layout.starts[firstRow]); k < documents.length; k++) {
      const i = documents[k].position - start;
      if (i >= layout.starts[firstRow + nRows]) break;
      const x = (layout.left[i] - firstColumn) * this.cellWidth;
      if (i + start > 0 && x >= 0) context.fillRect(Math.round(x), (layout.rows[i] - firstRow) * this.rowHeight, width, this.trackHeight);
    }
  }

  /** Draw levels as rectangles: an image of one pixel a column for all rows, of which each row is drawn magnified. */
  #drawLevels(context, tile, area, values, { pixels, colours }, top, height) {
    const { layout } = tile;
    const { firstRow, nRows, firstColumn, nColumns } = area;
    const n = values.n;
    const image = new ImageData(nColumns, nRows * n);
    const data = new Uint32Array(image.data.buffer);
    const slices = [];
    for (let r = 0; r < nRows; r++) {
      const stop = layout.starts[firstRow + r + 1];
      for (let i = this.#firstIn(tile, firstRow + r, firstColumn); i < stop; i++) {
        const column = layout.left[i] - firstColumn;
        if (column >= nColumns) break;
        const width = layout.width[i];
        const isSlice = width !== Math.floor(width) || column !== Math.floor(column);
        for (let k = 0; k < n; k++) {
          const level = values.of(i, k);
          if (isSlice || level === MISSING) slices.push(r, k, column, width, level);
          else for (let c = Math.max(column, 0); c < Math.min(column + width, nColumns); c++) data[(r * n + k) * nColumns + c] = pixels[level];
        }
      }
    }
    this.#scratch.width = nColumns;
    this.#scratch.height = nRows * n;
    this.#scratch.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    for (let r = 0; r < nRows; r++) {
      context.drawImage(this.#scratch, 0, r * n, nColumns, n, 0, r * this.rowHeight + top, nColumns * this.cellWidth, n * height);
    }
    for (let s = 0; s < slices.length; s += 5) {
      const [r, k, column, width, level] = slices.slice(s, s + 5);
      context.fillStyle = level === MISSING ? this.hatch : colours[level];
      const x = Math.round(column * this.cellWidth);
      context.fillRect(x, r * this.rowHeight + top + k * height, Math.round((column + width) * this.cellWidth) - x, height);
    }
  }

  #drawGlyphs(context, tile, colours, { firstRow, nRows, firstColumn, nColumns }) {
    const { text, cells, layout, levels } = tile;
    const places = [];
    for (let r = 0; r < nRows; r++) {
      const stop = layout.starts[firstRow + r + 1];
      let i = this.#firstIn(tile, firstRow + r, firstColumn);
      while (i < stop) {
        const column = Math.round(layout.left[i]) - firstColumn;
        if (column >= nColumns) break;
        const next = clusterStop(cells, i);
        if (text[i] !== 0x20) {
          const sign = cells[i] > WIDTH ? this.signOf(text[i]) : undefined;
          const ink = colours && levels[0][i] !== MISSING ? colours.inks[levels[0][i]] : INK;
          const glyph = sign ?? stringOf(text, i, next);
          places.push(this.#glyphs.slot(glyph, Math.max(cells[i] & WIDTH, 1), sign ? PALE + ink : ink), column * this.cellWidth, r * this.rowHeight);
        }
        i = next;
      }
    }
    copyGlyphs(context, places, this.cellHeight);
  }

  #drawGuesses(context, tile, area) {
    const { layout, text, guessIds, guessLevels } = tile;
    const { firstRow, nRows, firstColumn, nColumns } = area;
    const at = { n: N_GUESSES, of: (i, k) => Math.min(guessLevels[N_GUESSES * i + k], 254) };
    this.#drawLevels(context, tile, area, at, this.#guessLevels, this.guessTop, this.guessHeight);
    const { characters } = this.header.guesses;
    const places = [];
    const right = []; // what was guessed and came, which is underlined
    for (let r = 0; r < nRows; r++) {
      const stop = layout.starts[firstRow + r + 1];
      for (let i = this.#firstIn(tile, firstRow + r, firstColumn); i < stop; i++) {
        const x = Math.round((layout.left[i] - firstColumn) * this.cellWidth);
        if (x >= nColumns * this.cellWidth) break;
        if (layout.width[i] < 1) continue;
        for (let k = 0; k < N_GUESSES; k++) {
          const level = Math.min(guessLevels[N_GUESSES * i + k], 254);
          if (!level) break;
          const guess = characters[guessIds[N_GUESSES * i + k]];
          const y = r * this.rowHeight + this.guessTop + k * this.guessHeight;
          const ink = this.#guessLevels.inks[level];
          if (guess !== " ") places.push(this.#guessGlyphs.slot(this.signOf(guess.codePointAt(0)) ?? guess, 1, ink), x, y);
          if (guess.codePointAt(0) === text[i + 1]) right.push(x, y, ink);
        }
      }
    }
    copyGlyphs(context, places, this.guessHeight);
    const line = Math.max(1, Math.round(1.25 * this.ratio));
    for (let p = 0; p < right.length; p += 3) {
      context.fillStyle = right[p + 2] === WHITE ? "#ffffff" : "#000000";
      context.fillRect(right[p], right[p + 1] + this.guessHeight - line, this.cellWidth, line);
    }
  }

  /** The first character, in a row, of the clusters that reach beyond a column. */
  #firstIn({ layout, cells }, row, column) {
    const start = layout.starts[row];
    if (!column) return start;
    let i = characterAt(layout, row, column, true);
    if (layout.left[i] + layout.width[i] <= column) return layout.starts[row + 1];
    while (i > start && !(cells[i] & WIDTH)) i--;
    return i;
  }

  /** The pattern of cells without a value: thin slanting lines. */
  #hatch() {
    const side = Math.max(6, 2 * Math.round(3 * this.ratio));
    const canvas = newCanvas(side, side);
    const context = canvas.getContext("2d");
    context.fillStyle = this.palette.mix(0.05);
    context.fillRect(0, 0, side, side);
    context.strokeStyle = this.palette.mix(0.22);
    context.lineWidth = Math.max(1, this.ratio * 0.9);
    context.beginPath();
    for (const shift of [-side, 0, side]) {
      context.moveTo(shift - 1, side + 1);
      context.lineTo(shift + side + 1, -1);
    }
    context.stroke();
    this.hatch = context.createPattern(canvas, "repeat");
  }
}

/** Copy glyphs to a canvas: `places` has slot, x, y of each. All have been drawn, so no canvas changes in between. */
function copyGlyphs(context, places, height) {
  for (let p = 0; p < places.length; p += 3) {
    const { canvas, x, y, width } = places[p];
    context.drawImage(canvas, x, y, width, height, places[p + 1], places[p + 2], width, height);
  }
}

function stringOf(codes, start, stop) {
  if (stop === start + 1) return String.fromCodePoint(codes[start]);
  let text = "";
  for (let from = start; from < stop; from += 4096) text += String.fromCodePoint(...codes.subarray(from, Math.min(from + 4096, stop)));
  return text;
}

// ---- Beside the text

/** Make an element; children that are strings become text, never HTML. */
export function make(tag, className = "", properties = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A sign, or ^[ and the like for a control character where no font has signs of them, which then all look alike. */
function drawable(sign) {
  const code = sign.codePointAt(0) - 0x2400;
  if (code < 0 || code > 0x21) return sign;
  drawable.hasSigns ??= pictureOf("\u241b") !== pictureOf("\u240d");
  return drawable.hasSigns ? sign : `^${code === 0x21 ? "?" : String.fromCharCode(code ^ 0x40)}`;
}

function pictureOf(char) {
  const context = newCanvas(24, 24).getContext("2d");
  context.font = `20px ${MONO}`;
  context.fillText(char, 2, 20);
  return context.canvas.toDataURL();
}

/** A name as it can be seen: signs stand for control characters. */
export function visible(name) {
  const sign = { "\t": "→", "\n": "↵", "\r": "␍", "\x7f": "␡" };
  // eslint-disable-next-line no-control-regex
  return name.replace(/[\x00-\x1f\x7f]/g, (char) => drawable(sign[char] ?? String.fromCharCode(0x2400 + char.charCodeAt(0))));
}

export const grouped = (number) => number.toLocaleString("en-US");

/** One track: its name, its value at a character, and the legend of its colours. */
class Card {
  constructor(track, palette, place, isCompact = false) {
    this.scale = track.scale;
    this.levels = palette.levels(track.scale);
    this.indices = colourIndices(Uint8Array.from({ length: 256 }, (_, level) => level), track.scale);
    this.value = make("span", "value");
    const head = make("div", "card-head", {}, make("span", "name", {}, visible(track.name)), this.value);
    this.element = make("div", "card", {}, head);
    if (!isCompact) this.element.append(make("div", "muted", {}, [visible(track.quantity) || track.kind, place].filter(Boolean).join(" · ")));
    const { css } = palette.tables[track.scale.kind];
    if (track.scale.kind === "binary" || track.scale.kind === "classes") this.#addSwatches(css);
    else this.#addBar(css);
    if (track.has_missing) this.element.append(make("div", "swatches", {}, swatch("hatched", "", "no value")));
  }

  #addBar(css) {
    this.needle = make("span", "needle");
    const bar = make("div", "bar", {}, this.needle);
    bar.style.backgroundImage = `linear-gradient(to right, ${css.filter((_, i) => i % 2 === 0).join(", ")})`;
    this.element.append(bar, make("div", "ticks", {}, ...barNumbers(this.scale).map((number) => make("span", "", {}, number))));
  }

  #addSwatches(css) {
    const most = 24;
    const { classes } = this.scale;
    this.swatches = classes.slice(0, most).map((name, i) => swatch("", css[i % css.length], visible(name)));
    const list = make("div", "swatches", {}, ...this.swatches);
    if (classes.length > most) list.append(make("span", "muted", {}, `and ${classes.length - most} more`));
    this.element.append(list);
  }

  /** Show the value of a character; `undefined` while its tile is not there. */
  show(level) {
    this.value.textContent = level === undefined ? "…" : levelText(level, this.scale);
    const hasColour = level !== undefined && level !== MISSING;
    if (this.needle) {
      this.needle.hidden = !hasColour;
      if (hasColour) this.needle.style.left = `${(this.indices[level] / 254) * 100}%`;
    }
    this.swatches?.forEach((element, i) => element.classList.toggle("current", i === level));
  }
}

function swatch(className, colour, name) {
  const sample = make("span", `sample ${className}`);
  if (colour) sample.style.backgroundColor = colour;
  return make("span", "swatch", {}, sample, name);
}

/** The fixed place that says all about one character. */
class Inspector {
  constructor(header) {
    this.header = header;
    this.glyph = make("div", "glyph");
    this.code = make("div", "code");
    this.place = make("div", "muted");
    this.document = make("div", "muted");
    this.line = make("div", "muted");
    this.cards = make("div", "cards");
    this.guesses = Array.from({ length: N_GUESSES }, () => {
      const [guess, bar, share] = [make("span", "guess"), make("span", "fill"), make("span", "share")];
      return { guess, bar, share, element: make("li", "", {}, guess, make("span", "track", {}, bar), share) };
    });
    this.guessList = make("div", "guesses", {}, make("div", "heading", {}, "Guesses of what follows"), make("ol", "", {}, ...this.guesses.map(({ element }) => element)));
    this.noGuess = make("div", "muted", { hidden: true }, "no prediction here");
    this.guessList.append(this.noGuess);
    const character = make("div", "character", {}, this.glyph, make("div", "about", {}, this.code, this.place, this.document, this.line));
    this.element = make("div", "side", { tabIndex: 0, role: "region", "aria-label": "Character and legend" }, character, this.cards);
    if (header.guesses) this.element.append(this.guessList);
  }

  /** Make the cards of panels anew. */
  setPanels(panels, palette) {
    this.tracks = [];
    this.byTrack = new Map();
    const strips = ["characters", "first strip below", "second strip below", "third strip below"];
    this.cards.replaceChildren();
    const hasStrips = panels.some((panel) => panel.tracks.length > 1);
    const isCompact = panels.length > MOST_TRACKS && !hasStrips;
    this.element.classList.toggle("many", isCompact);
    for (const panel of panels) {
      if (panels.length > 1 && hasStrips) this.cards.append(make("div", "heading", {}, titleOf(panel, this.header)));
      panel.tracks.forEach((track, number) => {
        if (this.byTrack.has(track)) return;
        const card = new Card(this.header.tracks[track], palette, hasStrips ? strips[number] : "", isCompact);
        this.byTrack.set(track, card);
        this.cards.append(card.element);
      });
    }
  }

  /** Show a character. `tileOf(kind, track)` returns a tile if it is at hand. Returns what there is to say aloud. */
  show(position, panel, tileOf) {
    const { header } = this;
    const i = position % header.tile_chars;
    const text = tileOf("text", 0);
    if (!text) {
      this.code.textContent = "…";
      return "";
    }
    const said = [...this.#showCharacter(position, i, text)];
    for (const [track, card] of this.byTrack) {
      const level = tileOf("tracks", track)?.[i];
      card.show(level);
      card.element.classList.toggle("current", this.byTrack.size > MOST_TRACKS && panel.tracks.includes(track));
      if (panel.tracks.includes(track)) said.push(`${header.tracks[track].name} ${card.value.textContent}`);
    }
    if (header.guesses) this.#showGuesses(tileOf("guess_ids", 0), tileOf("guess_levels", 0), i);
    return said.join(", ");
  }

  #showCharacter(position, i, text) {
    const code = text[i];
    const place = placeOf(this.header, position, text);
    const char = String.fromCodePoint(code);
    const isMark = /^\p{M}$/u.test(char);
    this.glyph.textContent = this.header.signs[code] ?? (code === 0x20 ? "␣" : isMark ? `◌${char}` : char);
    const name = NAMES[code] ?? "";
    const number = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
    this.code.textContent = name ? `${number} ${name}` : number;
    this.place.textContent = `position ${grouped(this.header.start + position)}`;
    this.document.textContent = visible(place.document);
    this.line.textContent = `line ${grouped(place.line)}, column ${grouped(place.column)}`;
    return [name || char, this.place.textContent, this.line.textContent];
  }

  #showGuesses(ids, levels, i) {
    const hasGuesses = Boolean(levels?.[N_GUESSES * i]);
    this.noGuess.hidden = hasGuesses;
    this.guesses.forEach(({ guess, bar, share, element }, k) => {
      const level = hasGuesses && ids ? levels[N_GUESSES * i + k] : 0;
      element.hidden = !hasGuesses;
      const char = hasGuesses && ids ? this.header.guesses.characters[ids[N_GUESSES * i + k]] : "";
      guess.textContent = this.header.signs[char.codePointAt(0)] ?? (char === " " ? "␣" : char);
      bar.style.width = `${(level / 255) * 100}%`;
      share.textContent = level < 2.55 ? "< 1 %" : `${Math.round(level / 2.55)} %`;
    });
  }
}

function titleOf(panel, header) {
  return visible(panel.title) || panel.tracks.map((track) => visible(header.tracks[track].name)).join(" · ");
}

const KEYS = [
  ["← → ↑ ↓", "move by a character, by a row"],
  ["Home, End", "begin and end of the row; with Ctrl, of the passage"],
  ["Page ↑ ↓", "a screen up, down"],
  ["[ ]", "the change of the labels before, after"],
  ["{ }", "the panel above, below"],
  ["Shift + move", "select; Ctrl A selects all, Ctrl C copies the text as it is"],
  ["/", "find; @12345 goes to a position; n and N find the next, the one before"],
  ["g", "the model's five guesses of the next character, below each character"],
  ["w", "wrap lines, or a line in one row"],
  ["+ −", "larger, smaller"],
  ["t", "theme: as the system has it, light, dark"],
];
const READING = [
  "The first track of a panel colours the characters, the others the strips below them. Hatched cells have no value.",
  "A line before a character says that a document begins there, and with it the model's state.",
  "Pale signs stand for characters that cannot be seen: ↵ for a newline, → for a tab, · for most others.",
  "Right-to-left text stands from left to right, in the order in which the model reads it.",
  "A guess stands below the character after which it was made, the most probable first; the stronger its shade, the more probable. The guess that came true is underlined.",
];

function helpDialog() {
  const close = make("button", "", { type: "button" }, "Close");
  const keys = KEYS.map(([key, does]) => make("div", "key", {}, make("kbd", "", {}, key), make("span", "", {}, does)));
  const reading = READING.map((sentence) => make("p", "", {}, sentence));
  const head = make("div", "help-head", {}, make("div", "heading", {}, "Keys"), close);
  const dialog = make("dialog", "help", { "aria-label": "Help" }, head, ...keys, make("div", "heading", {}, "Reading the picture"), ...reading);
  close.addEventListener("click", () => dialog.close());
  return dialog;
}

// ---- Buttons

const THEMES = ["auto", "light", "dark"];

/** The buttons above the text, the field to find in it, and the menu of tracks. */
class Toolbar {
  constructor(view) {
    const { header } = view;
    this.view = view;
    const nextTheme = () => THEMES[(THEMES.indexOf(view.theme) + 1) % THEMES.length];
    this.help = helpDialog();
    this.guesses = button("Guesses", "Guesses", "g", () => view.setGuesses(!view.showsGuesses));
    this.wrap = button("Wrap", "Wrap lines", "w", () => view.setWrap(!view.wraps));
    this.tracks = button("Tracks", "Tracks", "", () => this.toggleMenu());
    this.theme = button("", "Theme", "t", () => view.setTheme(nextTheme()));
    this.guesses.hidden = !header.guesses;
    this.tracks.hidden = header.tracks.length < 2;
    this.menu = make("div", "menu", { hidden: true, role: "group", "aria-label": "Tracks to show" });
    this.message = make("span", "message", { role: "status" });
    this.finder = make("input", "", { type: "search", placeholder: "Find", "aria-label": "Find in the passage", "aria-keyshortcuts": "/", spellcheck: false });
    this.finder.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      view.search.find(this.finder.value, event.shiftKey ? -1 : 1);
    });
    const sizes = [button("A−", "Smaller", "-", () => view.resize(-1)), button("A+", "Larger", "+", () => view.resize(1))];
    const parts = [this.message, this.finder, make("div", "menu-place", {}, this.tracks, this.menu), this.guesses, this.wrap, ...sizes, this.theme];
    this.element = make("div", "toolbar", { role: "group", "aria-label": "View" }, ...parts, button("?", "Help", "?", () => this.help.showModal()));
    this.toggleMenu(false);
  }

  /** Let the buttons say how the view is now. */
  show({ showsGuesses, wraps, theme, panels }) {
    this.guesses.setAttribute("aria-pressed", String(showsGuesses));
    this.wrap.setAttribute("aria-pressed", String(wraps));
    this.theme.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme];
    this.theme.setAttribute("aria-label", `Theme: ${theme}`);
    this.tracks.textContent = panels.length > 1 ? `${panels.length} panels` : "Tracks";
    if (!this.menu.hidden) this.#fillMenu();
  }

  toggleMenu(isOpen = this.menu.hidden) {
    this.menu.hidden = !isOpen;
    this.tracks.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.#fillMenu();
  }

  #fillMenu() {
    const { header, panels } = this.view;
    const chosen = panels.length === 1 ? panels[0].tracks : [];
    const focused = [...this.menu.querySelectorAll("input")].indexOf(this.menu.getRootNode().activeElement);
    const boxes = [];
    const rows = header.tracks.map((track, number) => {
      const box = make("input", "", { type: "checkbox", checked: chosen.includes(number) });
      box.disabled = !box.checked && chosen.length === MOST_TRACKS;
      box.addEventListener("change", () => this.view.show(box.checked ? [...chosen, number] : chosen.filter((one) => one !== number)));
      boxes.push(box);
      const place = chosen.indexOf(number);
      return make("label", "", {}, box, make("span", "name", {}, visible(track.name)), make("span", "muted", {}, place < 0 ? "" : place ? `strip ${place}` : "characters"));
    });
    rows.unshift(make("div", "muted", {}, "Up to four: the first colours the characters, the others strips below them."));
    if (header.panels.length > 1) rows.unshift(button(`All ${header.panels.length} panels`, "", "", () => this.view.show([])));
    this.menu.replaceChildren(...rows);
    boxes[focused]?.focus();
  }
}

function button(name, label, key, does) {
  const labelled = label ? { title: key ? `${label} (${key})` : label, "aria-label": label } : {};
  const made = make("button", "", { type: "button", ...labelled }, name);
  if (key) made.setAttribute("aria-keyshortcuts", key);
  made.addEventListener("click", does);
  return made;
}

// ---- Scrolling

const MOST_PIXELS = 12_000_000; // of an element's height that browsers can scroll

/**
 * What is seen of the text: from `top` on, `height` pixels.
 *
 * A text that is too high for the browser is in an element of the greatest height. Small steps of the element are steps
 * of the text, long ones go to the same share of it, and `base` is what must be added to a place in the element.
 */
class Scroll {
  #last = 0;

  constructor(scroller, content, geometry, mostPixels = MOST_PIXELS) {
    Object.assign(this, { scroller, content, geometry, mostPixels, top: 0, base: 0, height: 400, isScaled: false });
  }

  /** Take the height of the text, and the width of the longest row. */
  fit(width) {
    this.contentHeight = Math.min(this.geometry.height, this.mostPixels);
    this.isScaled = this.geometry.height > this.contentHeight;
    if (!this.isScaled) this.base = 0;
    this.content.style.height = `${this.contentHeight}px`;
    this.content.style.width = width;
  }

  /** Ask the browser how far the text has been scrolled. */
  read() {
    const scrolled = this.scroller.scrollTop;
    const step = scrolled - this.#last;
    if (this.isScaled && step) {
      const most = this.contentHeight - this.height;
      const end = this.geometry.height - this.height;
      let top = this.top + step;
      if (scrolled <= 0) top = 0;
      else if (scrolled >= most - 1) top = end;
      else if (Math.abs(step) > 2 * this.height) top = (scrolled / most) * end;
      this.base = Math.min(Math.max(top, 0), end) - scrolled;
    }
    this.#last = scrolled;
    this.top = scrolled + this.base;
  }

  to(top) {
    const end = Math.max(this.geometry.height - this.height, 0);
    const target = Math.min(Math.max(top, 0), end);
    this.scroller.scrollTop = this.isScaled ? (target / end) * (this.contentHeight - this.height) : target;
    this.#last = this.scroller.scrollTop;
    if (this.isScaled) this.base = target - this.#last;
    this.top = this.#last + this.base;
  }

  /** Let the scroll bar stand where it belongs, once scrolling has ended. */
  settle() {
    this.read();
    if (this.isScaled) this.to(this.top);
  }
}

// ---- Selecting and copying

/**
 * The characters that are selected, on the screen or not.
 *
 * The browser selects in the text layer, where only some rows are. What it selects is translated to positions here, and
 * when rows come and go, it is told to select those that are there.
 */
class Selection {
  #view;
  #told = []; // what the browser was told to select

  constructor(view) {
    this.#view = view;
    this.range = null; // { anchor, focus }
    this.press = null; // where the pointer went down
  }

  /** First and last position of what is selected; the last is not. */
  get ends() {
    const { anchor, focus } = this.range;
    return [Math.min(anchor, focus), Math.max(anchor, focus)];
  }

  #native() {
    const root = this.#view.root.getRootNode();
    return root.getSelection?.() ?? document.getSelection();
  }

  /** Select the characters between two positions; none if they are the same. */
  set(anchor, focus) {
    this.range = anchor === focus ? null : { anchor, focus };
    this.#view.schedule();
    const native = this.#native();
    if (!this.range && native?.rangeCount && this.#view.content.contains(native.anchorNode)) native.removeAllRanges();
    this.quieten();
    this.project();
  }

  /** Let only the caret's panel be selected: the others show the same text. */
  quieten() {
    for (const block of this.#view.blocks.values()) block.element.classList.toggle("quiet", block.panel !== this.#view.caret.panel);
  }

  onPress(event) {
    const { caret } = this.#view;
    const place = this.#view.under({ x: event.clientX, y: event.clientY }, true);
    if (event.button !== 0 || event.target.closest("button") || !place) return;
    caret.panel = place.panel;
    this.press = { anchor: event.shiftKey ? this.range?.anchor ?? caret.position : null };
    this.quieten();
  }

  /** The pointer is up again: returns the character on which the caret is to be, or `null`. */
  onRelease(event) {
    const { press } = this;
    this.press = null;
    if (!press) return null;
    const native = this.#native();
    const hasSelected = native && !native.isCollapsed && this.#view.content.contains(native.anchorNode);
    if (!hasSelected && this.range) this.set(0, 0);
    return this.#view.under({ x: event.clientX, y: event.clientY }, true)?.position ?? null;
  }

  /** The browser has selected something. */
  onChange() {
    const native = this.#native();
    if (!native?.rangeCount || native.isCollapsed) return;
    const ends = [native.anchorNode, native.anchorOffset, native.focusNode, native.focusOffset];
    if (ends.every((end, i) => end === this.#told[i])) return;
    const [anchor, focus] = [this.#positionAt(ends[0], ends[1]), this.#positionAt(ends[2], ends[3])];
    if (anchor === null || focus === null) return;
    if (this.press) this.press.anchor ??= anchor; // stays, though its row may be scrolled away
    this.range = { anchor: this.press?.anchor ?? anchor, focus };
    this.#view.schedule();
  }

  /** The character before which a point of the document is; `null` outside of the text. */
  #positionAt(node, offset) {
    const { content } = this.#view;
    if (!content.contains(node)) return null;
    if (node.nodeType === Node.TEXT_NODE) return node.first === undefined ? null : node.first + nPoints(node.data.slice(0, offset));
    const child = node.childNodes[offset];
    const isAfter = (text) => {
      const place = (child ?? node).compareDocumentPosition(text);
      return child?.contains(text) || (place & Node.DOCUMENT_POSITION_FOLLOWING && (child || !node.contains(text)));
    };
    let last = null;
    for (const text of textsIn(content)) {
      if (isAfter(text)) return text.first;
      last = text;
    }
    return last && last.first + nPoints(last.data);
  }

  /** Let the browser select what there is on the screen of the characters that are selected. */
  project() {
    if (!this.range) return;
    const [start, stop] = this.ends;
    let first = null;
    let last = null;
    for (const block of this.#view.blocksInOrder()) {
      if (block.panel !== this.#view.caret.panel || block.stop <= start || block.start >= stop) continue;
      first ??= pointIn(block, Math.max(start, block.start));
      last = pointIn(block, Math.min(stop, block.stop));
    }
    const native = this.#native();
    if (!first || !native) return;
    this.#told = this.range.anchor <= this.range.focus ? [...first, ...last] : [...last, ...first];
    native.setBaseAndExtent(...this.#told);
  }

  /** Copy the text itself, with its own tabs and newlines. */
  onCopy(event) {
    const native = this.#native();
    const isElsewhere = native && !native.isCollapsed && !this.#view.content.contains(native.anchorNode);
    if (!this.range || isElsewhere || event.target.matches?.("input")) return;
    const { header, provider } = this.#view;
    const [start, stop] = this.ends;
    const tiles = [];
    for (let tile = Math.floor(start / header.tile_chars); tile * header.tile_chars < stop; tile++) tiles.push(tile);
    const clip = (text, first) => stringOf(text, Math.max(start - first, 0), Math.min(stop - first, text.length));
    const join = (texts) => texts.map((text, k) => clip(text, tiles[k] * header.tile_chars)).join("");
    const atHand = tiles.map((tile) => provider.tile("text", 0, tile));
    event.preventDefault();
    if (atHand.every(Boolean)) event.clipboardData.setData("text/plain", join(atHand));
    else this.#copyLater(tiles, join);
  }

  async #copyLater(tiles, join) {
    const texts = [];
    for (const tile of tiles) texts.push(await this.#view.tileOf("text", 0, tile));
    await navigator.clipboard.writeText(join(texts));
    this.#view.say("copied");
  }
}

/** The text nodes of the text layer in an element, in their order; each knows its `first` character. */
function* textsIn(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) if (text.first !== undefined) yield text;
}

/** Where a position is in a block that has been drawn: a text node, and an offset in it. */
function pointIn(block, position) {
  let last = null;
  for (const text of textsIn(block.rows)) {
    if (position < text.first) return [text, 0];
    const characters = [...text.data];
    if (position < text.first + characters.length) return [text, characters.slice(0, position - text.first).join("").length];
    last = text;
  }
  return last ? [last, last.data.length] : [block.rows, 0];
}

function nPoints(text) {
  return [...text].length;
}

// ---- Searching

/** Goes to texts, positions and changes of labels, however far away: tiles come one after the other. */
class Search {
  #view;
  #turn = 0; // a later search ends those that wait for data

  constructor(view) {
    this.#view = view;
  }

  /** Go to the next (1) or the last (-1) character at which the labels of the caret's panel change. */
  async step(direction) {
    const view = this.#view;
    const { header, panels, caret } = view;
    const isLabels = (track) => ["binary", "classes"].includes(header.tracks[track].scale.kind);
    const track = [panels[caret.panel], ...panels].flatMap((panel) => panel.tracks).find(isLabels);
    if (track === undefined) return view.say("no track of labels is shown");
    const turn = ++this.#turn;
    const last = header.n_chars - 1;
    let position = caret.position + direction;
    for (; position > 0 && position <= last; position += direction) {
      const tile = Math.floor(position / header.tile_chars);
      const i = position - tile * header.tile_chars;
      const levels = view.provider.tile("tracks", track, tile) ?? (await view.tileOf("tracks", track, tile));
      const before = i ? levels : await view.tileOf("tracks", track, tile - 1);
      if (turn !== this.#turn) return undefined;
      if (levels[i] !== before[i ? i - 1 : header.tile_chars - 1]) break;
    }
    if (position > last) return view.say("the labels do not change any more");
    view.say("");
    if (view.selection.range) view.selection.set(0, 0);
    return view.goTo(position);
  }

  /**
   * Find a text, from the caret on (1) or back (-1), and around the end; upper and lower case are the same unless the text
   * has upper case. `@12345` goes to a position of the corpus.
   */
  async find(query, direction) {
    const { header, geometry, caret } = this.#view;
    if (!query || !header.n_chars) return this.#view.say("");
    if (/^@[\d,]+$/.test(query)) return this.#goToPosition(Number(query.slice(1).replaceAll(",", "")) - header.start);
    const turn = ++this.#turn;
    const ignoresCase = query === query.toLowerCase();
    const wanted = Uint32Array.from(query, (char) => folded(char.codePointAt(0), ignoresCase));
    const { nTiles } = geometry;
    const first = Math.floor(caret.position / header.tile_chars);
    for (let n = 0; n <= nTiles; n++) {
      const tile = (first + direction * n + nTiles * (n + 1)) % nTiles;
      const codes = await this.#textFrom(tile, wanted.length);
      if (turn !== this.#turn) return undefined;
      const start = tile * header.tile_chars;
      const limits = n === 0 ? [caret.position - start, direction] : null;
      const match = findIn(codes, wanted, ignoresCase, direction, limits, geometry.charsOf(tile));
      if (match >= 0) return this.#show(start + match, wanted.length);
    }
    return this.#view.say("not found in the passage");
  }

  async #show(position, length) {
    this.#view.say("");
    await this.#view.goTo(position);
    this.#view.selection.set(position, position + length);
  }

  #goToPosition(position) {
    const { start, n_chars: nChars } = this.#view.header;
    if (position >= 0 && position < nChars) return this.#view.goTo(position);
    return this.#view.say(`the passage is ${grouped(start)} to ${grouped(start + nChars - 1)}`);
  }

  /** The text of a tile, and of the next one so much as a text of some length may reach into. */
  async #textFrom(tile, length) {
    const view = this.#view;
    const text = await view.tileOf("text", 0, tile);
    if (tile + 1 >= view.geometry.nTiles || length < 2) return text;
    const next = (await view.tileOf("text", 0, tile + 1)).subarray(0, length - 1);
    const codes = new Uint32Array(text.length + next.length);
    codes.set(text);
    codes.set(next, text.length);
    return codes;
  }
}

const lowered = new Map();

function folded(code, ignoresCase) {
  if (!ignoresCase) return code;
  if (code < 0x80) return code >= 0x41 && code <= 0x5a ? code + 32 : code;
  if (!lowered.has(code)) lowered.set(code, String.fromCodePoint(code).toLowerCase().codePointAt(0));
  return lowered.get(code);
}

/**
 * Return where a text begins in another, both code points, from the front (1) or the back (-1); -1 if nowhere.
 *
 * It begins before `nStarts`; with `limits`, a position and a direction, after or before that position.
 */
export function findIn(codes, wanted, ignoresCase, direction, limits, nStarts) {
  const last = Math.min(nStarts, codes.length - wanted.length + 1) - 1;
  const from = limits && limits[1] > 0 ? limits[0] + 1 : 0;
  const to = limits && limits[1] < 0 ? Math.min(last, limits[0] - 1) : last;
  for (let n = 0; n <= to - from; n++) {
    const start = direction > 0 ? from + n : to - n;
    let k = 0;
    while (k < wanted.length && folded(codes[start + k], ignoresCase) === wanted[k]) k++;
    if (k === wanted.length) return start;
  }
  return -1;
}

// ---- The view

const SIZES = [10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 36, 40];
const MOST_COLUMNS = 140; // of a wrapped row: longer ones are hard to follow
const FRAME_MS = 2; // of drawing in a frame; the rest waits for the next one
const MOST_LAYOUTS = 16; // tiles whose layout is kept
const BLOCK_EM = 10; // about the height of a block: what is drawn at a time
const NARROW_EM = 64; // below this width the inspector stands below the text
const WINDOW_STEP = 40; // columns by which the drawn part of long rows moves

/**
 * A text with its tracks, in an element.
 *
 * Options: `headingLevel` of the title (3); `size` of the type in pixels (15); `theme` auto, light or dark; `wrap` (true);
 * `guesses` below the characters (false); `embedded` among other things of a page (false); `mostPixels`, as above;
 * `measured` writes a performance measure for each frame; `onFrame` is called with the view after each,
 * `onInspect` with the position of a character when the inspector shows it.
 */
export class TextView {
  blocks = new Map(); // what has been drawn, by the keys of Geometry
  #pool = [];
  #layouts = new Map();
  #asked = new Map();
  #ended = new AbortController();
  #resizes = new ResizeObserver(() => this.#reshape());
  #hostChanges = null;
  #scheduled = 0;
  #nDrawn = 0; // blocks, so far
  #markedAs = ""; // what the marks, and the inspector, show
  #inspected = "";
  #turn = 0; // of moves: a later one overtakes those that wait for data
  #marks = { caret: [], pointer: [] };
  #pointer = null;
  #isShapeStale = true;
  #isPaintStale = true;
  #pointedElsewhere = null;
  #isSaid = false;
  #base = 0; // of the places of the blocks
  #plain = new Map();

  constructor(element, provider, options = {}) {
    const signs = Object.entries(provider.header.signs).map(([code, sign]) => [code, drawable(sign)]);
    const header = { ...provider.header, signs: Object.fromEntries(signs) };
    Object.assign(this, { provider, header, options });
    this.size = options.size ?? 15;
    this.theme = options.theme ?? "auto";
    this.wraps = options.wrap ?? true;
    this.showsGuesses = Boolean(header.guesses && options.guesses);
    this.panels = header.panels.length ? header.panels : [{ title: "", tracks: [] }];
    this.caret = { position: 0, panel: 0 };
    this.pointed = null;
    this.selection = new Selection(this);
    this.search = new Search(this);
    this.geometry = new Geometry(header.n_chars, header.tile_chars);
    this.#build(element);
    this.scroll = new Scroll(this.scroller, this.content, this.geometry, options.mostPixels);
    this.#listen();
    this.setTheme(this.theme);
  }

  /** Take the view away, and stop all that it does. */
  destroy() {
    this.#ended.abort();
    this.#resizes.disconnect();
    this.#hostChanges?.disconnect();
    cancelAnimationFrame(this.#scheduled);
    this.root.remove();
  }

  #build(element) {
    const { header, options } = this;
    this.root = make("div", `char-probe-view${options.embedded ? " embedded" : ""}`);
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves keys to elements that have it
    this.inspector = new Inspector(header);
    this.toolbar = new Toolbar(this);
    this.content = make("div", "content");
    const label = `Passage of ${grouped(header.n_chars)} characters. Arrow keys move, ? is help.`;
    this.scroller = make("div", "scroller", { tabIndex: 0, role: "application", "aria-label": label }, this.content);
    if (!header.n_chars) this.content.append(make("p", "muted empty", {}, "The passage has no characters."));
    this.spoken = make("div", "spoken", { "aria-live": "polite" });
    const heading = visible(header.title) || `${grouped(header.n_chars)} characters`;
    const title = make("div", "title", { role: "heading", "aria-level": String(options.headingLevel ?? 3) }, heading);
    const notes = header.notes.map((note) => make("p", "note", {}, visible(note)));
    const top = make("div", "top", {}, make("div", "titles", {}, title, ...notes), this.toolbar.element);
    this.body = make("div", "body", {}, this.scroller, this.inspector.element);
    this.root.append(top, this.body, this.spoken, this.toolbar.help);
    element.replaceChildren(this.root);
  }

  // ---- What is shown, and how

  /** Show up to four tracks in one panel, by their numbers; the panels of the view if there are none. */
  show(tracks) {
    const { header } = this;
    const same = header.panels.find((panel) => String(panel.tracks) === String(tracks));
    this.panels = !tracks.length && header.panels.length ? header.panels : [same ?? { title: "", tracks }];
    this.caret.panel = 0;
    if (!this.painter || this.geometry.nPanels + this.panels.length > 2 || this.painter.nStrips !== this.#nStrips) this.#reshape();
    else this.#repaint();
  }

  get #nStrips() {
    return Math.max(0, ...this.panels.map((panel) => panel.tracks.length - 1));
  }

  setGuesses(shows) {
    this.showsGuesses = Boolean(this.header.guesses && shows);
    this.#reshape();
  }

  setWrap(wraps) {
    this.wraps = wraps;
    this.scroller.scrollLeft = 0;
    this.#reshape();
  }

  /** Take larger (1) or smaller (-1) type. */
  resize(steps) {
    const distance = (i) => Math.abs(SIZES[i] - this.size);
    const nearest = SIZES.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0);
    this.size = SIZES[Math.min(Math.max(nearest + steps, 0), SIZES.length - 1)];
    this.#reshape();
  }

  /** Take the theme `auto`, as the system or the notebook has it, `light` or `dark`. */
  setTheme(theme) {
    this.theme = theme;
    const shown = theme === "auto" ? this.#hostTheme() : theme;
    const palette = new Palette(this.header.colours[shown]);
    const { style, dataset } = this.root;
    this.palette = palette;
    dataset.theme = shown;
    style.colorScheme = shown;
    const shares = { "--muted": 0.68, "--line": 0.16, "--soft": 0.05, "--hatch": 0.25 };
    const values = { "--paper": palette.paper, "--ink": palette.ink, "--mono": MONO, "--sans": SANS };
    for (const [name, share] of Object.entries(shares)) style.setProperty(name, palette.mix(share));
    for (const [name, value] of Object.entries(values)) style.setProperty(name, value);
    if (!this.options.embedded) document.documentElement.style.background = palette.paper;
    this.#reshape();
  }

  #hostTheme() {
    const { body, documentElement } = document;
    if (this.options.embedded) {
      const light = body.dataset.jpThemeLight;
      if (light) return light === "true" ? "light" : "dark";
      const words = [body, documentElement].map(({ className, dataset }) => [className, dataset.theme, dataset.vscodeThemeKind].join(" ")).join(" ");
      if (/\bdark\b/.test(words)) return "dark";
      if (/\blight\b/.test(words)) return "light";
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  /** Show a short message beside the buttons. */
  say(message) {
    this.toolbar.message.textContent = message;
  }

  // ---- Events

  #listen() {
    const { signal } = this.#ended;
    const on = (target, name, does) => target.addEventListener(name, does, { signal, passive: /scroll|pointermove/.test(name) });
    const followHost = () => this.theme === "auto" && this.#hostTheme() !== this.root.dataset.theme && this.setTheme("auto");
    this.#resizes.observe(this.root);
    this.#resizes.observe(this.scroller);
    on(matchMedia("(prefers-color-scheme: dark)"), "change", followHost);
    if (this.options.embedded) {
      this.#hostChanges = new MutationObserver(followHost);
      for (const target of [document.documentElement, document.body]) this.#hostChanges.observe(target, { attributes: true });
    }
    on(this.root, "keydown", (event) => this.#onKey(event));
    on(this.root, "copy", (event) => this.selection.onCopy(event));
    on(this.root, "pointerdown", (event) => !event.target.closest(".menu-place") && this.toolbar.toggleMenu(false));
    on(this.scroller, "scroll", () => this.schedule());
    on(this.scroller, "scrollend", () => this.scroll.settle());
    on(this.scroller, "pointermove", (event) => this.#point({ x: event.clientX, y: event.clientY }));
    on(this.scroller, "pointerleave", () => this.#point(null));
    on(this.scroller, "pointerdown", (event) => this.selection.onPress(event));
    on(window, "pointerup", (event) => this.#onRelease(event));
    on(window, "pointercancel", () => (this.selection.press = null));
    on(document, "selectionchange", () => this.selection.onChange());
    on(window, "beforeprint", () => this.root.append(printSheet(this)));
    on(window, "afterprint", () => this.root.querySelector(".sheet")?.remove());
  }

  #point(pointer) {
    this.#pointer = pointer;
    this.schedule();
  }

  /** Show a character as if the pointer were on it; none if that is `null`. */
  pointAt(position) {
    if (position === (this.#pointedElsewhere?.position ?? null)) return;
    this.#pointedElsewhere = position === null ? null : { position, panel: this.caret.panel };
    this.schedule();
  }

  #onRelease(event) {
    const position = this.selection.onRelease(event);
    if (position === null) return;
    this.caret.position = position;
    this.goal = null;
    this.#isSaid = true;
    this.schedule();
  }

  #onKey(event) {
    const { key } = event;
    if (event.defaultPrevented || this.toolbar.help.open) return;
    if (key === "Escape") this.#leave();
    if (event.target.matches("input")) return;
    const isText = this.root.getRootNode().activeElement === this.scroller;
    const control = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph"); // which types brackets
    const isTyped = !control && !(event.altKey && /^[a-z]$/i.test(key));
    const does = (isText && this.#moveOf(key, control, event.shiftKey)) || (isTyped && this.#actionOf(key));
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  }

  #moveOf(key, control, extend) {
    const { position } = this.caret;
    if (control && key.toLowerCase() === "a") return () => this.selection.set(0, this.header.n_chars);
    const far = { Home: async () => 0, End: async () => this.header.n_chars - 1 };
    const near = {
      ArrowLeft: async () => position - 1,
      ArrowRight: async () => position + 1,
      ArrowUp: () => this.#rowsAway(-1),
      ArrowDown: () => this.#rowsAway(1),
      PageUp: () => this.#rowsAway(-this.#rowsOfScreen),
      PageDown: () => this.#rowsAway(this.#rowsOfScreen),
      Home: () => this.#endOfRow(0),
      End: () => this.#endOfRow(1),
    };
    const to = (control ? far : near)[key];
    if (to && !/^Arrow(Up|Down)|^Page/.test(key)) this.goal = null;
    return to && (() => this.#move(to, extend));
  }

  #actionOf(key) {
    const { toolbar, search } = this;
    const actions = {
      g: () => this.setGuesses(!this.showsGuesses),
      w: () => this.setWrap(!this.wraps),
      t: () => toolbar.theme.click(),
      "+": () => this.resize(1),
      "=": () => this.resize(1),
      "-": () => this.resize(-1),
      "/": () => toolbar.finder.select(),
      "?": () => toolbar.help.showModal(),
      n: () => search.find(toolbar.finder.value, 1),
      N: () => search.find(toolbar.finder.value, -1),
      "[": () => search.step(-1),
      "]": () => search.step(1),
      "{": () => this.#changePanel(-1),
      "}": () => this.#changePanel(1),
    };
    return Object.hasOwn(actions, key) ? actions[key] : null;
  }

  #leave() {
    if (!this.toolbar.menu.hidden) {
      this.toolbar.toggleMenu(false);
      this.toolbar.tracks.focus();
    } else if (this.root.getRootNode().activeElement === this.toolbar.finder) {
      this.scroller.focus();
    } else {
      this.selection.set(0, 0);
    }
    this.say("");
  }

  // ---- Moving

  get #rowsOfScreen() {
    if (this.panels.length > 1) return this.geometry.nRows;
    return Math.max(1, Math.floor(this.scroll.height / this.geometry.rowHeight) - 1);
  }

  async #rowsAway(nRows) {
    const { n_chars: nChars, tile_chars: tileChars } = this.header;
    let tile = Math.floor(this.caret.position / tileChars);
    let layout = await this.#layoutOf(tile);
    const i = this.caret.position - tile * tileChars;
    this.goal ??= layout.left[i];
    let row = layout.rows[i] + nRows;
    while (row < 0 && tile > 0) {
      layout = await this.#layoutOf(--tile);
      row += layout.nRows;
    }
    while (row >= layout.nRows && (tile + 1) * tileChars < nChars) {
      row -= layout.nRows;
      layout = await this.#layoutOf(++tile);
    }
    row = Math.min(Math.max(row, 0), layout.nRows - 1);
    return tile * tileChars + characterAt(layout, row, this.goal, true);
  }

  async #endOfRow(end) {
    const tile = Math.floor(this.caret.position / this.header.tile_chars);
    const start = tile * this.header.tile_chars;
    const layout = await this.#layoutOf(tile);
    const row = layout.rows[this.caret.position - start];
    return start + layout.starts[row + end] - end;
  }

  async #move(to, extend) {
    if (!this.header.n_chars) return;
    const turn = ++this.#turn;
    const anchor = this.selection.range?.anchor ?? this.caret.position;
    const position = await to();
    if (turn !== this.#turn) return;
    await this.goTo(position);
    if (extend) this.selection.set(anchor, this.caret.position);
    else if (this.selection.range) this.selection.set(0, 0);
  }

  /** Put the caret on a character, and scroll to it. */
  async goTo(position, panel = this.caret.panel) {
    const { n_chars: nChars, tile_chars: tileChars } = this.header;
    if (!nChars) return;
    this.caret = { position: Math.min(Math.max(position, 0), nChars - 1), panel };
    this.#pointer = null; // until it moves again
    this.#isSaid = true;
    this.schedule();
    if (this.#isShapeStale) this.#shape();
    const tile = Math.floor(this.caret.position / tileChars);
    if (!this.#layouts.has(tile)) this.scroll.to(this.geometry.top(tile) - this.scroll.height / 2);
    const layout = await this.#layoutOf(tile);
    if (Math.floor(this.caret.position / tileChars) !== tile) return;
    this.#scrollToCaret(tile, layout);
    this.schedule();
  }

  #scrollToCaret(tile, layout) {
    const { geometry, scroll, scroller } = this;
    const i = this.caret.position - tile * this.header.tile_chars;
    const top = geometry.rowTop(tile, layout.rows[i], this.caret.panel);
    const above = top - geometry.titleHeight - geometry.margin;
    const below = top + geometry.rowHeight + geometry.margin - scroll.height;
    if (above < scroll.top - scroll.height || below > scroll.top + scroll.height) scroll.to(top - scroll.height / 3);
    else if (above < scroll.top) scroll.to(above);
    else if (below > scroll.top) scroll.to(below);
    if (this.wraps) return;
    const width = scroller.clientWidth - this.gutter;
    const left = layout.left[i] * this.cellWidth;
    const isSeen = left >= scroller.scrollLeft && left <= scroller.scrollLeft + width - 4 * this.cellWidth;
    if (!isSeen) scroller.scrollLeft = Math.max(left - width / 3, 0);
  }

  #changePanel(steps) {
    const panel = Math.min(Math.max(this.caret.panel + steps, 0), this.panels.length - 1);
    this.goTo(this.caret.position, panel);
  }

  // ---- Data

  /** A tile if it is at hand; else it is asked for, and a frame follows when it comes. */
  #tile(kind, track, index) {
    const values = this.provider.tile(kind, track, index);
    if (!values) this.tileOf(kind, track, index).then(() => this.schedule(), () => {});
    return values;
  }

  /** A promise of a tile. */
  tileOf(kind, track, index) {
    const atHand = this.provider.tile(kind, track, index);
    if (atHand) return Promise.resolve(atHand);
    const key = `${kind} ${track} ${index}`;
    if (!this.#asked.has(key)) {
      const answer = this.provider.request(kind, track, index).then((values) => {
        if (values) return values;
        throw new Error(`there is no tile ${index} of ${kind}`);
      });
      answer.catch((error) => error.name !== "AbortError" && this.say(`some data could not be read: ${error.message}`)).finally(() => this.#asked.delete(key));
      this.#asked.set(key, answer);
    }
    return this.#asked.get(key);
  }

  /** The layout of a tile, if its text is at hand. */
  #layout(tile) {
    let layout = this.#layouts.get(tile);
    if (layout) {
      this.#layouts.delete(tile);
    } else {
      const [text, cells] = [this.#tile("text", 0, tile), this.#tile("cells", 0, tile)];
      if (!text || !cells) return undefined;
      layout = layoutTile(text, cells, this.columns);
      this.#setRows(tile, layout);
    }
    this.#layouts.set(tile, layout);
    if (this.#layouts.size > MOST_LAYOUTS) this.#layouts.delete(this.#layouts.keys().next().value);
    return layout;
  }

  async #layoutOf(tile) {
    if (!this.#layouts.has(tile)) await Promise.all([this.tileOf("text", 0, tile), this.tileOf("cells", 0, tile)]);
    return this.#layout(tile) ?? this.#layoutOf(tile);
  }

  /** Set the rows of a tile, and keep what is seen where it is. */
  #setRows(tile, { nRows, widest }) {
    const { geometry, scroll } = this;
    const isWider = !this.wraps && widest > this.widest;
    if (isWider) this.widest = widest;
    if (!isWider && geometry.isKnown(tile) && geometry.rowsOf(tile) === nRows) return;
    const seen = geometry.placeAt(scroll.top).tile;
    const below = scroll.top - geometry.top(seen);
    const height = geometry.top(seen + 1) - geometry.top(seen);
    geometry.setRows(tile, nRows);
    const share = seen === tile ? (geometry.top(tile + 1) - geometry.top(tile)) / height : 1;
    const top = scroll.top <= geometry.margin ? scroll.top : geometry.top(seen) + below * share;
    this.#fit();
    if (Math.abs(top - scroll.top) >= 0.5) scroll.to(top);
  }

  #fit() {
    this.scroll.fit(this.wraps ? "100%" : `${Math.ceil(this.gutter + (this.widest + 4) * this.cellWidth)}px`);
  }

  /** The character under a point of the window, or `null`; `nearest` also beside and below the text. */
  under({ x, y }, nearest = false) {
    const box = this.scroller.getBoundingClientRect();
    const place = this.geometry.placeAt(y - box.top + this.scroll.top);
    const layout = this.#layouts.get(place.tile);
    if (!layout || place.inTitle || (!nearest && place.below >= this.geometry.rowHeight)) return null;
    const column = (x - box.left + this.scroller.scrollLeft - this.gutter) / this.cellWidth;
    const i = characterAt(layout, place.row, column, nearest);
    return i === null ? null : { position: place.tile * this.header.tile_chars + i, panel: place.panel };
  }

  // ---- Frames

  #reshape() {
    this.#isShapeStale = true;
    this.schedule();
  }

  /** Draw the rows where they are, with other tracks. */
  #repaint() {
    this.inspector.setPanels(this.panels, this.palette);
    this.#inspected = this.#markedAs = "";
    this.#isPaintStale = true;
    for (const block of this.blocks.values()) block.firstColumn = -1;
    this.schedule();
  }

  schedule() {
    this.#scheduled ||= requestAnimationFrame(() => this.#frame());
  }

  /** Draw what is missing on the screen and one screen beyond. All data are at hand, or are asked for and come later. */
  #frame() {
    this.#scheduled = 0;
    if (!this.scroller.clientWidth) return; // not on the screen: the observer of sizes says when it is
    const started = performance.now();
    if (this.#isShapeStale) this.#shape();
    const isNew = this.#isPaintStale;
    this.#isPaintStale = false;
    this.scroll.read();
    this.#placeBlocks();
    this.#drawBlocks(started, isNew);
    this.pointed = this.#pointer && !this.selection.press ? this.under(this.#pointer) : this.#pointedElsewhere;
    this.#showMarks();
    this.#inspect();
    this.options.onFrame?.(this);
    if (this.options.measured) performance.measure("char-probe frame", { start: started, end: performance.now() });
  }

  /** Take the sizes of the window and of the type: all is laid out and drawn anew. */
  #shape() {
    const { root, scroller, geometry, header, panels } = this;
    this.#isShapeStale = false;
    const kept = this.#seen();
    root.style.fontSize = `${this.size}px`;
    root.classList.toggle("narrow", root.clientWidth < NARROW_EM * this.size);
    root.classList.toggle("by-line", !this.wraps);
    this.toolbar.show(this);
    const ratio = devicePixelRatio || 1;
    const edge = this.body.getBoundingClientRect().top * ratio;
    this.body.style.paddingTop = `${(Math.ceil(edge - 0.01) - edge) / ratio}px`; // canvases blur between device pixels
    this.painter = new Painter(header, this.palette, this.size, ratio, this.#nStrips, this.showsGuesses);
    this.#repaint();
    this.cellWidth = this.painter.cellWidth / ratio;
    const lines = [...header.tile_places.map(([line]) => line), ...header.documents.map(({ line }) => line)];
    const lastLine = lines.reduce((most, line) => Math.max(most, line), 1) + 400; // or about that
    this.gutter = Math.ceil((String(lastLine).length * 0.62 + 1.6) * this.size * ratio) / ratio; // whole device pixels
    this.scroll.height = scroller.clientHeight || 400;
    const room = Math.floor((scroller.clientWidth - this.gutter - this.size) / this.cellWidth);
    const columns = this.wraps ? Math.min(Math.max(room, 8), MOST_COLUMNS) : null;
    if (columns !== this.columns) geometry.forgetRows();
    Object.assign(this, { columns, widest: 0 });
    this.#layouts.clear();
    geometry.setShape(this.#shapeOf(panels.length, this.painter.rowHeight / ratio, ratio));
    for (const [key, block] of this.blocks) this.#dropBlock(key, block);
    this.#fit();
    if (kept) this.#restore(kept);
  }

  #shapeOf(nPanels, rowHeight, ratio) {
    const em = (n) => Math.round(n * this.size * ratio) / ratio;
    if (nPanels === 1) return { nPanels, rowHeight, titleHeight: 0, gap: 0, margin: em(0.8), nRows: Math.max(1, Math.round(em(BLOCK_EM) / rowHeight)) };
    const titleHeight = em(1.9);
    const fitting = Math.floor((this.scroll.height / nPanels - titleHeight) / rowHeight);
    return { nPanels, rowHeight, titleHeight, gap: em(1.4), margin: em(0.8), nRows: Math.max(this.showsGuesses ? 2 : 4, fitting) };
  }

  /** What is to stay where it is: the caret if it is seen, else the first row, and how far down it is. */
  #seen() {
    const { geometry, scroll, caret } = this;
    const tileChars = this.header.tile_chars;
    if (!this.painter || !this.header.n_chars || scroll.top < 1) return null;
    const tile = Math.floor(caret.position / tileChars);
    const layout = this.#layouts.get(tile);
    if (layout && caret.panel < geometry.nPanels) {
      const below = geometry.rowTop(tile, layout.rows[caret.position % tileChars], caret.panel) - scroll.top;
      if (below >= 0 && below < scroll.height) return { ...caret, below };
    }
    return this.place;
  }

  /** The first character of the first row that is seen, and how many pixels below the top it is; `null` if not known. */
  get place() {
    const first = this.geometry.placeAt(this.scroll.top);
    const starts = this.#layouts.get(first.tile)?.starts;
    return starts ? { position: first.tile * this.header.tile_chars + starts[first.row], panel: 0, below: -first.below } : null;
  }

  /** Scroll to a place, which stays where the caret is. */
  async showPlace(place) {
    const turn = ++this.#turn;
    const tile = Math.floor(place.position / this.header.tile_chars);
    if (this.#isShapeStale) this.#shape();
    if (!this.#layouts.has(tile)) this.scroll.to(this.geometry.top(tile));
    await this.#layoutOf(tile);
    if (turn !== this.#turn) return;
    this.#restore({ panel: 0, ...place });
    this.schedule();
  }

  #restore({ position, panel, below }) {
    const { geometry, scroll } = this;
    const tile = Math.floor(position / this.header.tile_chars);
    const layout = this.#layout(tile);
    if (!layout) return;
    const top = geometry.rowTop(tile, layout.rows[position % this.header.tile_chars], Math.min(panel, geometry.nPanels - 1));
    scroll.to(top - Math.min(below, Math.max(scroll.height - 2 * geometry.rowHeight, 0)));
  }

  // ---- Blocks

  /** Blocks from top to bottom. */
  blocksInOrder() {
    return [...this.blocks.values()].sort((a, b) => a.top - b.top);
  }

  /** Draw the blocks that are missing, the nearest first: at least one, and as many as there is time for. */
  #drawBlocks(started, isNew) {
    const { scroll } = this;
    const before = this.#nDrawn;
    for (const spec of this.#wantedBlocks(started)) {
      if (this.#isFresh(spec)) continue;
      const isDue = isNew && spec.top < scroll.top + scroll.height && spec.top + spec.height > scroll.top;
      if (this.#nDrawn > before && !isDue && performance.now() - started > FRAME_MS) {
        this.schedule();
        break;
      }
      this.#drawBlock(spec);
    }
    if (this.#nDrawn > before) this.selection.project();
  }

  #wantedBlocks(started) {
    const { geometry, scroll } = this;
    const around = () => geometry.between(scroll.top - scroll.height, scroll.top + 2 * scroll.height);
    let { blocks, unknown } = around();
    for (const tile of unknown) {
      if (performance.now() - started > 2 * FRAME_MS) this.schedule();
      else if (this.#layout(tile)) ({ blocks } = around());
    }
    if (unknown.some((tile) => geometry.isKnown(tile))) this.schedule(); // others may be seen now
    const middle = scroll.top + scroll.height / 2;
    const distance = (block) => Math.max(0, Math.abs(block.top + block.height / 2 - middle) - scroll.height / 2);
    return blocks.map((block) => [distance(block), block]).sort((a, b) => a[0] - b[0] || a[1].top - b[1].top).map(([, block]) => block);
  }

  /** Take away what is far from the screen, and put the others where they belong. */
  #placeBlocks() {
    const { scroll } = this;
    const [top, bottom] = [scroll.top - 1.5 * scroll.height, scroll.top + 2.5 * scroll.height];
    for (const [key, block] of this.blocks) {
      if (block.top >= bottom || block.top + block.height <= top) this.#dropBlock(key, block);
      else if (scroll.base !== this.#base) block.element.style.top = `${block.top - scroll.base}px`;
    }
    this.#base = scroll.base;
  }

  #dropBlock(key, block) {
    if (block.element.contains(this.root.getRootNode().activeElement)) this.scroller.focus({ preventScroll: true });
    block.element.remove();
    this.blocks.delete(key);
    if (this.#pool.length < 16) this.#pool.push(block);
  }

  /** The columns of rows that are drawn: all if they are wrapped, else those on the screen and some beside them. */
  #window() {
    if (this.wraps) return [0, this.columns];
    const first = Math.floor(this.scroller.scrollLeft / this.cellWidth / WINDOW_STEP) * WINDOW_STEP - WINDOW_STEP;
    const n = Math.ceil(this.scroller.clientWidth / this.cellWidth / WINDOW_STEP) * WINDOW_STEP + 3 * WINDOW_STEP;
    return [Math.max(first, 0), n];
  }

  /** Whether a block is on the screen as it should be; one that has only moved is put in its place. */
  #isFresh(spec) {
    const block = this.blocks.get(spec.key);
    if (!block || block.firstColumn !== this.#window()[0]) return false;
    if (block.top !== spec.top) {
      block.top = spec.top;
      block.element.style.top = `${spec.top - this.#base}px`;
    }
    return true;
  }

  /** All that a block shows, if it is at hand. */
  #dataOf({ tile, panel }) {
    const levels = this.panels[panel].tracks.map((track) => this.#tile("tracks", track, tile));
    const guesses = this.showsGuesses ? ["guess_ids", "guess_levels"].map((kind) => this.#tile(kind, 0, tile)) : [];
    const [text, cells] = [this.#tile("text", 0, tile), this.#tile("cells", 0, tile)];
    const layout = text && cells && this.#layout(tile);
    if (!layout || ![...levels, ...guesses].every(Boolean)) return null;
    return { text, cells, layout, levels, guessIds: guesses[0], guessLevels: guesses[1], start: tile * this.header.tile_chars };
  }

  /** Draw a block, if its data are at hand. */
  #drawBlock(spec) {
    const data = this.#dataOf(spec);
    if (!data) return;
    const { painter, geometry } = this;
    const { panel, firstRow, nRows } = spec;
    const [firstColumn, nColumns] = this.#window();
    const stops = data.layout.starts;
    const block = this.blocks.get(spec.key) ?? this.#newBlock(spec);
    Object.assign(block, spec, { firstColumn, start: data.start + stops[firstRow], stop: data.start + stops[firstRow + nRows] });
    Object.assign(block.element.style, { top: `${spec.top - this.#base}px`, height: `${spec.height}px` });
    const { canvas } = block;
    const [width, height] = [nColumns * painter.cellWidth, nRows * painter.rowHeight];
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, { width, height });
      Object.assign(canvas.style, { width: `${width / painter.ratio}px`, height: `${height / painter.ratio}px` });
    }
    const left = this.gutter + firstColumn * this.cellWidth;
    Object.assign(canvas.style, { top: `${geometry.titleHeight}px`, left: `${left}px` });
    painter.draw(block.context, data, this.panels[panel].tracks, firstRow, nRows, firstColumn, nColumns);
    block.title.textContent = titleOf(this.panels[panel], this.header);
    const written = [spec.key, firstRow, nRows, firstColumn].join(" ");
    if (block.written !== written) {
      this.#writeRows(block, data, left);
      this.#writeLines(block, data);
      block.written = written;
    }
    this.#nDrawn++;
  }

  #newBlock(spec) {
    const block = this.#pool.pop() ?? this.#emptyBlock();
    block.written = "";
    const after = this.blocksInOrder().find((one) => one.top > spec.top);
    this.content.insertBefore(block.element, after?.element ?? null);
    block.title.hidden = this.panels.length < 2;
    block.title.style.height = `${this.geometry.titleHeight}px`;
    block.rows.setAttribute("aria-hidden", String(spec.panel > 0)); // the other panels have the same text
    block.element.classList.toggle("quiet", spec.panel !== this.caret.panel);
    this.blocks.set(spec.key, block);
    return block;
  }

  #emptyBlock() {
    const canvas = make("canvas", "", { "aria-hidden": "true" });
    const block = { canvas, context: canvas.getContext("2d", { alpha: false }) };
    block.title = button("", "", "", () => this.show(this.panels[block.panel].tracks));
    block.title.className = "panel-title";
    block.title.title = "Show this panel alone";
    block.rows = make("div", "rows");
    block.lines = make("div", "lines", { "aria-hidden": "true" });
    block.element = make("div", "block", {}, block.title, canvas, block.rows, block.lines);
    return block;
  }

  /** Write the text of a block, unseen, over its picture: to be selected, and read aloud. */
  #writeRows(block, data, left) {
    const { painter, geometry } = this;
    const rows = [];
    for (let row = block.firstRow; row < block.firstRow + block.nRows; row++) {
      const [start, stop] = this.#charsInWindow(data.layout, row, block.firstColumn);
      rows.push(make("div", "row", {}, ...this.#nodesOf(data, start, stop)));
    }
    const { style } = block.rows;
    Object.assign(style, { top: `${geometry.titleHeight}px`, left: `${left}px`, letterSpacing: `${this.cellWidth - painter.advance}px` });
    style.setProperty("--row", `${geometry.rowHeight}px`);
    style.setProperty("--cell", `${painter.cellHeight / painter.ratio}px`);
    block.rows.replaceChildren(...rows);
  }

  #charsInWindow(layout, row, firstColumn) {
    const [start, stop] = [layout.starts[row], layout.starts[row + 1]];
    if (this.wraps) return [start, stop];
    const first = characterAt(layout, row, firstColumn, true);
    if (layout.left[first] + layout.width[first] <= firstColumn) return [stop, stop];
    return [first, characterAt(layout, row, firstColumn + this.#window()[1], true) + 1];
  }

  /** Text nodes of some characters; those that are not as wide as their cells are in elements of that width. */
  #nodesOf({ text, cells, start }, from, stop) {
    const nodes = [];
    let plain = from;
    const add = (first, end, nColumns) => {
      if (first === end) return;
      const node = document.createTextNode(stringOf(text, first, end));
      node.first = start + first;
      if (!nColumns) return nodes.push(node);
      const cell = make("span", "", {}, node);
      cell.style.width = `${nColumns * this.cellWidth}px`;
      return nodes.push(cell);
    };
    for (let i = from; i < stop; ) {
      const next = Math.min(clusterStop(cells, i), stop);
      if (!this.#isPlain(text[i], cells[i], next - i)) {
        add(plain, i, 0);
        add(i, next, Math.max(cells[i] & WIDTH, 1));
        plain = next;
      }
      i = next;
    }
    add(plain, stop, 0);
    return nodes;
  }

  /** Whether a cluster is one character that the browser draws as wide as its cell. */
  #isPlain(code, cell, length) {
    if (code >= 0x20 && code < 0x7f) return length === 1;
    if (length > 1 || cell !== 1 || (code >= 0x590 && code < 0x900)) return false; // those of right-to-left scripts move
    if (!this.#plain.has(code)) this.#plain.set(code, this.painter.isMonospaced(String.fromCodePoint(code)));
    return this.#plain.get(code);
  }

  /** Write the numbers of lines beside the rows that begin one. */
  #writeLines(block, data) {
    const { layout, text } = data;
    const numbers = [];
    for (let r = 0; r < block.nRows; r++) {
      const position = data.start + layout.starts[block.firstRow + r];
      const { line, column } = placeOf(this.header, position, text);
      if (column !== 1 && position !== 0) continue;
      const number = make("span", "", {}, String(line));
      number.style.top = `${r * this.geometry.rowHeight}px`;
      number.style.lineHeight = `${this.painter.cellHeight / this.painter.ratio}px`;
      numbers.push(number);
    }
    Object.assign(block.lines.style, { width: `${this.gutter}px`, height: `${block.nRows * this.geometry.rowHeight}px` });
    block.lines.replaceChildren(...numbers);
  }

  // ---- Marks and the inspector

  #showMarks() {
    const { caret } = this;
    const pointed = this.pointed && this.pointed.position !== caret.position ? this.pointed : null;
    const drawn = [this.#nDrawn, caret.position, caret.panel, pointed?.position, pointed?.panel].join(" ");
    if (drawn === this.#markedAs) return;
    this.#markedAs = drawn;
    this.#showMark("caret", this.header.n_chars ? caret.position : null, caret.panel);
    this.#showMark("pointer", pointed && pointed.position, pointed?.panel);
  }

  /** Put a frame around a character in every panel. */
  #showMark(kind, position, panel) {
    const { geometry, painter } = this;
    const marks = this.#marks[kind];
    const tile = position === null ? -1 : Math.floor(position / this.header.tile_chars);
    const layout = this.#layouts.get(tile);
    for (let p = 0; p < Math.max(marks.length, this.panels.length); p++) {
      const i = layout ? position - tile * this.header.tile_chars : 0;
      const row = layout ? layout.rows[i] : 0;
      const block = layout && this.blocks.get(`${tile} ${Math.floor(row / geometry.nRows)} ${p}`);
      if (!block) {
        marks[p]?.remove();
        continue;
      }
      marks[p] ??= make("div", `mark ${kind}`, { "aria-hidden": "true" });
      marks[p].classList.toggle("main", p === panel);
      const top = geometry.titleHeight + (row - block.firstRow) * geometry.rowHeight;
      const height = painter.trackHeight / painter.ratio;
      const width = Math.max(layout.width[i] * this.cellWidth, 2);
      Object.assign(marks[p].style, { top: `${top}px`, left: `${this.gutter + layout.left[i] * this.cellWidth}px`, width: `${width}px`, height: `${height}px` });
      if (marks[p].parentNode !== block.element) block.element.append(marks[p]);
    }
  }

  #inspect() {
    if (!this.header.n_chars) return;
    const { position, panel } = this.pointed ?? this.caret;
    const key = `${position} ${panel}`;
    if (key === this.#inspected) return;
    const tile = Math.floor(position / this.header.tile_chars);
    let isComplete = true;
    const said = this.inspector.show(position, this.panels[panel], (kind, track) => {
      const values = this.#tile(kind, track, tile);
      isComplete &&= Boolean(values);
      return values;
    });
    if (!isComplete) return;
    this.#inspected = key;
    this.options.onInspect?.(position);
    if (this.#isSaid && !this.pointed) this.spoken.textContent = said;
    this.#isSaid = false;
  }
}

// ---- Paper

const PRINTED_CHARS = 20_000;
const PRINTED_CELLS = 80_000; // of all panels: more would take the browser minutes
const PRINTED_COLUMNS = 96;

/** The passage as elements for paper, in light colours: the first characters, if there are very many. */
function printSheet(view) {
  const { header, panels } = view;
  const palette = new Palette(header.colours.light);
  const n = Math.min(header.n_chars, PRINTED_CHARS, Math.floor(PRINTED_CELLS / panels.length));
  const sheet = make("div", "sheet");
  if (n < header.n_chars) sheet.append(make("p", "note", {}, `These are the first ${grouped(n)} of ${grouped(header.n_chars)} characters.`));
  for (const panel of panels) {
    const cards = panel.tracks.map((track, i) => new Card(header.tracks[track], palette, ["characters", "first strip", "second strip", "third strip"][i]).element);
    if (panels.length > 1) sheet.append(make("div", "heading", {}, titleOf(panel, header)));
    sheet.append(make("div", "cards", {}, ...cards));
    const levels = panel.tracks.map((track) => palette.levels(header.tracks[track].scale));
    for (const level of levels) level.colours = level.colours.map((colour) => (colour === palette.mix(0) ? "#fff" : colour)); // paper is white
    for (let tile = 0; tile * header.tile_chars < n; tile++) sheet.append(...printedRows(view, panel, levels, tile, n - tile * header.tile_chars));
  }
  return sheet;
}

function printedRows({ header, provider }, panel, levels, tile, most) {
  const [text, cells] = [provider.tile("text", 0, tile), provider.tile("cells", 0, tile)];
  const tracks = panel.tracks.map((track) => provider.tile("tracks", track, tile));
  if (!text || !cells || !tracks.every(Boolean)) return [make("p", "note", {}, "This part has not been loaded; scroll over it before printing.")];
  const layout = layoutTile(text.subarray(0, most), cells.subarray(0, most), PRINTED_COLUMNS);
  return Array.from({ length: layout.nRows }, (_, row) => {
    const [start, stop] = [layout.starts[row], layout.starts[row + 1]];
    const colour = (k, i) => (tracks[k][i] === MISSING ? "hatched" : levels[k].colours[tracks[k][i]]);
    const line = make("div", "line");
    for (let i = start; i < stop; ) {
      const next = Math.min(clusterStop(cells, i), stop);
      const sign = cells[i] > WIDTH ? header.signs[text[i]] : undefined;
      const cell = make("span", sign ? "sign" : "", {}, sign ?? stringOf(text, i, next));
      cell.style.width = `${Math.max(cells[i] & WIDTH, 1)}ch`;
      if (tracks.length) paint(cell, colour(0, i));
      if (tracks.length && levels[0].inks[tracks[0][i]] === WHITE) cell.style.color = "#fff";
      line.append(cell);
      i = next;
    }
    const strips = tracks.slice(1).map((_, k) => printedStrip(layout, start, stop, (i) => colour(k + 1, i)));
    return make("div", "printed", {}, line, ...strips);
  });
}

/** A strip: one element for each run of characters of one colour. */
function printedStrip(layout, start, stop, colourOf) {
  const strip = make("div", "strip");
  for (let i = start; i < stop; ) {
    let [next, width] = [i, 0];
    const colour = colourOf(i);
    for (; next < stop && colourOf(next) === colour; next++) width += layout.width[next];
    const run = make("span");
    run.style.width = `${width}ch`;
    paint(run, colour);
    strip.append(run);
    i = next;
  }
  return strip;
}

function paint(element, colour) {
  if (colour === "hatched") element.classList.add("hatched");
  else element.style.backgroundColor = colour;
}

// ---- A widget of anywidget

export default {
  render({ model, el }) {
    let view;
    const show = () => {
      view?.destroy();
      const data = model.get("container");
      const options = { ...model.get("options"), embedded: true };
      view = data?.byteLength ? new TextView(el, new PageTiles(data), options) : undefined;
    };
    model.on("change:container", show);
    show();
    return () => {
      model.off("change:container", show);
      view?.destroy();
    };
  },
};
