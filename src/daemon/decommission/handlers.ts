import { create } from "@bufbuild/protobuf";
import { DecommissionResponseSchema, PlanDecommissionResponseSchema } from "../../../gen/edge/v1/node_pb.ts";
import type { Handler } from "../work/index.ts";
import type { Decommission } from "./decommission.ts";

interface Rooms {
  leaving: Decommission;
}

/** What would go. Promised at the method of `edge.v1.Node`, as is what follows. */
export const planDecommission: Handler<Rooms, "planDecommission"> = async ({ leaving }, request, ask) =>
  create(PlanDecommissionResponseSchema, await leaving.plan(request, ask.signal));

export const decommission: Handler<Rooms, "decommission"> = async ({ leaving }, request, ask) =>
  create(DecommissionResponseSchema, { removed: [...(await leaving.carryOut(request, ask))] });
