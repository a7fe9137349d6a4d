import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { meets, parseSelector } from "../../wire/selector.ts";
import { version } from "../../wire/version.ts";
import { actorOf, callerOf, tenantOf } from "./caller.ts";
import { commandMethods } from "./commands.ts";
import { enrolmentTokenMethods } from "./enrolment-tokens.ts";
import { findingsOf } from "./findings.ts";
import { removeNode } from "./node-removal.ts";
import { operatorTokenMethods, wireRole } from "./operator-tokens.ts";
import type { Rooms } from "./rooms.ts";

/** The hub's own service. A method that is missing does not compile. */
export function fleetService(rooms: Rooms): ServiceImpl<typeof Fleet> {
  const { fleet, reports, roots, engines, clock, startedAt, log } = rooms;
  return {
    async listNodes({ ids }, context) {
      const nodes = fleet.list(ids, tenantOf(context));
      const groups = await rooms.groups.list(tenantOf(context) ?? "");
      const parsed = groups.map(({ name, selector }) => ({ name, requirements: parseSelector(selector) }));
      for (const node of nodes) {
        const own = parsed.filter(({ requirements }) => meets(node.labels, requirements));
        node.groups = own.map(({ name }) => name);
      }
      return { nodes };
    },

    watchNodes: (_, context) => fleet.watch(context.signal, tenantOf(context)),

    removeNode: (request, context) => removeNode(rooms, request, context),

    async revokeNode({ id }, context) {
      const node = await fleet.revoke(id);
      log.warn({ node: id, actor: actorOf(context) }, "the certificates of a node were revoked");
      return { node };
    },

    async setNodeLabels({ id, set, remove }, context) {
      const node = await fleet.label(id, { set, remove });
      log.info({ node: id, labels: node.labels.length, actor: actorOf(context) }, "node labelled");
      return { node };
    },

    watchEvents({ nodeId, afterPosition, last, stopWhenCaughtUp }, context) {
      if (nodeId !== "") fleet.mustHave(nodeId);
      const tenant = tenantOf(context);
      const maySee = (id: string) => tenant === undefined || fleet.tenantOf(id) === tenant;
      return reports.watch(
        { ...(nodeId !== "" && { nodeId }), maySee, afterPosition, last, stopWhenCaughtUp },
        context.signal,
      );
    },

    getHub(_, context) {
      const caller = callerOf(context);
      return {
        version,
        trustDomain: roots.trustDomain,
        caller: caller.name,
        role: wireRole[caller.role],
        tenant: caller.tenant,
        serverTime: timestampFromMs(clock.now()),
        startedAt: timestampFromMs(startedAt),
      };
    },

    async setNodeTenant({ id, tenant }, context) {
      fleet.mustHave(id);
      await rooms.rollouts.mustBeFree(id);
      const node = await fleet.setTenant(id, tenant);
      log.warn({ node: id, tenant, actor: actorOf(context) }, "node given to a tenant");
      return { node };
    },

    async checkHub(_, context) {
      const tenant = tenantOf(context);
      const [nodes, tokens] = [fleet.list([], tenant), await rooms.operators.list(tenant)];
      return { findings: findingsOf({ nodes, tokens, engines, version, now: clock.now() }) };
    },

    ...commandMethods(rooms),
    ...enrolmentTokenMethods(rooms),
    ...operatorTokenMethods(rooms),
  };
}
