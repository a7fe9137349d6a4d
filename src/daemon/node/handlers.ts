import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type GetInterfacesRequest,
  type GetInterfacesResponse,
  type GetMetricsRequest,
  type GetMetricsResponse,
  GetMetricsResponseSchema,
  type GetNodeRequest,
  type GetNodeResponse,
  GetNodeResponseSchema,
  type ListSerialDevicesRequest,
  type ListSerialDevicesResponse,
} from "../../../gen/edge/v1/node_pb.ts";
import { failure, invalidFields } from "../../base/failure.ts";
import type { NodeFacts } from "./facts.ts";
import { readInterfaces } from "./interfaces.ts";
import { readSerialDevices } from "./serial.ts";

/** What the machine is, and whether it is connected. */
export async function getNode(
  facts: NodeFacts,
  _request: GetNodeRequest,
  signal: AbortSignal,
): Promise<GetNodeResponse> {
  const [inventory, engine] = await Promise.all([facts.inventory, facts.engine(signal)]);
  const identity = facts.identity();
  const { connected, hubOffsetMs } = facts.link();
  const offset = hubOffsetMs === undefined ? {} : { hubOffsetMs: BigInt(Math.round(hubOffsetMs)) };
  return create(GetNodeResponseSchema, {
    inventory,
    engine,
    clock: { now: timestampFromMs(facts.now()), ...offset },
    daemonVersion: facts.version,
    daemonStartedAt: timestampFromMs(facts.startedAt),
    nodeId: identity?.nodeId ?? "",
    hubAddress: identity?.hubAddress ?? "",
    connected,
    nodeJsVersion: process.version,
  });
}

/** The machine's own network interfaces, asked now. */
export async function getInterfaces(
  facts: NodeFacts,
  _request: GetInterfacesRequest,
): Promise<GetInterfacesResponse> {
  return readInterfaces(facts.roots);
}

/** The machine's serial ports, asked now. */
export async function listSerialDevices(
  facts: NodeFacts,
  _request: ListSerialDevicesRequest,
): Promise<ListSerialDevicesResponse> {
  return await readSerialDevices(facts.roots);
}

/**
 * Samples over a time range. A runtime that is gone still has its history.
 * @throws {Failure} invalid: the range is empty. not_found: neither a runtime nor a history has that name.
 */
export async function getMetrics(facts: NodeFacts, request: GetMetricsRequest): Promise<GetMetricsResponse> {
  const { runtime } = request;
  const until = request.until ? timestampMs(request.until) : facts.now();
  const since = request.since ? timestampMs(request.since) : until - defaultRangeMs;
  if (!(since < until)) {
    throw invalidFields([
      { field: "since", message: `${timeText(since)} is not before until` },
      { field: "until", message: `${timeText(until)} is not after since` },
    ]);
  }
  if (runtime !== "" && !facts.hasRuntime(runtime) && !facts.metrics.hasSeries(runtime)) {
    throw failure("not_found", `there is no runtime ${runtime}: list the runtimes to see their names`);
  }
  const { points, resolutionMs } = facts.metrics.query({
    ...(runtime === "" ? {} : { runtime }),
    since,
    until,
    maxPoints: request.maxPoints || defaultPoints,
  });
  return create(GetMetricsResponseSchema, {
    points: points.map(({ at, sample }) => ({ at: timestampFromMs(at), sample })),
    resolutionMs,
  });
}

/** What the contract says for a request that does not say. */
const defaultRangeMs = 3_600_000;
const defaultPoints = 300;

/** A time may be outside of what a Date holds: the contract has no rule for it. */
function timeText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms since 1970` : date.toISOString();
}
