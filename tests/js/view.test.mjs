// What probe/viewer/page/view.js computes without a browser. Run by tests/test_probe_viewer_module.py, which writes what
// Python says to the file that CHAR_PROBE_SHARED names; `node --test tests/js` alone leaves those tests out.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// Node takes a file .js for CommonJS unless a package.json says otherwise, but text for what it is told.
const source = readFileSync(new URL("../../probe/viewer/page/view.js", import.meta.url));
const view = await import(`data:text/javascript;base64,${source.toString("base64")}`);

const path = process.env.CHAR_PROBE_SHARED;
const shared = path ? JSON.parse(readFileSync(path, "utf-8")) : null;
const withPython = { skip: shared ? false : "needs CHAR_PROBE_SHARED, which pytest sets" };

test("rows are those of Python, for any text and width", withPython, () => {
  for (const { codes, cells, columns, rows, left, width } of shared.layouts) {
    const layout = view.layoutTile(Uint32Array.from(codes), Uint8Array.from(cells), columns);
    assert.deepEqual([...layout.rows], rows);
    left.forEach((value, i) => assert.ok(Math.abs(layout.left[i] - value) < 1e-9));
    width.forEach((value, i) => assert.ok(Math.abs(layout.width[i] - value) < 1e-9));
    assert.equal(layout.nRows, rows.length ? rows.at(-1) + 1 : 0);
    assert.deepEqual([...layout.starts], [...new Set(rows)].map((row) => rows.indexOf(row)).concat(codes.length));
  }
});

test("the character at the middle of a cell is the character of the cell", withPython, () => {
  for (const { codes, cells, columns } of shared.layouts) {
    const layout = view.layoutTile(Uint32Array.from(codes), Uint8Array.from(cells), columns);
    for (let i = 0; i < codes.length; i++) assert.equal(view.characterAt(layout, layout.rows[i], layout.left[i] + layout.width[i] / 2), i);
  }
});

test("colours and values are those of Python, for every level", withPython, () => {
  const levels = Uint8Array.from({ length: 256 }, (_, level) => level);
  for (const { scale, indices, values, full, numbers } of shared.scales) {
    assert.deepEqual([...view.colourIndices(levels, scale)], indices);
    if (scale.kind === "classes") continue;
    values.forEach((value, level) => {
      if (scale.is_whole && Math.abs(scale.offset + level * scale.step - value) > 0.51 * scale.step) return; // no value has this level
      if (scale.is_whole) assert.equal(view.levelText(level, scale), String(value));
      const shown = Number(view.levelText(level, scale).replace("−", "-"));
      assert.ok(Math.abs(shown - value) <= 1.6 * scale.step, `${shown} for ${value}`);
    });
    assert.deepEqual(view.barNumbers(scale), numbers);
    const [low, , high] = view.barNumbers(scale).map((number) => Number(number.replace(/[≤≥ ]/g, "").replace("−", "-")));
    assert.ok(Math.abs(high - full[1]) <= 1.6 * scale.step && Math.abs(low - full[0]) <= 1.6 * scale.step);
  }
});

test("a container is read as Python wrote it", withPython, async () => {
  const { header, parts } = view.decodeContainer(Buffer.from(shared.container, "base64"));
  assert.equal(header.title, shared.title);
  assert.equal(parts.byteOffset % 8, 0);
  const tiles = await view.PageTiles.fromBase64(shared.compressed);
  const whole = (kind, track = 0) => [0, 1].flatMap((tile) => [...tiles.tile(kind, track, tile)]);
  assert.deepEqual(whole("text"), shared.text);
  assert.deepEqual(whole("tracks", 1), shared.levels);
  assert.deepEqual(whole("guess_ids"), shared.guessIds);
  assert.equal(tiles.tile("text", 0, 2), undefined);
  assert.equal(tiles.tile("tracks", 7, 0), undefined);
});

test("document, line and column are those that counting newlines gives", withPython, async () => {
  const tiles = await view.PageTiles.fromBase64(shared.compressed);
  for (const { position, document, line, column } of shared.places) {
    const text = tiles.tile("text", 0, Math.floor(position / tiles.header.tile_chars));
    assert.deepEqual(view.placeOf(tiles.header, position, text), { document, line, column });
  }
});

test("bytes that are no text view are refused in a sentence", () => {
  assert.throws(() => view.decodeContainer(new ArrayBuffer(3)), /no text view; make them again/);
  assert.throws(() => view.decodeContainer(new TextEncoder().encode("\x02\0\0\0{}")), /no text view/);
  const later = Buffer.from(JSON.stringify({ format: "char-probe text view", version: 2 }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(later.length);
  assert.throws(() => view.decodeContainer(Buffer.concat([length, later])), /version 2/);
});

test("numbers have the digits that the step allows, and a real minus", () => {
  assert.equal(view.numberText(-0.5312, 0.008), "−0.53");
  assert.equal(view.numberText(0.5312, 0.05), "0.5");
  assert.equal(view.numberText(-0.001, 0.008), "0.00");
  assert.equal(view.numberText(1234.5, 9), "1235");
  assert.equal(view.numberText(-2.5e-9, 1e-9), "−2.50e−9");
});

test("a level without a value, and classes, have names", () => {
  assert.equal(view.levelText(255, { kind: "diverging", offset: 0, step: 1 }), "no value");
  assert.equal(view.levelText(1, { kind: "classes", classes: ["x", "y"] }), "y");
});

test("cached tiles are bounded, the least recently used goes first, and nothing is asked for twice at a time", async () => {
  const asked = [];
  const load = async (kind, track, index) => {
    asked.push(index);
    return new Uint8Array(100);
  };
  const tiles = new view.CachedTiles({}, load, { mostBytes: 300 });
  assert.equal(tiles.tile("cells", 0, 0), undefined);
  assert.deepEqual(asked, []); // looking is not asking
  await Promise.all([tiles.request("cells", 0, 0), tiles.request("cells", 0, 0), tiles.request("cells", 0, 1), tiles.request("cells", 0, 2)]);
  assert.deepEqual(asked, [0, 1, 2]);
  tiles.tile("cells", 0, 0);
  await tiles.request("cells", 0, 3);
  assert.equal(tiles.nBytes, 300);
  assert.equal(tiles.tile("cells", 0, 1), undefined);
  assert.ok(tiles.tile("cells", 0, 0) && tiles.tile("cells", 0, 2) && tiles.tile("cells", 0, 3));
});

test("a tile that cannot be loaded is asked for again", async () => {
  let nTries = 0;
  const load = async () => {
    if (!nTries++) throw new Error("gone");
    return new Uint8Array(1);
  };
  const tiles = new view.CachedTiles({}, load);
  await assert.rejects(tiles.request("cells", 0, 0), /gone/);
  assert.equal((await tiles.request("cells", 0, 0)).length, 1);
});

/** A geometry of three tiles, of 10, 7 and 3 rows. */
function geometry(nPanels) {
  const made = new view.Geometry(250, 100);
  made.setShape({ nPanels, rowHeight: 20, titleHeight: nPanels > 1 ? 30 : 0, nRows: 4, gap: nPanels > 1 ? 11 : 0, margin: 9 });
  [10, 7, 3].forEach((nRows, tile) => made.setRows(tile, nRows));
  return made;
}

test("rows stand one below the other, without gaps or overlaps", () => {
  for (const nPanels of [1, 3]) {
    const made = geometry(nPanels);
    const { blocks, unknown } = made.between(0, made.height);
    assert.deepEqual(unknown, []);
    assert.equal(blocks[0].top, 9);
    blocks.forEach((block, i) => {
      const gap = block.panel === nPanels - 1 ? made.gap : 0;
      const next = blocks[i + 1]?.top ?? made.height - made.margin;
      assert.equal(block.top + block.height + gap, next);
    });
    assert.deepEqual(blocks.filter(({ panel }) => panel === 0).map(({ nRows }) => nRows), [4, 4, 2, 4, 3, 3]);
    for (const { tile, panel, firstRow, nRows } of blocks) {
      for (let row = firstRow; row < firstRow + nRows; row++) {
        const place = made.placeAt(made.rowTop(tile, row, panel) + 5);
        assert.deepEqual(place, { tile, panel, row, below: 5, inTitle: false });
      }
    }
  }
});

test("only blocks that are seen are wanted, and a title is no row", () => {
  const made = geometry(3);
  const seen = made.between(100, 200).blocks;
  assert.ok(seen.every(({ top, height }) => top < 200 && top + height > 100));
  assert.equal(made.placeAt(seen[1].top + 1).inTitle, true);
});

test("rows of tiles that were not seen are estimated from those that were", () => {
  const made = new view.Geometry(250, 100);
  made.setRows(0, 10);
  assert.equal(made.rowsOf(2), 5); // 50 characters, at 10 rows for 100
  assert.deepEqual(made.between(0, 1000).unknown, [1, 2]);
});

test("finding goes forth and back, takes case if asked, and begins after the caret", () => {
  const codes = Uint32Array.from("abc ABC abc", (char) => char.codePointAt(0));
  const abc = Uint32Array.from("abc", (char) => char.codePointAt(0));
  assert.equal(view.findIn(codes, abc, true, 1, [0, 1], 11), 4);
  assert.equal(view.findIn(codes, abc, false, 1, [0, 1], 11), 8);
  assert.equal(view.findIn(codes, abc, true, -1, [8, -1], 11), 4);
  assert.equal(view.findIn(codes, abc, true, 1, [8, 1], 11), -1);
  assert.equal(view.findIn(codes, abc, true, -1, null, 5), 4);
});
