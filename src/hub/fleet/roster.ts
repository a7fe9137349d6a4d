import type { Store } from "../store/index.ts";
import { Feed } from "./feed.ts";
import { toLabels } from "./labels.ts";
import { type NodeRecord, toRecord } from "./records.ts";
import { type KeptRemoval, toRemoval } from "./removal.ts";

/** The fleet in memory: the nodes, those that were removed, and who watches. */
export interface Roster {
  records: Map<string, NodeRecord>;
  removed: Map<string, KeptRemoval>;
  feed: Feed;
}

/** The fleet as the store has it; nobody is connected yet. */
export async function readRoster(store: Store): Promise<Roster> {
  const nodes = await store.read("SELECT * FROM nodes ORDER BY id");
  const removed = await store.read("SELECT id, workloads, revision FROM removed_nodes");
  const labels = toLabels(await store.read("SELECT * FROM node_labels ORDER BY node_id, key"));
  return {
    records: new Map(nodes.map((row) => [String(row.id), toRecord(row, labels.get(String(row.id)) ?? [])])),
    removed: new Map(removed.map((row) => [String(row.id), toRemoval(row)])),
    feed: new Feed(),
  };
}
