import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { failure } from "../../base/failure.ts";
import { version } from "../../wire/version.ts";
import { actorOf, callerOf } from "./caller.ts";
import { commandMethods } from "./commands.ts";
import { enrolmentTokenMethods } from "./enrolment-tokens.ts";
import { removeNode } from "./node-removal.ts";
import { operatorTokenMethods, wireRole } from "./operator-tokens.ts";
import type { Rooms } from "./rooms.ts";

/** The hub's own service. A method that is missing does not compile. */
export function fleetService(rooms: Rooms): ServiceImpl<typeof Fleet> {
  const { fleet, reports, authority, clock, startedAt, log } = rooms;
  return {
    listNodes: ({ ids }) => ({ nodes: fleet.list(ids) }),

    watchNodes: (_, { signal }) => fleet.watch(signal),

    removeNode: (request, context) => removeNode(rooms, request, context),

    revokeNode() {
      throw failure("unsupported", "this hub does not revoke yet");
    },

    async setNodeLabels({ id, set, remove }, context) {
      const node = await fleet.label(id, { set, remove });
      log.info({ node: id, labels: node.labels.length, actor: actorOf(context) }, "node labelled");
      return { node };
    },

    watchEvents({ nodeId, afterPosition, last, stopWhenCaughtUp }, { signal }) {
      if (nodeId !== "") fleet.mustHave(nodeId);
      return reports.watch(
        { ...(nodeId !== "" && { nodeId }), afterPosition, last, stopWhenCaughtUp },
        signal,
      );
    },

    getHub(_, context) {
      const caller = callerOf(context);
      return {
        version,
        trustDomain: authority.trustDomain,
        caller: caller.name,
        role: wireRole[caller.role],
        serverTime: timestampFromMs(clock.now()),
        startedAt: timestampFromMs(startedAt),
      };
    },

    setNodeTenant() {
      throw failure("unsupported", "this hub does not know tenants yet");
    },

    checkHub() {
      throw failure("unsupported", "this hub does not look at itself yet");
    },

    ...commandMethods(rooms),
    ...enrolmentTokenMethods(rooms),
    ...operatorTokenMethods(rooms),
  };
}
