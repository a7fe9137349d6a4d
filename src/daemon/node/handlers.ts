import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  CheckNodeResponseSchema,
  GetInterfacesResponseSchema,
  GetMetricsResponseSchema,
  GetNodeResponseSchema,
} from "../../../gen/edge/v1/node_pb.ts";
import { failure, invalidFields } from "../../base/failure.ts";
import type { Metrics } from "../metrics/index.ts";
import type { Handler } from "../work/index.ts";
import { readInterfaces } from "./interfaces.ts";
import type { NodeRoom } from "./room.ts";
import { readSerialDevices } from "./serial.ts";

interface Rooms {
  node: NodeRoom;
}

interface MetricsRooms extends Rooms {
  metrics: Pick<Metrics, "query" | "hasSeries">;
}

/** What stands in the way of workloads on this machine. */
export const checkNode: Handler<Rooms, "checkNode"> = async ({ node }) =>
  create(CheckNodeResponseSchema, { findings: await node.check() });

/** What the machine is, and whether it is connected. */
export const getNode: Handler<Rooms, "getNode"> = async ({ node }, _request, { signal }) => {
  const [inventory, engine] = await Promise.all([node.inventory, node.engine(signal)]);
  const identity = node.identity();
  const { connected, hubOffsetMs, renewsAt, address, transport, proxy, problem } = node.link();
  const offset = hubOffsetMs === undefined ? {} : { hubOffsetMs: BigInt(Math.round(hubOffsetMs)) };
  return create(GetNodeResponseSchema, {
    inventory,
    engine,
    clock: { now: timestampFromMs(node.now()), ...offset },
    daemonVersion: node.version,
    daemonStartedAt: timestampFromMs(node.startedAt),
    nodeId: identity?.nodeId ?? "",
    hubAddress: address ?? identity?.hubAddress ?? "",
    connected,
    hubTransport: transport,
    hubProxy: proxy ?? "",
    hubProblem: problem ?? "",
    nodeJsVersion: process.version,
    ...(identity && { certificateExpiresAt: timestampFromMs(identity.expiresAt) }),
    ...(renewsAt !== undefined && { certificateRenewsAt: timestampFromMs(renewsAt) }),
  });
};

/** The machine's own network interfaces: as netmon sees them, with their routes, or else as the kernel tells now. */
export const getInterfaces: Handler<Rooms, "getInterfaces"> = async ({ node }) => {
  const picture = node.picture();
  if (!picture) return readInterfaces(node.roots);
  return create(GetInterfacesResponseSchema, { interfaces: picture.interfaces });
};

/** The machine's serial ports, asked now. */
export const listSerialDevices: Handler<Rooms, "listSerialDevices"> = ({ node }) =>
  readSerialDevices(node.roots);

/**
 * Samples over a time range. A runtime that is gone still has its history.
 * @throws {Failure} invalid: the range is empty. not_found: neither a runtime nor a history has that name.
 */
export const getMetrics: Handler<MetricsRooms, "getMetrics"> = async ({ node, metrics }, request) => {
  const { runtime } = request;
  const until = request.until ? timestampMs(request.until) : node.now();
  const since = request.since ? timestampMs(request.since) : until - defaultRangeMs;
  if (!(since < until)) {
    throw invalidFields([
      { field: "since", message: `${timeText(since)} is not before until` },
      { field: "until", message: `${timeText(until)} is not after since` },
    ]);
  }
  if (runtime !== "" && !node.hasRuntime(runtime) && !metrics.hasSeries(runtime)) {
    throw failure("not_found", `there is no runtime ${runtime}: list the runtimes to see their names`);
  }
  const { points, resolutionMs } = metrics.query({
    ...(runtime === "" ? {} : { runtime }),
    since,
    until,
    maxPoints: request.maxPoints || defaultPoints,
  });
  return create(GetMetricsResponseSchema, {
    points: points.map(({ at, sample }) => ({ at: timestampFromMs(at), sample })),
    resolutionMs,
  });
};

/** What the contract says for a request that does not say. */
const defaultRangeMs = 3_600_000;
const defaultPoints = 300;

/** A time may be outside of what a Date holds: the contract has no rule for it. */
function timeText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms since 1970` : date.toISOString();
}
