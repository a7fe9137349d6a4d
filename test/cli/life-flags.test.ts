import assert from "node:assert/strict";
import { test } from "node:test";
import { create, equals } from "@bufbuild/protobuf";
import { Command } from "commander";
import { RuntimeSchema, RuntimeSpecSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { RestartMode, StartCondition } from "../../gen/edge/v1/workloads_pb.ts";
import { fromLifeFlags, type LifeFlags, withLifeFlags } from "../../src/cli/life-flags.ts";
import { lifeRows } from "../../src/cli/life-tell.ts";

const given = (...args: string[]) => {
  const command = withLifeFlags(new Command("create"))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return create(RuntimeSpecSchema, fromLifeFlags(command.parse(args, { from: "user" }).opts<LifeFlags>()));
};

test("flags of a life mean the message of the contract, and are told as people read them", () => {
  const spec = create(RuntimeSpecSchema, {
    restart: RestartMode.ON_FAILURE,
    health: { http: { port: 8443, path: "/api/version", https: true } },
    after: [{ runtime: "db" }, { runtime: "broker", condition: StartCondition.HEALTHY }],
  });
  const check = "https:8443/api/version";
  const said = given(
    "--restart",
    "on-failure",
    "--health",
    check,
    "--after",
    "db",
    "--after",
    "broker:healthy",
  );
  assert.ok(equals(RuntimeSpecSchema, said, spec));
  const runtime = create(RuntimeSchema, { spec });
  assert.deepEqual(
    lifeRows(runtime).map((row) => row.join(": ")),
    [`check: ${check}`, "restart: on failure", "after: db, broker (healthy)"],
  );
  assert.ok(equals(RuntimeSpecSchema, given(), create(RuntimeSpecSchema)));
  assert.deepEqual(lifeRows(create(RuntimeSchema, { spec: given() })), []);
  assert.equal(given("--health", "tcp:502").health?.tcp?.port, 502);
  assert.equal(given("--health", "none").health?.disabled, true);
});

test("a check or a runtime that is mistyped says what is needed", () => {
  for (const check of ["8443", "https://plc:8443", "tcp:502/x", "ftp:21"]) {
    assert.throws(
      () => given("--health", check),
      /must be as https:8443\/api\/version, http:8080, tcp:502 or none/,
    );
  }
  assert.throws(
    () => given("--after", "db:started"),
    /it must be a runtime's name, as in broker or broker:healthy/,
  );
  assert.throws(() => given("--restart", "sometimes"), /Allowed choices are always, on-failure, never/);
});
