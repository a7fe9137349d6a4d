import { create } from "@bufbuild/protobuf";
import { type WatchNodesResponse, WatchNodesResponseSchema } from "../../../gen/edge/v1/fleet_pb.ts";
import type { Feed } from "./feed.ts";

export interface PicturesOptions {
  /** The nodes that there are when the watch begins. */
  ids: () => readonly string[];
  pictureOf: (id: string, caughtUp: boolean) => WatchNodesResponse;
  /** Waits a little before each look, so that what changes meanwhile is one picture. */
  pause: () => Promise<void>;
}

/** What a watcher of the fleet gets: see `Fleet.watch`. */
export async function* pictures(
  feed: Feed,
  signal: AbortSignal,
  { ids, pictureOf, pause }: PicturesOptions,
): AsyncGenerator<WatchNodesResponse> {
  using watch = feed.watch();
  const first = ids();
  if (first.length === 0) yield create(WatchNodesResponseSchema, { caughtUp: true });
  for (const [at, id] of first.entries()) yield pictureOf(id, at === first.length - 1);
  while (!signal.aborted) {
    try {
      await pause();
      for (const id of await watch.take(signal)) yield pictureOf(id, true);
    } catch (thrown) {
      if (signal.aborted) return;
      throw thrown;
    }
  }
}
