import { create } from "@bufbuild/protobuf";
import {
  GetDaemonUpdateResponseSchema,
  UpdateDaemonResponseSchema,
} from "../../../gen/edge/v1/updates_pb.ts";
import type { NodeRoom } from "../node/index.ts";
import type { Handler } from "../work/index.ts";
import type { Updates } from "./updates.ts";

interface Rooms {
  updates: Updates;
  node: Pick<NodeRoom, "version">;
}

/** Promised at the method of `edge.v1.Updates`, as is what follows. */
export const updateDaemon: Handler<Rooms, "updateDaemon"> = async ({ updates }, request, ask) =>
  create(UpdateDaemonResponseSchema, await updates.carryOut(request, ask));

export const getDaemonUpdate: Handler<Rooms, "getDaemonUpdate"> = async ({ updates, node }) =>
  create(GetDaemonUpdateResponseSchema, { ...updates.status(), version: node.version });
