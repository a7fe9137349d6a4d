import assert from "node:assert/strict";
import { test } from "node:test";
import { runtimeOf } from "../../../src/daemon/engine/events.ts";

const instanceId = "0123456789abcdef0123456789abcdef";

/** As an engine 20.10 wrote them, shortened. */
const heard: [about: string, actor: object, runtime: string | undefined][] = [
  [
    "a container of ours",
    { Attributes: { "edge.instance": instanceId, "edge.runtime": "press-1" } },
    "press-1",
  ],
  ["one that lost its labels", { Attributes: { name: "edge-01234567-press-1" } }, "press-1"],
  ["a network of ours", { ID: "9f", Attributes: { name: "edge-01234567-a-b", type: "bridge" } }, "a-b"],
  ["the volume of a runtime", { ID: "edge-01234567-a-b", Attributes: { driver: "local" } }, "a-b"],
  ["one of its volumes", { ID: "edge-01234567-a.b-c.4e1f", Attributes: { driver: "local" } }, "a"],
  [
    "a container of another daemon",
    { Attributes: { "edge.instance": "fe", name: "edge-fedcba98-a" } },
    undefined,
  ],
  ["somebody else's", { ID: "9f", Attributes: { name: "postgres" } }, undefined],
  ["nothing that is known", {}, undefined],
];

test("an event says whose runtime it is about", () => {
  for (const [about, Actor, runtime] of heard) {
    assert.equal(runtimeOf(JSON.stringify({ Type: "any", Actor }), instanceId), runtime, about);
  }
});
