import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { Authority } from "../../../gen/edge/v1/authority_pb.ts";
import { Enrolment } from "../../../gen/edge/v1/enrolment_pb.ts";
import { FailureSchema } from "../../../gen/edge/v1/failure_pb.ts";
import { Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { Groups } from "../../../gen/edge/v1/groups_pb.ts";
import { Rollouts } from "../../../gen/edge/v1/rollouts_pb.ts";
import { Failure, failure } from "../../base/failure.ts";
import { type Capability, type CommandCase, capabilities } from "../../wire/commands.ts";
import { toConnectError, toFailureMessage } from "../../wire/failures.ts";
import { Health } from "../../wire/health.ts";
import { ServerReflection } from "../../wire/reflection.ts";
import { allows, type Caller, type Operators, type Role } from "../operators/index.ts";
import { setCaller } from "./caller.ts";

/** What each method of Fleet needs. A method that is missing here does not compile. */
const fleetRoles = {
  listNodes: "viewer",
  watchNodes: "viewer",
  removeNode: "admin",
  revokeNode: "admin",
  setNodeLabels: "operator",
  setNodeTenant: "admin",
  watchEvents: "viewer",
  submitCommand: "operator",
  getCommand: "viewer",
  listCommands: "viewer",
  cancelCommand: "operator",
  watchCommand: "viewer",
  createEnrolmentToken: "admin",
  listEnrolmentTokens: "admin",
  revokeEnrolmentToken: "admin",
  createOperatorToken: "admin",
  listOperatorTokens: "admin",
  revokeOperatorToken: "admin",
  getHub: "viewer",
  checkHub: "viewer",
} satisfies Record<keyof typeof Fleet.method, Role>;

/** What each method of Rollouts needs, likewise. */
const rolloutRoles = {
  startRollout: "operator",
  getRollout: "viewer",
  listRollouts: "viewer",
  watchRollout: "viewer",
  cancelRollout: "operator",
  pauseRollout: "operator",
  resumeRollout: "operator",
  rollBackRollout: "operator",
} satisfies Record<keyof typeof Rollouts.method, Role>;

/** What each method of Authority needs, likewise. */
const authorityRoles = {
  listRoots: "admin",
  rotateRoot: "admin",
  retireRoot: "admin",
} satisfies Record<keyof typeof Authority.method, Role>;

/** What each method of Groups needs, likewise. */
const groupRoles = {
  setGroup: "operator",
  getGroup: "viewer",
  listGroups: "viewer",
  removeGroup: "operator",
} satisfies Record<keyof typeof Groups.method, Role>;

/** What needs another role than reads (viewer) and changes (operator) do. */
const otherRoles: Partial<Record<CommandCase, Role>> = {
  // The node as a whole.
  ...{ decommission: "admin", rotateVaultKey: "admin" },
  // What was said to agents, and what they keep, may be about people.
  ...{
    getSession: "operator",
    searchMemory: "operator",
    readMessages: "operator",
    listDeadLetters: "operator",
  },
};

/**
 * Services that need no token. Enrolment has its own. Health says no more than that the hub is there, and reflection no more
 * than what is published in proto/.
 */
const openServices = [Enrolment, Health, ServerReflection];

/** What every method of the API needs. A method that is not in it is refused. */
export const access: ReadonlyMap<string, Role | "open"> = new Map<string, Role | "open">([
  ...openServices.flatMap((service) => service.methods.map((method) => [pathOf(method), "open"] as const)),
  ...rolesOf(Fleet, fleetRoles),
  ...rolesOf(Rollouts, rolloutRoles),
  ...rolesOf(Groups, groupRoles),
  ...rolesOf(Authority, authorityRoles),
  ...capabilities.map((one) => [pathOf(one.method), roleOf(one)] as const),
]);

/** The methods of a service with their roles. One without a role is left out, and so refused. */
function rolesOf({ methods }: DescService, roles: Readonly<Record<string, Role>>) {
  return methods.flatMap((method) => {
    const role = roles[method.localName];
    return role === undefined ? [] : [[pathOf(method), role] as const];
  });
}

/** What asking a node something needs, through whichever method. */
export function roleOf(capability: Pick<Capability, "case" | "isRead">): Role {
  return otherRoles[capability.case] ?? (capability.isRead ? "viewer" : "operator");
}

/** The method's place in a URL, which is also its name in the logs. */
export function pathOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** Lets a call in, or refuses it before its body is read. */
export function gate(operators: Operators): (context: HandlerContext) => Promise<void> {
  return async (context) => {
    const needed = access.get(pathOf(context.method));
    if (needed === "open") return;
    const caller = await authenticated(operators, context.requestHeader.get("authorization"));
    if (needed === undefined || !allows(caller.role, needed)) {
      throw toConnectError(notAllowed(context.method.name, needed ?? "of nobody", caller));
    }
    setCaller(context, caller);
  };
}

/** The refusal of a caller whose role is too low for what it asks. */
export function notAllowed(what: string, needed: Role | "of nobody", { name, role }: Caller): Failure {
  const sentence = `${what} needs the role ${needed}, and the token of ${name} has the role ${role}`;
  return failure("denied", `${sentence}: ask an admin for another token`);
}

async function authenticated(operators: Operators, header: string | null): Promise<Caller> {
  try {
    const [, token] = /^Bearer +(\S+)$/i.exec(header ?? "") ?? [];
    if (token === undefined) {
      throw failure(
        "denied",
        "an operator token is needed: send it as `authorization: Bearer op_...`. " +
          "The first one is in admin.token in the hub's data directory",
      );
    }
    return await operators.authenticate(token);
  } catch (thrown) {
    if (!(thrown instanceof Failure) || thrown.kind !== "denied") throw toConnectError(thrown);
    throw unauthenticated(thrown);
  }
}

/** A refusal of the caller's token: gRPC has a code of its own for it, which our kinds fold into `denied`. */
function unauthenticated(refusal: Failure): ConnectError {
  const details = [{ desc: FailureSchema, value: toFailureMessage(refusal) }];
  const headers = { "www-authenticate": "Bearer" };
  return new ConnectError(refusal.message, Code.Unauthenticated, headers, details, refusal);
}
