import type { ServiceImpl } from "@connectrpc/connect";
import type { Rollouts } from "../../../gen/edge/v1/rollouts_pb.ts";
import { failure } from "../../base/failure.ts";
import { actorOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

function notYet(): never {
  throw failure("unsupported", "this hub cannot do this with a rollout yet");
}

/** Wishes for many nodes. */
export function rolloutsService({ rollouts }: Rooms): ServiceImpl<typeof Rollouts> {
  return {
    startRollout: async (request, context) => ({
      rollout: await rollouts.start(request, actorOf(context)),
    }),

    getRollout: async ({ id }) => ({ rollout: await rollouts.get(id) }),

    listRollouts: async ({ limit }) => ({ rollouts: await rollouts.list(limit) }),

    async *watchRollout({ id }, { signal }) {
      for await (const rollout of rollouts.watch(id, signal)) yield { rollout };
    },

    pauseRollout: notYet,
    resumeRollout: notYet,
    rollBackRollout: notYet,

    cancelRollout: async ({ id }, context) => ({ rollout: await rollouts.cancel(id, actorOf(context)) }),
  };
}
