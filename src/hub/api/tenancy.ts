import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { Authority } from "../../../gen/edge/v1/authority_pb.ts";
import { Enrolment } from "../../../gen/edge/v1/enrolment_pb.ts";
import { Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { Groups } from "../../../gen/edge/v1/groups_pb.ts";
import { Rollouts } from "../../../gen/edge/v1/rollouts_pb.ts";
import { LabelSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";
import { capabilities } from "../../wire/commands.ts";
import { metadata } from "../../wire/doors.ts";
import { Health } from "../../wire/health.ts";
import { ServerReflection } from "../../wire/reflection.ts";
import { callerIn } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

/**
 * Whose things there are, decided here and nowhere else. Who is bound to a tenant is told of all that is not its own, that it is not
 * there: by the very failure that what never was has, so that nobody learns what others have.
 */

/** What a field of a request names. */
type Noun = "node" | "command" | "rollout";

/**
 * What a method is about. `hub`: the hub as a whole, which nobody may touch who is bound to a tenant. Else the fields that name things,
 * each of which must be the caller's; where there are none, the handler tells and takes only what is its caller's tenant's.
 */
type Reach = "hub" | Readonly<Record<string, Noun>>;

const fleet = {
  listNodes: {},
  watchNodes: {},
  removeNode: { id: "node" },
  revokeNode: { id: "node" },
  setNodeLabels: { id: "node" },
  setNodeTenant: "hub",
  watchEvents: { nodeId: "node" },
  submitCommand: { nodeId: "node" },
  getCommand: { id: "command" },
  listCommands: { nodeId: "node" },
  cancelCommand: { id: "command" },
  watchCommand: { id: "command" },
  createEnrolmentToken: { nodeId: "node" },
  listEnrolmentTokens: {},
  revokeEnrolmentToken: {},
  createOperatorToken: {},
  listOperatorTokens: {},
  revokeOperatorToken: {},
  getHub: {},
  checkHub: {},
} satisfies Record<keyof typeof Fleet.method, Reach>;

const rollouts = {
  startRollout: { nodeIds: "node" },
  getRollout: { id: "rollout" },
  listRollouts: {},
  watchRollout: { id: "rollout" },
  cancelRollout: { id: "rollout" },
  pauseRollout: { id: "rollout" },
  resumeRollout: { id: "rollout" },
  rollBackRollout: { id: "rollout" },
} satisfies Record<keyof typeof Rollouts.method, Reach>;

const groups = { setGroup: {}, getGroup: {}, listGroups: {}, removeGroup: {} } satisfies Record<
  keyof typeof Groups.method,
  Reach
>;

const reaches = new Map<DescMethod, Reach>([
  ...reachesOf(Fleet.method, fleet),
  ...reachesOf(Rollouts.method, rollouts),
  ...reachesOf(Groups.method, groups),
  // The node of these is in their metadata.
  ...capabilities.map(({ method }): [DescMethod, Reach] => [method, {}]),
  // Nobody is known there.
  ...[Enrolment, Health, ServerReflection].flatMap(({ methods }) =>
    methods.map((method): [DescMethod, Reach] => [method, {}]),
  ),
  ...Authority.methods.map((method): [DescMethod, Reach] => [method, "hub"]),
]);

function reachesOf<S extends Record<string, DescMethod>>(
  methods: S,
  of: Record<keyof S, Reach>,
): [DescMethod, Reach][] {
  return Object.entries(methods).map(([name, method]) => [method, of[name] ?? "hub"]);
}

type Ground = Pick<Rooms, "fleet" | "commands" | "rollouts">;

/** Around every call of somebody who is bound to a tenant. A method that is not in the table is refused. */
export function withinTenant(ground: Ground): Interceptor {
  return (next) => async (call) => {
    const tenant = callerIn(call.contextValues)?.tenant ?? "";
    if (tenant === "") return await next(call);
    const reach = reaches.get(call.method) ?? "hub";
    if (reach === "hub") {
      throw failure(
        "denied",
        `${call.method.name} is for the whole hub, and this token is bound to the tenant ${tenant}`,
      );
    }
    const check = async (message: Message) => {
      for (const [field, noun] of Object.entries(reach)) {
        for (const id of namesIn(message, field)) await mustOwn(ground, tenant, noun, id);
      }
      labelAgents(message, tenant);
    };
    const nodeId = call.header.get(metadata.node)?.trim() ?? "";
    if (nodeId !== "") await mustOwn(ground, tenant, "node", nodeId);
    if (call.stream) return await next({ ...call, message: each(call.message, check) });
    await check(call.message);
    return await next(call);
  };
}

async function* each<T extends Message>(
  messages: AsyncIterable<T>,
  check: (one: T) => Promise<void>,
): AsyncGenerator<T> {
  for await (const message of messages) {
    await check(message);
    yield message;
  }
}

function namesIn(message: Message, field: string): string[] {
  const value = (message as unknown as Record<string, unknown>)[field]; // A test asks of each field whether the method has it.
  const names = Array.isArray(value) ? value : [value];
  return names.filter((one): one is string => typeof one === "string" && one !== "");
}

/** @throws {Failure} not_found: it is not there, or another's. */
async function mustOwn(
  { fleet, commands, rollouts }: Ground,
  tenant: string,
  noun: Noun,
  id: string,
): Promise<void> {
  if (noun === "node" && fleet.tenantOf(id) !== tenant) throw fleet.unknown(id);
  if (noun === "command" && fleet.tenantOf((await commands.nodeOf(id)) ?? "") !== tenant)
    throw commands.unknown(id);
  if (noun === "rollout" && (await rollouts.tenantOf(id)) !== tenant) throw rollouts.unknown(id);
}

/** The key of the label by which a node's policy counts what a tenant has. */
const tenantLabel = "tenant";

/** Has every agent of a request carry its tenant, for the node's quotas. @throws {Failure} denied: it carries another's. */
function labelAgents(message: Message, tenant: string): void {
  for (const spec of agentsIn(message)) {
    const label = spec.labels.find(({ key }) => key === tenantLabel);
    if (label && label.value !== tenant) throw otherTenant(spec, label.value, tenant);
    if (!label) spec.labels.push(create(LabelSchema, { key: tenantLabel, value: tenant }));
  }
}

function otherTenant({ name }: AgentSpec, value: string, tenant: string): Failure {
  const sentence = `agent ${name} has the label ${tenantLabel}=${value}, and this token is bound to ${tenant}`;
  return failure("denied", `${sentence}: leave the label out`);
}

/** Every agent that a request wishes for, wherever it stands in it. */
function agentsIn(value: unknown): AgentSpec[] {
  if (Array.isArray(value)) return value.flatMap(agentsIn);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  if ("$typeName" in value && value.$typeName === "edge.v1.AgentSpec") return [value as AgentSpec]; // Its name says so.
  return Object.values(value).flatMap(agentsIn);
}
