import { create, fromBinary } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { StatusSchema } from "../../../gen/edge/v1/control_pb.ts";
import {
  type FleetNode,
  FleetNodeSchema,
  type WatchNodesResponse,
  WatchNodesResponseSchema,
} from "../../../gen/edge/v1/fleet_pb.ts";
import { Transport } from "../../../gen/edge/v1/transport_pb.ts";
import type { NodeRecord } from "./records.ts";

/** How long an operator is shown a warning, in milliseconds. It is in the hub's log for longer. */
const warningMs = 24 * 3_600_000;

/** A node as the API tells it. */
export function toFleetNode(record: NodeRecord, now: number): FleetNode {
  const node = create(FleetNodeSchema, {
    id: record.id,
    tenant: record.tenant,
    hostName: record.hostName,
    connected: record.connected,
    transport: record.connected ? record.transport : Transport.UNSPECIFIED,
    daemonVersion: record.daemonVersion,
    pendingCommands: record.pending,
    warning: now - record.warnedAt < warningMs ? record.warning : "",
    labels: [...record.labels],
    address: record.address,
  });
  set(node, "changedAt", record.changedAt);
  set(node, "seenAt", record.seenAt);
  set(node, "enrolledAt", record.enrolledAt);
  set(node, "certificateExpiresAt", record.certificateExpiresAt);
  set(node, "revokedAt", record.revokedAt);
  if (record.sample) node.sample = record.sample;
  if (record.status) node.status = fromBinary(StatusSchema, record.status);
  return node;
}

/** A node as a watcher is told of it; without a record it was removed. */
export function toPicture(
  id: string,
  record: NodeRecord | undefined,
  { now, caughtUp }: { now: number; caughtUp: boolean },
): WatchNodesResponse {
  const node = record ? toFleetNode(record, now) : create(FleetNodeSchema, { id });
  return create(WatchNodesResponseSchema, { node, removed: !record, caughtUp });
}

type Times = "revokedAt" | "changedAt" | "seenAt" | "enrolledAt" | "certificateExpiresAt";

function set(node: FleetNode, field: Times, ms: number): void {
  if (ms > 0) (node as Record<Times, Timestamp>)[field] = timestampFromMs(ms);
}
