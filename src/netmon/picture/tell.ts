import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type NetworkDifference,
  NetworkDifferenceSchema,
  type NetworkPicture,
  NetworkPictureSchema,
  type WatchNetworkResponse,
  WatchNetworkResponseSchema,
} from "../../../gen/edge/v1/netmon_pb.ts";
import { type NetworkInterface, NetworkInterfaceSchema } from "../../../gen/edge/v1/node_pb.ts";
import { type Difference, differenceOf, type Interface, type Picture } from "./state.ts";

/** What to tell somebody who has the picture `before`. */
export function toldSince(
  before: Picture | undefined,
  picture: Picture,
  runId: string,
): WatchNetworkResponse {
  const difference = differenceOf(before, picture);
  const changed = [...difference.interfaces.map(({ name }) => name), ...difference.removed].sort();
  const isNext = before !== undefined && picture.generation - before.generation <= 1;
  return create(WatchNetworkResponseSchema, {
    changed,
    ...(isNext
      ? { difference: differenceMessage(difference, picture) }
      : { picture: pictureMessage(picture, runId) }),
  });
}

/** The whole picture as a message. */
export function pictureMessage(picture: Picture, runId: string): NetworkPicture {
  const { generation, takenAt, interfaces, dnsServers } = picture;
  return create(NetworkPictureSchema, {
    generation: BigInt(generation),
    takenAt: timestampFromMs(takenAt),
    interfaces: interfaces.map(interfaceMessage),
    dnsServers: [...dnsServers],
    runId,
  });
}

function differenceMessage(difference: Difference, { generation, takenAt }: Picture): NetworkDifference {
  const { interfaces, removed, dnsServers } = difference;
  return create(NetworkDifferenceSchema, {
    generation: BigInt(generation),
    takenAt: timestampFromMs(takenAt),
    interfaces: interfaces.map(interfaceMessage),
    removed: [...removed],
    ...(dnsServers && { nameServers: { addresses: [...dnsServers] } }),
  });
}

function interfaceMessage(one: Interface): NetworkInterface {
  return create(NetworkInterfaceSchema, {
    ...one,
    addresses: [...one.addresses],
    subnets: [...one.subnets],
    gateways: [...one.gateways],
    routes: [...one.routes],
  });
}
