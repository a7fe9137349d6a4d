/** What selectors mean, as a table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isSelected, meets, parseSelector, requirementsOf } from "../../src/wire/selector.ts";

const labels = [
  { key: "site", value: "graz" },
  { key: "line", value: "2" },
  { key: "gpu", value: "" },
];

test("each part of a selector must hold", () => {
  const meant = [
    "site=graz",
    "site==graz",
    "site != linz",
    "line in (1, 2)",
    "line not in (3)",
    "gpu",
    "!spare",
    "gpu=",
  ];
  for (const one of meant) assert.ok(meets(labels, parseSelector(one)), one);
  assert.ok(meets(labels, parseSelector(meant.join(","))), "all at once");
  const others = [
    "site=linz",
    "site!=graz",
    "line in (1,3)",
    "line not in (1,2)",
    "spare",
    "!gpu",
    "site=",
    "spare=1",
  ];
  for (const one of others) assert.ok(!meets(labels, parseSelector(one)), one);
  assert.ok(!meets(labels, parseSelector("site=graz,line=3")));
  assert.ok(meets(labels, parseSelector("spare!=1")), "what is not there is other than any value");
});

test("what is no selector is refused with the part that is wrong", () => {
  for (const wrong of [
    "",
    "site=graz,",
    "=graz",
    "line in 1,2",
    "line in (1",
    "a=b=c",
    "!site=graz",
    "si te",
  ]) {
    assert.throws(() => parseSelector(wrong), { kind: "invalid" }, wrong);
  }
  assert.throws(
    () => parseSelector("site=graz,what is this"),
    /"what is this" is not a part of a selector, as in/,
  );
  const many = Array.from({ length: 17 }, (_, at) => `k${at}`).join(",");
  assert.throws(() => parseSelector(many), /at most 16 parts, and this has 17/);
});

test("labels as a selector mean the same either way", () => {
  for (const selector of [[], labels.slice(0, 1), labels, [{ key: "site", value: "linz" }]]) {
    assert.equal(meets(labels, requirementsOf(selector)), isSelected(labels, selector));
  }
});
