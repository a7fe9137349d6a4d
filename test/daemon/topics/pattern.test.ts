import assert from "node:assert/strict";
import { test } from "node:test";
import { covers, matches } from "../../../src/daemon/topics/pattern.ts";
import fc from "../../fixtures/properties.ts";

const part = fc.constantFrom("a", "b", "c", "tree", "node");
const topic = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("."));
const pattern = fc
  .tuple(fc.array(fc.oneof(part, fc.constant("*")), { maxLength: 4 }), fc.boolean())
  .filter(([parts, isOpen]) => parts.length > 0 || isOpen)
  .map(([parts, isOpen]) => [...parts, ...(isOpen ? [">"] : [])].join("."));

/** The meaning of a pattern, said by another: as an expression over the whole topic. */
function asExpression(text: string): RegExp {
  const parts = text.split(".").map((one) => (one === "*" ? "[^.]+" : one === ">" ? ".+" : one));
  return new RegExp(`^${parts.join("\\.")}$`);
}

test("`*` stands for one part, `>` for one or more at the end", () => {
  assert.ok(matches("plant.*.temperature", "plant.kiln.temperature"));
  assert.ok(matches("plant.>", "plant.kiln.temperature"));
  assert.ok(!matches("plant.>", "plant"));
  assert.ok(!matches("plant.*", "plant.kiln.temperature"));
  fc.assert(
    fc.property(pattern, topic, (one, name) => {
      const isTrees = name === "tree" || name.startsWith("tree.");
      const namesTrees = one === "tree" || one.startsWith("tree.");
      assert.equal(matches(one, name), asExpression(one).test(name) && (!isTrees || namesTrees));
    }),
  );
});

test("what a tree tells is named by patterns that begin with tree, and by no others", () => {
  assert.ok(matches("tree.task-1", "tree.task-1"));
  assert.ok(matches("tree.*", "tree.task-1"));
  for (const open of [">", "*.>", "*.task-1"]) assert.ok(!matches(open, "tree.task-1"), open);
});

test("a pattern that is covered names no topic that the other does not", () => {
  fc.assert(
    fc.property(pattern, pattern, topic, (allowed, wanted, name) => {
      if (covers(allowed, wanted) && asExpression(wanted).test(name)) {
        assert.match(name, asExpression(allowed), `${allowed} covers ${wanted}`);
      }
    }),
    { numRuns: 2_000 },
  );
  fc.assert(fc.property(pattern, (one) => covers(one, one) && covers(">", one)));
  assert.ok(covers("a.*", "a.b") && covers("a.>", "a.*.c") && covers("a.>", "a.>"));
  assert.ok(!covers("a.*", "a.>") && !covers("a.b", "a.*") && !covers("a.>", "a"));
});
