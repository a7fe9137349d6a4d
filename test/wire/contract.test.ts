import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { file_edge_v1_broker } from "../../gen/edge/v1/broker_pb.ts";
import { CommandSchema, file_edge_v1_command, ResultSchema } from "../../gen/edge/v1/command_pb.ts";
import { file_edge_v1_control } from "../../gen/edge/v1/control_pb.ts";
import { file_edge_v1_enrolment } from "../../gen/edge/v1/enrolment_pb.ts";
import { FailureKind as WireKind } from "../../gen/edge/v1/failure_pb.ts";
import { file_edge_v1_fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { file_edge_v1_netmon } from "../../gen/edge/v1/netmon_pb.ts";
import { rules } from "../../gen/edge/v1/rules_pb.ts";
import { Failure, type FailureKind, failure } from "../../src/base/failure.ts";
import { capabilities, capabilityOf, nodeServices, workloadOf } from "../../src/wire/commands.ts";
import {
  failureTable,
  fromConnectError,
  fromFailureMessage,
  toConnectError,
  toFailureMessage,
} from "../../src/wire/failures.ts";

const files = [
  file_edge_v1_command,
  file_edge_v1_control,
  file_edge_v1_enrolment,
  file_edge_v1_fleet,
  file_edge_v1_netmon,
  file_edge_v1_broker,
  ...nodeServices.map(({ file }) => file),
];
const kinds = Object.keys(failureTable) as FailureKind[];

test("every case of Command is a method of one service, with the same name and number in Result", () => {
  const named = (schema: DescMessage, oneof: string) =>
    schema.oneofs
      .find((one) => one.name === oneof)
      ?.fields.map((field) => [field.localName, field.number] as const)
      .filter(([name]) => name !== "failure");
  assert.deepEqual(named(CommandSchema, "request"), named(ResultSchema, "outcome"));
  assert.deepEqual(
    capabilities.map((one) => one.case).sort(),
    named(CommandSchema, "request")
      ?.map(([name]) => name)
      .sort(),
  );
});

test("a capability that only reads says so in the contract", () => {
  const reads = capabilities.filter((one) => one.isRead).map((one) => one.method.name);
  for (const name of reads) assert.match(name, /^(Get|List|Plan|Read|Search|Check|Test|Verify)/);
  assert.ok(!reads.includes("CreateRuntime"));
});

test("a command that this program does not know has no capability", () => {
  assert.equal(capabilityOf(create(CommandSchema, { id: "a" })), undefined);
});

test("commands of one runtime share a workload, whatever they ask", () => {
  const named = create(CommandSchema, { request: { case: "stopRuntime", value: { name: "plc1" } } });
  const made = create(CommandSchema, {
    request: { case: "createRuntime", value: { spec: { name: "plc1" } } },
  });
  const none = create(CommandSchema, { request: { case: "getNode", value: {} } });
  assert.equal(workloadOf(named), "runtime/plc1");
  assert.equal(workloadOf(made), "runtime/plc1");
  assert.equal(workloadOf(none), undefined);
});

test("an agent and a runtime of one name are two workloads, and tasks of one agent do not wait for each other", () => {
  const agent = create(CommandSchema, {
    request: { case: "deployAgent", value: { spec: { name: "plc1" } } },
  });
  const task = create(CommandSchema, { request: { case: "executeTask", value: { agent: "plc1" } } });
  assert.equal(workloadOf(agent), "agent/plc1");
  assert.equal(workloadOf(task), undefined);
});

test("every pattern of the contract compiles and says what it means", () => {
  let patterns = 0;
  const visit = (message: DescMessage): void => {
    for (const field of message.fields) {
      if (!hasOption(field, rules)) continue;
      const { pattern, mustBe } = getOption(field, rules);
      if (pattern === "") continue;
      patterns++;
      new RegExp(`^(?:${pattern})$`, "u");
      assert.ok(mustBe.length > 5, `${message.typeName}.${field.name} has a pattern and no must_be`);
    }
    message.nestedMessages.forEach(visit);
  };
  for (const file of files) file.messages.forEach(visit);
  assert.ok(patterns >= 8);
});

test("kinds map one to one to wire numbers, gRPC codes and exit codes", () => {
  const rows = Object.values(failureTable);
  for (const column of ["wire", "grpc", "exit"] as const) {
    assert.equal(new Set(rows.map((row) => row[column])).size, rows.length, column);
  }
  const wire = Object.values(WireKind).filter(
    (one) => typeof one === "number" && one !== WireKind.UNSPECIFIED,
  );
  assert.deepEqual(
    rows.map((row) => row.wire as number).sort((a, b) => a - b),
    wire,
  );
});

for (const kind of kinds) {
  test(`a failure of kind ${kind} comes out of both doors as it went in`, () => {
    const told = failure(kind, "a sentence", {
      violations: [{ field: "spec.name", message: "is required" }],
      word: "a_word",
    });
    for (const back of [fromFailureMessage(toFailureMessage(told)), fromConnectError(toConnectError(told))]) {
      assert.equal(back.kind, kind);
      assert.equal(back.message, "a sentence");
      assert.equal(back.word, "a_word");
      assert.equal(back.violations[0]?.field, "spec.name");
    }
  });
}

test("a cause never leaves the program", () => {
  const told = toFailureMessage(new Failure("internal", "outside", { cause: new Error("inside") }));
  assert.doesNotMatch(JSON.stringify(told), /inside/);
});
