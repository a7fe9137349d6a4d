/** Who may call what, and until when. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { Authority } from "../../../gen/edge/v1/authority_pb.ts";
import { Enrolment } from "../../../gen/edge/v1/enrolment_pb.ts";
import { Fleet, Role } from "../../../gen/edge/v1/fleet_pb.ts";
import { Groups } from "../../../gen/edge/v1/groups_pb.ts";
import { Rollouts } from "../../../gen/edge/v1/rollouts_pb.ts";
import { access, pathOf, roleOf } from "../../../src/hub/api/access.ts";
import { capabilities } from "../../../src/wire/commands.ts";
import { fromConnectError } from "../../../src/wire/failures.ts";
import { startHub, type TestHub } from "../../fixtures/hub.ts";

/** What a call is refused with: its code, and the failure's kind and sentence. */
async function refusal(call: Promise<unknown>): Promise<{ code: Code; kind: string; message: string }> {
  try {
    await call;
  } catch (thrown) {
    const { kind, message } = fromConnectError(thrown);
    return { code: ConnectError.from(thrown).code, kind, message };
  }
  throw new Error("the call was let in");
}

describe("access to the hub's API", () => {
  let hub: TestHub;
  before(async () => {
    hub = await startHub();
  });
  after(() => hub[Symbol.asyncDispose]());

  it("every method is in the table, and nothing else", () => {
    const methods = [
      ...Fleet.methods,
      ...Rollouts.methods,
      ...Groups.methods,
      ...Authority.methods,
      ...Enrolment.methods,
      ...capabilities.map(({ method }) => method),
    ];
    const served = [...access.keys()].filter((path) => !path.startsWith("grpc."));
    assert.deepEqual(served.sort(), methods.map(pathOf).sort());
  });

  it("a node is asked by viewers and changed by operators, but for what is about people or the whole node", () => {
    const needed = (name: string) => capabilities.flatMap((one) => (one.case === name ? roleOf(one) : []))[0];
    const viewers = [
      "getTask",
      "getTaskLogs",
      "listAgents",
      "listCredentials",
      "listAudit",
      "verifyAudit",
      "checkPolicy",
    ];
    const operators = [
      "deployAgent",
      "executeTask",
      "setCredential",
      "removeCredential",
      "getSession",
      "searchMemory",
    ];
    const admins = ["decommission", "rotateVaultKey"];
    assert.deepEqual(
      viewers.map(needed),
      viewers.map(() => "viewer"),
    );
    assert.deepEqual(
      operators.map(needed),
      operators.map(() => "operator"),
    );
    assert.deepEqual(
      admins.map(needed),
      admins.map(() => "admin"),
    );
  });

  it("each role may do what it says, and no more", async () => {
    const viewer = hub.client(Fleet, (await hub.tokenOf("viewer")).token);
    const operator = hub.client(Fleet, (await hub.tokenOf("operator")).token);

    assert.equal((await viewer.getHub({})).role, Role.VIEWER);
    assert.deepEqual((await operator.listNodes({})).nodes, []);
    const commands = await refusal(viewer.cancelCommand({ id: "c-1" }));
    assert.equal(commands.kind, "denied");
    assert.match(
      commands.message,
      /CancelCommand needs the role operator, and the token of a-viewer has the role viewer/,
    );
    assert.equal((await refusal(operator.cancelCommand({ id: "c-1" }))).kind, "not_found");
    assert.equal((await refusal(operator.createEnrolmentToken({}))).kind, "denied");
    assert.equal(
      (await refusal(operator.createOperatorToken({ name: "x", role: Role.ADMIN }))).kind,
      "denied",
    );
  });

  it("a token that is missing, mistyped, unknown or expired is refused with which it is", async () => {
    const cases = [
      ["", /an operator token is needed: send it as `authorization: Bearer op_/],
      ["secret", /this is not an operator token: one looks like op_/],
      [`op_aaaaaaaa_${"x".repeat(43)}`, /is not known to this hub/],
      [hub.adminToken.slice(0, -1) + (hub.adminToken.endsWith("A") ? "E" : "A"), /is not known to this hub/],
    ] as const;
    for (const [token, sentence] of cases) {
      const refused = await refusal(hub.client(Fleet, token).getHub({}));
      assert.equal(refused.code, Code.Unauthenticated);
      assert.equal(refused.kind, "denied");
      assert.match(refused.message, sentence);
    }
    const made = await hub
      .client(Fleet)
      .createOperatorToken({ name: "brief", role: Role.VIEWER, validForMs: 1n });
    assert.match((await refusal(hub.client(Fleet, made.token).getHub({}))).message, /expired at 20/);
  });

  it("a watch ends when its token is revoked, and says so", async () => {
    const { token, id } = await hub.tokenOf("viewer");
    const watch = hub.client(Fleet, token).watchNodes({})[Symbol.asyncIterator]();
    assert.equal((await watch.next()).done, false);

    const next = watch.next();
    await hub.client(Fleet).revokeOperatorToken({ id });

    const ended = await refusal(next);
    assert.equal(ended.kind, "denied");
    assert.match(ended.message, /this operator token was revoked/);
    assert.match((await refusal(hub.client(Fleet, token).getHub({}))).message, /was revoked/);
  });

  it("the last admin token cannot be revoked, and wrong requests name every field", async () => {
    const admin = hub.client(Fleet);
    const { tokens } = await admin.listOperatorTokens({});
    const first = tokens.find((one) => one.name === "admin");
    assert.equal((await refusal(admin.revokeOperatorToken({ id: first?.id ?? "" }))).kind, "conflict");
    const wrong = await refusal(admin.createOperatorToken({ name: "two words", validForMs: 2n ** 63n }));
    assert.equal(wrong.kind, "invalid");
    assert.match(wrong.message, /name: "two words" must be 1 to 63 letters.*; role: is required/);
    assert.match(
      (await refusal(admin.createOperatorToken({ name: "x", role: Role.VIEWER, validForMs: 2n ** 63n })))
        .message,
      /valid_for_ms: is 9223372036854775808; at most/,
    );
  });

  it("a hub that stops tells those who watch", async () => {
    const stopping = await startHub();
    const watch = stopping.client(Fleet).watchNodes({})[Symbol.asyncIterator]();
    await watch.next();
    const next = refusal(watch.next());
    await stopping[Symbol.asyncDispose]();
    assert.deepEqual(await next, {
      code: Code.Unavailable,
      kind: "unavailable",
      message: "the hub is stopping: try again in a moment",
    });
  });
});
