/** The services of a node, asked of the hub: a node that does what the test says answers over a real line. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import { CommandState, Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { Invoke } from "../../../gen/edge/v1/invoke_pb.ts";
import { Node } from "../../../gen/edge/v1/node_pb.ts";
import { Runtimes } from "../../../gen/edge/v1/runtimes_pb.ts";
import { fromConnectError } from "../../../src/wire/failures.ts";
import { enrolFake } from "../../fakes/enrolled.ts";
import { startHub, type TestHub } from "../../fixtures/hub.ts";
import { until } from "../../journeys/until.ts";

/** What a call is refused with, as `kind: sentence`. */
async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (thrown) {
    const { kind, message } = fromConnectError(thrown);
    return `${kind}: ${message}`;
  }
  throw new Error("the call was answered");
}

describe("a node's services at the hub's API", () => {
  let hub: TestHub;
  before(async () => {
    hub = await startHub();
  });
  after(() => hub[Symbol.asyncDispose]());

  /** A node of the fleet that has not dialled yet. */
  const enrolNode = () => enrolFake(hub);
  const at = (nodeId: string, more: Record<string, string> = {}) =>
    hub.client(Runtimes, hub.adminToken, { "edge-node": nodeId, ...more });

  it("a call names its node, and is checked before it gets there", async () => {
    const { id } = await enrolNode();
    const viewer = hub.client(Runtimes, (await hub.tokenOf("viewer")).token, { "edge-node": id });

    assert.match(
      await refusal(hub.client(Runtimes).listRuntimes({})),
      /^invalid: edge-node: is required as metadata/,
    );
    assert.match(
      await refusal(at("n-nobody").listRuntimes({})),
      /^not_found: node n-nobody is not in the fleet/,
    );
    assert.match(
      await refusal(at(id, { "edge-command-id": "a b" }).stopRuntime({ name: "x" })),
      /^invalid: edge-command-id: "a b" must be 1 to 64/,
    );
    assert.match(
      await refusal(at(id).createRuntime({ spec: { name: "Not A Name", image: "UPPER" } })),
      /^invalid: spec\.name: "Not A Name" must be .*; spec\.image: "UPPER" must be/,
    );
    assert.match(
      await refusal(viewer.stopRuntime({ name: "x" })),
      /^denied: StopRuntime needs the role operator/,
    );
    assert.match(await refusal(viewer.listRuntimes({})), /^unavailable: /);
    assert.deepEqual((await hub.client(Fleet).listCommands({ nodeId: id })).commands, []);
  });

  it("a read is answered by the node and kept by nobody", async () => {
    const { id, dial } = await enrolNode();
    using node = await dial();
    const asked = hub.client(Node, hub.adminToken, { "edge-node": id }).getNode({});
    const { sequence, command } = await node.next("command");
    assert.equal(sequence, 0n);
    assert.equal(command?.request.case, "getNode");
    const outcome = { case: "getNode" as const, value: { daemonVersion: "9.9.9" } };
    const result = { commandId: command.id, outcome };
    node.send({ case: "report", value: { sequence: 0n, entry: { case: "result", value: result } } });

    assert.equal((await asked).daemonVersion, "9.9.9");
    assert.deepEqual((await hub.client(Fleet).listCommands({ nodeId: id })).commands, []);
  });

  it("a command has its caller's name and time, and its result is the answer, however often it is asked for", async () => {
    const { id, dial } = await enrolNode();
    using node = await dial();
    const client = at(id, { "edge-command-id": "stop-1" });
    const asked = client.stopRuntime({ name: "plc1" }, { timeoutMs: 90_000 });
    const { command } = await node.next("command");
    assert.equal(command?.actor, "operator/admin");
    assert.equal(command.budgetMs, 90_000);
    const failed = { kind: FailureKind.NOT_FOUND, message: "there is no runtime plc1" };
    const result = { commandId: "stop-1", outcome: { case: "failure" as const, value: failed } };
    node.send({ case: "report", value: { sequence: 1n, entry: { case: "result", value: result } } });

    const first = ConnectError.from(await asked.catch((thrown: unknown) => thrown));
    assert.equal(await refusal(Promise.reject(first)), "not_found: there is no runtime plc1");
    assert.equal(first.metadata.get("edge-command-id"), "stop-1");
    assert.equal(await refusal(client.stopRuntime({ name: "plc1" })), "not_found: there is no runtime plc1");
    assert.match(await refusal(client.stopRuntime({ name: "plc2" })), /^conflict: /);
    assert.equal((await hub.client(Fleet).listCommands({ nodeId: id })).commands.length, 1);
  });

  it("what was said to a runtime's own interface is for those only who may speak to it", async () => {
    const { id, dial } = await enrolNode();
    using node = await dial();
    const invoke = hub.client(Invoke, hub.adminToken, { "edge-node": id, "edge-command-id": "say-1" });
    const bytes = Buffer.from("secret");
    const headers = [{ name: "authorization", value: "secret" }];
    const asked = invoke.invokeRuntime({ runtime: "plc1", method: "POST", path: "/", headers, body: bytes });
    await node.next("command");
    const outcome = { case: "invokeRuntime" as const, value: { status: 200, headers, body: bytes } };
    const result = { commandId: "say-1", outcome };
    node.send({ case: "report", value: { sequence: 1n, entry: { case: "result", value: result } } });
    assert.equal(Buffer.from((await asked).body).toString(), "secret");

    const secretsIn = (told: unknown) =>
      JSON.stringify(told, (_, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString() : typeof value === "bigint" ? 0 : value,
      ).split("secret").length - 1;
    const seenBy = async (token?: string) => {
      const fleet = hub.client(Fleet, token);
      const listed = secretsIn(await fleet.listCommands({ nodeId: id }));
      const got = secretsIn(await fleet.getCommand({ id: "say-1" }));
      for await (const news of fleet.watchCommand({ id: "say-1" })) return [listed, got, secretsIn(news)];
      return [];
    };
    assert.deepEqual(await seenBy((await hub.tokenOf("viewer")).token), [0, 0, 0]);
    assert.deepEqual(await seenBy(), [0, 4, 4]);
  });

  it("a caller that leaves calls nothing off; what is not at the node by its deadline expires", async () => {
    const { id, dial } = await enrolNode();
    const leaving = new AbortController();
    const left = at(id, { "edge-command-id": "stay" }).startRuntime(
      { name: "plc1" },
      { signal: leaving.signal },
    );
    const stateOf = async (command: string) =>
      (await hub.client(Fleet).getCommand({ id: command })).command?.state;
    await until(
      "the command is queued",
      async () => (await stateOf("stay").catch(() => 0)) === CommandState.QUEUED,
    );
    leaving.abort();
    await assert.rejects(left);

    // Long enough that it gets to the hub, over a connection that is yet to be made.
    const late = at(id, { "edge-command-id": "late" }).startRuntime({ name: "plc1" }, { timeoutMs: 2_000 });
    assert.equal(
      ConnectError.from(await late.catch((thrown: unknown) => thrown)).code,
      Code.DeadlineExceeded,
    );
    await until("the late command expires", async () => (await stateOf("late")) === CommandState.EXPIRED);

    using node = await dial();
    assert.equal((await node.next("command")).command?.id, "stay");
    assert.equal(await stateOf("stay"), CommandState.QUEUED);
    assert.equal(node.count("command"), 0);
  });

  it("a command that is submitted can be watched to its end and called off", async () => {
    const { id } = await enrolNode();
    const fleet = hub.client(Fleet);
    const request = { case: "deleteRuntime" as const, value: { name: "plc1" } };
    await fleet.submitCommand({ nodeId: id, command: { id: "del-1", actor: "operator/mallory", request } });
    const states: CommandState[] = [];
    for await (const { command } of fleet.watchCommand({ id: "del-1" })) {
      assert.equal(command?.command?.actor, "operator/admin");
      states.push(command.state);
      if (!command.result) await fleet.cancelCommand({ id: "del-1" });
    }
    assert.deepEqual(states, [CommandState.QUEUED, CommandState.FINISHED]);
    assert.match(await refusal(fleet.submitCommand({ nodeId: id })), /^invalid: command: is required/);
    assert.match(await refusal(fleet.getCommand({ id: "nothing" })), /^not_found/);
    const read = { id: "r-1", request: { case: "listRuntimes" as const, value: {} } };
    assert.match(await refusal(fleet.submitCommand({ nodeId: id, command: read })), /^invalid/);
  });
});
