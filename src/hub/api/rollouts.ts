import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Rollouts } from "../../../gen/edge/v1/rollouts_pb.ts";
import { actorOf, tenantOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

/** Wishes for many nodes. */
export function rolloutsService({ rollouts }: Rooms): ServiceImpl<typeof Rollouts> {
  type Order = "cancel" | "pause" | "resume" | "rollBack";
  const order = (what: Order) => async (request: { id: string }, context: HandlerContext) => ({
    rollout: await rollouts[what](request.id, actorOf(context)),
  });
  return {
    startRollout: async (request, context) => ({
      rollout: await rollouts.start(request, { actor: actorOf(context), tenant: tenantOf(context) }),
    }),

    getRollout: async ({ id }) => ({ rollout: await rollouts.get(id) }),

    listRollouts: async ({ limit }, context) => ({
      rollouts: await rollouts.list(limit, tenantOf(context)),
    }),

    async *watchRollout({ id }, { signal }) {
      for await (const rollout of rollouts.watch(id, signal)) yield { rollout };
    },

    cancelRollout: order("cancel"),
    pauseRollout: order("pause"),
    resumeRollout: order("resume"),
    rollBackRollout: order("rollBack"),
  };
}
