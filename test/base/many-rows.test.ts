import assert from "node:assert/strict";
import { it } from "node:test";
import { inPieces, valuesOf } from "../../src/base/many-rows.ts";

it("numbers the placeholders of several rows, and says their types once", () => {
  assert.equal(valuesOf(["TEXT", "BIGINT"], 3), "(CAST($1 AS TEXT), CAST($2 AS BIGINT)), ($3, $4), ($5, $6)");
});

it("cuts many into pieces of few sizes, with all of them, in order", () => {
  const all = Array.from({ length: 231 }, (_, at) => at);
  const pieces = inPieces(all);
  assert.deepEqual(pieces.flat(), all);
  assert.deepEqual(new Set(pieces.map(({ length }) => length)), new Set([100, 10, 1]));
  assert.deepEqual(inPieces([]), []);
});
