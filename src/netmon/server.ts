import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  GetNetworkResponseSchema,
  NetMon,
  type NetworkPicture,
  NetworkPictureSchema,
  type WatchNetworkResponse,
  WatchNetworkResponseSchema,
} from "../../gen/edge/v1/netmon_pb.ts";
import { type CallContext, streamHandler, unaryHandler } from "../wire/grpc.ts";
import type { HealthBoard } from "../wire/health.ts";
import { openSocketServer } from "../wire/socket-server.ts";
import type { Network } from "./network.ts";
import { changedInterfaces, type Picture } from "./state.ts";

/** Who owns the socket and its group may ask; nobody else can connect. */
const socketMode = 0o660;

/** Serves `edge.v1.NetMon`. @throws {Failure} as `openSocketServer` does. */
export function openDoor(
  path: string,
  network: Pick<Network, "picture" | "changes">,
  health: HealthBoard,
): Promise<AsyncDisposable> {
  const methods = {
    getNetwork: unaryHandler(() => create(GetNetworkResponseSchema, { picture: toMessage(network.picture) })),
    watchNetwork: streamHandler((_request, { signal }: CallContext) => watchNetwork(network, signal)),
  };
  return openSocketServer({ path, mode: socketMode, services: [{ service: NetMon, methods }], health });
}

/** The picture now, then the newest one whenever it is another. A reader that is slow misses those in between. */
export async function* watchNetwork(
  network: Pick<Network, "picture" | "changes">,
  signal: AbortSignal,
): AsyncGenerator<WatchNetworkResponse, void> {
  let told: Picture | undefined;
  for await (const _ of network.changes.wakes(signal)) {
    const { picture } = network;
    if (picture === told) continue;
    const changed = changedInterfaces(told, picture);
    told = picture;
    yield create(WatchNetworkResponseSchema, { picture: toMessage(picture), changed });
  }
}

function toMessage({ generation, takenAt, interfaces, dnsServers }: Picture): NetworkPicture {
  return create(NetworkPictureSchema, {
    generation: BigInt(generation),
    takenAt: timestampFromMs(takenAt),
    interfaces: interfaces.map((one) => ({
      ...one,
      addresses: [...one.addresses],
      gateways: [...one.gateways],
    })),
    dnsServers: [...dnsServers],
  });
}
