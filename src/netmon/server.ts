import { create } from "@bufbuild/protobuf";
import {
  GetNetworkResponseSchema,
  NetMon,
  type WatchNetworkRequest,
  type WatchNetworkResponse,
} from "../../gen/edge/v1/netmon_pb.ts";
import { type CallContext, streamHandler, unaryHandler } from "../wire/grpc.ts";
import type { HealthBoard } from "../wire/health.ts";
import { openSocketServer } from "../wire/socket-server.ts";
import { type Network, type Picture, pictureMessage, toldSince } from "./picture/index.ts";

/** What the door needs of the network. */
type Watched = Pick<Network, "picture" | "changes" | "runId">;

/** Who owns the socket and its group may ask; nobody else can connect. */
const socketMode = 0o660;

/** Serves `edge.v1.NetMon`. @throws {Failure} as `openSocketServer` does. */
export function openDoor(path: string, network: Watched, health: HealthBoard): Promise<AsyncDisposable> {
  const methods = {
    getNetwork: unaryHandler(() =>
      create(GetNetworkResponseSchema, { picture: pictureMessage(network.picture, network.runId) }),
    ),
    watchNetwork: streamHandler((request: WatchNetworkRequest, { signal }: CallContext) =>
      watchNetwork(network, request, signal),
    ),
  };
  return openSocketServer({ path, mode: socketMode, services: [{ service: NetMon, methods }], health });
}

/** What a watcher that was here before says it has. */
type Known = Pick<WatchNetworkRequest, "knownRunId" | "knownGeneration">;

/**
 * The picture now, then the difference whenever there is another one. A reader that is slow misses those in between, and gets
 * the newest whole.
 */
export async function* watchNetwork(
  network: Watched,
  { knownRunId, knownGeneration }: Known,
  signal: AbortSignal,
): AsyncGenerator<WatchNetworkResponse, void> {
  let told: Picture | undefined;
  for await (const _ of network.changes.wakes(signal)) {
    const { picture, runId } = network;
    if (picture === told) continue; // It is only seen again, or no longer.
    const has = knownRunId === runId && knownGeneration === BigInt(picture.generation);
    const before = told ?? (has ? picture : undefined);
    told = picture;
    yield toldSince(before, picture, runId);
  }
}
