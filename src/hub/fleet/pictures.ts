import { create } from "@bufbuild/protobuf";
import { type WatchNodesResponse, WatchNodesResponseSchema } from "../../../gen/edge/v1/fleet_pb.ts";
import type { Feed } from "./feed.ts";

export interface PicturesOptions {
  /** The nodes that there are when the watch begins, as far as the watcher may see them. */
  ids: () => readonly string[];
  /** Whether the watcher may see this node; one that it may not see any more, or that is gone, is told as removed. */
  maySee: (id: string) => boolean;
  pictureOf: (id: string, caughtUp: boolean) => WatchNodesResponse;
  /** Waits a little before each look, so that what changes meanwhile is one picture. */
  pause: () => Promise<void>;
}

/** What a watcher of the fleet gets: see `Fleet.watch`. */
export async function* pictures(
  feed: Feed,
  signal: AbortSignal,
  { ids, maySee, pictureOf, pause }: PicturesOptions,
): AsyncGenerator<WatchNodesResponse> {
  using watch = feed.watch();
  const first = ids();
  const shown = new Set(first);
  if (first.length === 0) yield create(WatchNodesResponseSchema, { caughtUp: true });
  for (const [at, id] of first.entries()) yield pictureOf(id, at === first.length - 1);
  while (!signal.aborted) {
    try {
      await pause();
      for (const id of await watch.take(signal)) {
        const isSeen = maySee(id);
        if (!isSeen && !shown.has(id)) continue;
        if (isSeen) shown.add(id);
        else shown.delete(id);
        yield pictureOf(id, true);
      }
    } catch (thrown) {
      if (signal.aborted) return;
      throw thrown;
    }
  }
}
