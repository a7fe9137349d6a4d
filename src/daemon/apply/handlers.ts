import { create } from "@bufbuild/protobuf";
import {
  type ApplyWishesRequest,
  ApplyWishesResponseSchema,
  type PlanWishesRequest,
  PlanWishesResponseSchema,
} from "../../../gen/edge/v1/wishes_pb.ts";
import { type Agents, applyAgents, checkAgents, planAgents } from "../agents/index.ts";
import type { Runtimes } from "../runtimes/index.ts";
import type { Ask, Handler } from "../work/index.ts";
import { both } from "./both.ts";
import type { Past, There } from "./past.ts";

/** Who is not to be there, by name; whoever only asks what would be done says nothing of it. */
type Absent = Partial<Pick<ApplyWishesRequest, "absentRuntimes" | "absentAgents">>;

interface Rooms {
  runtimes: Pick<Runtimes, "planWishes" | "applyWishes" | "wished">;
  agents: Agents;
  past: Past;
}

export const planWishes: Handler<Rooms, "planWishes"> = async (rooms, wishes, ask) =>
  create(PlanWishesResponseSchema, await plansOf(rooms, wishes, ask));

export const applyWishes: Handler<Rooms, "applyWishes"> = async (rooms, wishes, ask) => {
  const { agents: plans } = await plansOf(rooms, wishes, ask);
  const before = wishes.keepBefore ? rooms.past.before(ask.id, wishes, () => thereIn(rooms)) : undefined;
  const runtimes = await rooms.runtimes.applyWishes(wishes, ask);
  return create(ApplyWishesResponseSchema, {
    runtimes,
    agents: await applyAgents(rooms.agents, wishes, plans, ask),
    ...(before && { before }),
  });
};

function thereIn({ runtimes, agents }: Rooms): There {
  return { runtimes: runtimes.wished(), agents: agents.list().flatMap(({ current }) => current?.spec ?? []) };
}

/** What would be done. @throws {Failure} as the contract says: what is wrong with runtimes and with agents is told at once. */
async function plansOf(
  { runtimes, agents }: Rooms,
  wishes: Pick<PlanWishesRequest, "runtimes" | "agents" | "prune"> & Absent,
  ask: Ask,
) {
  const [runtimePlans] = await both(
    () => runtimes.planWishes(wishes, ask),
    () => checkAgents(agents, wishes.agents, ask),
  );
  const agentPlans = planAgents(wishes, agents.list());
  return { runtimes: runtimePlans, agents: agentPlans };
}
