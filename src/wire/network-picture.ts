import { create } from "@bufbuild/protobuf";
import {
  type NetworkPicture,
  NetworkPictureSchema,
  type WatchNetworkResponse,
} from "../../gen/edge/v1/netmon_pb.ts";

/**
 * The picture that a watcher of the network has after what it was told: the whole one, or the one that it had with the
 * difference applied. Undefined when it was told a difference and has no picture.
 */
export function pictureAfter(
  before: NetworkPicture | undefined,
  { picture, difference }: Pick<WatchNetworkResponse, "picture" | "difference">,
): NetworkPicture | undefined {
  if (picture || !difference || !before) return picture;
  const { generation, takenAt, interfaces, removed, nameServers } = difference;
  const gone = new Set([...removed, ...interfaces.map(({ name }) => name)]);
  const all = [...before.interfaces.filter(({ name }) => !gone.has(name)), ...interfaces];
  return create(NetworkPictureSchema, {
    generation,
    ...(takenAt && { takenAt }),
    interfaces: all.sort((a, b) => (a.name < b.name ? -1 : 1)),
    dnsServers: nameServers?.addresses ?? before.dnsServers,
    runId: before.runId,
  });
}
