/** Who is bound to a tenant finds, of what is another's, nothing: over every method of the contract, also those of tomorrow. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { create, type DescMethod, type Message, toJsonString } from "@bufbuild/protobuf";
import { Authority } from "../../../gen/edge/v1/authority_pb.ts";
import { Fleet, Role } from "../../../gen/edge/v1/fleet_pb.ts";
import { Groups } from "../../../gen/edge/v1/groups_pb.ts";
import { Rollouts } from "../../../gen/edge/v1/rollouts_pb.ts";
import { Wishes } from "../../../gen/edge/v1/wishes_pb.ts";
import { access } from "../../../src/hub/api/access.ts";
import { nodeServices } from "../../../src/wire/commands.ts";
import { metadata } from "../../../src/wire/doors.ts";
import { fromConnectError } from "../../../src/wire/failures.ts";
import { enrolFake } from "../../fakes/enrolled.ts";
import { startHub, type TestHub } from "../../fixtures/hub.ts";

/** All services that need a token. */
const services = [Fleet, Rollouts, Groups, Authority, ...nodeServices];

/** What there is of the tenant `north`, and of nobody else. */
interface Theirs {
  node: string;
  command: string;
  rollout: string;
  group: string;
  enrolmentToken: string;
  operatorToken: string;
}

/** What the fields of a request name, where a method is about a thing. A method that is not here is about the field `id` of a node. */
const idsOf: Readonly<Record<string, (theirs: Theirs) => Record<string, unknown>>> = {
  SubmitCommand: ({ node }) => ({
    nodeId: node,
    command: { id: "c-new", request: { case: "stopRuntime", value: { name: "x" } } },
  }),
  GetCommand: ({ command }) => ({ id: command }),
  CancelCommand: ({ command }) => ({ id: command }),
  WatchCommand: ({ command }) => ({ id: command }),
  ListCommands: ({ node }) => ({ nodeId: node }),
  WatchEvents: ({ node }) => ({ nodeId: node }),
  CreateEnrolmentToken: ({ node }) => ({ nodeId: node }),
  RevokeEnrolmentToken: ({ enrolmentToken }) => ({ id: enrolmentToken }),
  RevokeOperatorToken: ({ operatorToken }) => ({ id: operatorToken }),
  CreateOperatorToken: () => ({ name: "eve", role: Role.ADMIN, tenant: "north" }),
  StartRollout: ({ node }) => ({
    id: "r-new",
    nodeIds: [node],
    wishes: { runtimes: [{ name: "x", image: "x" }] },
  }),
  ...Object.fromEntries(
    ["GetRollout", "WatchRollout", "CancelRollout", "PauseRollout", "ResumeRollout", "RollBackRollout"].map(
      (name) => [name, ({ rollout }: Theirs) => ({ id: rollout })],
    ),
  ),
  SetGroup: () => ({ name: "mine", selector: "site=graz" }),
  GetGroup: ({ group }) => ({ name: group }),
  RemoveGroup: ({ group }) => ({ name: group }),
};

/** Methods that answer with what is the caller's own, however they are asked; all others must refuse. */
const ownOnly = new Set([
  ...[
    "ListNodes",
    "WatchNodes",
    "ListEnrolmentTokens",
    "ListOperatorTokens",
    "CreateOperatorToken",
    "GetHub",
  ],
  ...["CheckHub", "ListRollouts", "ListGroups", "SetGroup"],
]);

describe("tenants", () => {
  let hub: TestHub;
  let theirs: Theirs;
  let own: { node: string; token: string };
  let secrets: string[];

  before(async () => {
    hub = await startHub();
    const fleet = hub.client(Fleet);
    const [north, south] = [await enrolFake(hub, "north-1"), await enrolFake(hub, "south-1")];
    for (const [{ id }, tenant] of [
      [north, "north"],
      [south, "south"],
    ] as const) {
      await fleet.setNodeTenant({ id, tenant });
      await fleet.setNodeLabels({ id, set: [{ key: "site", value: "graz" }] });
    }
    const made = await fleet.createOperatorToken({ name: "nora", role: Role.ADMIN, tenant: "north" });
    const nora = hub.client(Fleet, made.token);
    const command = { id: "c-north", request: { case: "stopRuntime" as const, value: { name: "press" } } };
    await nora.submitCommand({ nodeId: north.id, command });
    const wishes = { runtimes: [{ name: "press", image: "plc" }] };
    await hub.client(Rollouts, made.token).startRollout({ id: "r-north", nodeIds: [north.id], wishes });
    await hub.client(Groups, made.token).setGroup({ name: "north-canaries", selector: "site=graz" });
    const token = await nora.createEnrolmentToken({ note: "north-note" });
    theirs = {
      ...{ node: north.id, command: "c-north", rollout: "r-north", group: "north-canaries" },
      enrolmentToken: token.record?.id ?? assert.fail(),
      operatorToken: made.record?.id ?? assert.fail(),
    };
    secrets = [...Object.values(theirs), "north-1", "nora", "north-note"];
    const stefan = await fleet.createOperatorToken({ name: "stefan", role: Role.ADMIN, tenant: "south" });
    own = { node: south.id, token: stefan.token };
  });
  after(() => hub[Symbol.asyncDispose]());

  /** All that a call brings to light: what it answers, or the failure; of what goes on for ever, what there is for the caller now. */
  async function seen(method: DescMethod, request: Record<string, unknown>, headers: Record<string, string>) {
    const client = hub.client(method.parent, own.token, headers) as unknown as Record<
      string,
      (asked: Message, options: { signal: AbortSignal }) => Promise<Message> | AsyncIterable<Message>
    >;
    const asked = create(method.input, request);
    const told: Message[] = [];
    try {
      const signal = AbortSignal.timeout(60_000);
      const answer = client[method.localName]?.(asked, { signal }) ?? assert.fail(method.name);
      if (Symbol.asyncIterator in answer) {
        for await (const one of answer) {
          told.push(one);
          if ((one as { caughtUp?: boolean }).caughtUp) break; // Only a watch of one's own goes on for ever.
        }
      } else told.push(await answer);
    } catch (thrown) {
      const { kind, message } = fromConnectError(thrown);
      return { kind, text: message };
    }
    return {
      kind: "answered",
      text: told.map((one) => toJsonString(method.output, one)).join(),
    };
  }

  for (const service of services) {
    it(`${service.typeName} tells and touches nothing of another's`, async () => {
      for (const method of service.methods) {
        const isOfNode = nodeServices.some((one) => one === service);
        const request = isOfNode
          ? {}
          : (idsOf[method.name]?.(theirs) ?? ("id" in method.input.field ? { id: theirs.node } : {}));
        const headers = isOfNode ? { [metadata.node]: theirs.node } : {};
        const { kind, text } = await seen(method, request, headers);
        const where = `${method.name}: ${kind} ${text}`;
        const asked = JSON.stringify({ request, headers });
        for (const secret of secrets) if (!asked.includes(secret)) assert.ok(!text.includes(secret), where);
        if (ownOnly.has(method.name)) assert.equal(kind, "answered", where);
        // Before anything is said of the request: that it is wrong would say that the node is there.
        else if (isOfNode) assert.ok(kind === "not_found" || kind === "invalid", where);
        else
          assert.ok(
            kind === "not_found" ||
              ((service === Authority || method.name === "SetNodeTenant") && kind === "denied"),
            where,
          );
      }
    });
  }

  it("every method that needs a token is asked", () => {
    const asked = services.flatMap((one) => one.methods.map((method) => `${one.typeName}/${method.name}`));
    const guarded = [...access].filter(([, role]) => role !== "open").map(([path]) => path);
    assert.deepEqual(asked.sort(), guarded.sort());
  });

  it("what is another's is refused in the words for what never was", async () => {
    const fleet = hub.client(Fleet, own.token);
    const rollouts = hub.client(Rollouts, own.token);
    const asks: [(id: string) => Promise<unknown>, string, string][] = [
      [(nodeId) => fleet.listCommands({ nodeId }), theirs.node, "n-nowhere"],
      [(id) => fleet.getCommand({ id }), theirs.command, "c-none"],
      [(id) => rollouts.getRollout({ id }), theirs.rollout, "r-none"],
      [(id) => fleet.revokeOperatorToken({ id }), theirs.operatorToken, "aaaaaaaa"],
      [(id) => fleet.revokeEnrolmentToken({ id }), theirs.enrolmentToken, "aaaaaaaaaaaa"],
    ];
    for (const [ask, theirId, noId] of asks) {
      const sentence = async (id: string) =>
        await ask(id).then(
          () => assert.fail("it was answered"),
          (thrown: unknown) => fromConnectError(thrown).message.replaceAll(id, "X"),
        );
      assert.equal(await sentence(theirId), await sentence(noId));
    }
  });

  it("sees and commands what is its own, and makes tokens for itself only", async () => {
    const fleet = hub.client(Fleet, own.token);
    const { nodes } = await fleet.listNodes({});
    assert.deepEqual(
      nodes.map(({ id, tenant }) => [id, tenant]),
      [[own.node, "south"]],
    );
    assert.equal((await fleet.getHub({})).tenant, "south");
    await fleet.setNodeLabels({ id: own.node, set: [{ key: "ring", value: "1" }] });
    const { record } = await fleet.createOperatorToken({ name: "sub", role: Role.VIEWER, tenant: "north" });
    assert.equal(record?.tenant, "south");
    const token = await fleet.createEnrolmentToken({ tenant: "north" });
    assert.equal(token.record?.tenant, "south");
    const enrolled = await enrolFake(hub, "south-2", token.token);
    assert.equal((await fleet.listNodes({ ids: [enrolled.id] })).nodes[0]?.tenant, "south");
    // Selectors and groups mean nodes of the tenant only.
    const rollouts = hub.client(Rollouts, own.token);
    const wishes = { runtimes: [{ name: "press", image: "plc" }] };
    const { rollout } = await rollouts.startRollout({ id: "r-south", where: "site=graz", wishes });
    assert.deepEqual(
      rollout?.nodes.map(({ nodeId }) => nodeId),
      [own.node],
    );
    await rollouts.cancelRollout({ id: "r-south" });
    const { nodes: all } = await hub.client(Fleet).listNodes({});
    assert.equal(all.length, 3, "who is bound to no tenant sees all");
  });

  it("its agents carry the tenant to the node's policy, and no other's", async () => {
    const wishes = hub.client(Wishes, own.token, {
      [metadata.node]: own.node,
      [metadata.commandId]: "c-agents",
    });
    const spec = { name: "poet", image: "poet:1" };
    await wishes.applyWishes({ agents: [spec] }, { timeoutMs: 2_000 }).catch(() => {}); // The node is away.
    const { command } = await hub.client(Fleet).getCommand({ id: "c-agents" });
    const request = command?.command?.request;
    const [agent] = request?.case === "applyWishes" ? request.value.agents : [];
    assert.deepEqual(
      agent?.labels.map(({ key, value }) => `${key}=${value}`),
      ["tenant=south"],
    );
    const labels = [{ key: "tenant", value: "north" }];
    await assert.rejects(
      wishes.planWishes({ agents: [{ ...spec, labels }] }),
      /tenant=north, and this token is bound to south/,
    );
  });
});
