// What probe/explorer/page/state.js writes into the address is what it reads from it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const source = readFileSync(new URL("../../probe/explorer/page/state.js", import.meta.url));
const { KINDS, readFragment, writeFragment } = await import(`data:text/javascript;base64,${source.toString("base64")}`);

test("a fragment is read as it was written", () => {
  const texts = new Map([["u", "0/cell/56"], ["h", "regex:'a|b=%2C&#\n\u202e漢👩'"], ["later", ""], ["a b&c", "1=2"]]);
  assert.deepEqual(readFragment(writeFragment(texts)), texts);
  assert.equal(writeFragment(new Map([["r", "0"], ["u", "0/cell/56"], ["h", "in_comment"], ["t", "unit,labels"]])), "#r=0&u=0/cell/56&h=in_comment&t=unit,labels");
});

test("values of every kind are read as they were written", () => {
  const values = {
    text: ["", "a,b", "%"],
    whole: [0, 123456789],
    flag: [true, false],
    texts: [[], ["unit"], ["a,b", "50%", "%2C", "x"]],
    wholes: [[0], [1, 0]],
    spans: [[], [[1, 4]], [[1, 4], [10, 200]]],
    place: [{ position: 12, below: -31 }, { position: 0, below: 12 }],
  };
  assert.deepEqual(Object.keys(values).sort(), Object.keys(KINDS).sort());
  for (const [kind, examples] of Object.entries(values)) {
    for (const value of examples) {
      const read = readFragment(writeFragment(new Map([["k", KINDS[kind].print(value)]]))).get("k");
      assert.deepEqual(KINDS[kind].parse(read), value, kind);
    }
  }
});

test("what says nothing sensible is no value", () => {
  assert.deepEqual(readFragment("#%&=&a&%ZZ=1&b=%ZZ&c=1"), new Map([["c", "1"]]));
  for (const [kind, text] of [["whole", "1e9"], ["whole", "-1"], ["wholes", "1,,2"], ["wholes", ""], ["flag", "yes"], ["spans", "3-"], ["place", "5"]]) {
    assert.equal(KINDS[kind].parse(text), undefined, kind);
  }
});
