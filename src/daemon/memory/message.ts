import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type MemoryEntry,
  MemoryEntrySchema,
  type MemoryGroup,
  MemoryGroupSchema,
} from "../../../gen/edge/v1/memory_pb.ts";
import type { Group, Kept } from "./store.ts";

/** The most that an answer holds, in bytes. */
const answerBytes = 900 << 10;

/** What a memory takes beside its text, attributes and embedding, in bytes. */
const besideBytes = 256;

/** A memory as the contract says it. */
export function toEntry(
  { id, group, text, attributes, at, agent, taskId }: Kept,
  similarity = 0,
): MemoryEntry {
  return create(MemoryEntrySchema, {
    ...{ id, group, text, agent, taskId, similarity },
    attributes: [...attributes],
    at: timestampFromMs(at),
  });
}

/** As many of what was found as an answer holds. */
export function toEntries(found: Iterable<{ one: Kept; similarity: number }>): MemoryEntry[] {
  const entries: MemoryEntry[] = [];
  let leftBytes = answerBytes;
  for (const { one, similarity } of found) {
    leftBytes -= sizeOf(one);
    if (leftBytes < 0) break;
    entries.push(toEntry(one, similarity));
  }
  return entries;
}

export function toGroup({ name, entries, dimension, sizeBytes }: Group): MemoryGroup {
  return create(MemoryGroupSchema, { name, entries, dimension, sizeBytes: BigInt(sizeBytes) });
}

/** What a memory takes without its embedding, in bytes. */
export function sizeOf({ text, attributes }: Pick<Kept, "text" | "attributes">): number {
  const ofAttributes = attributes.reduce((sum, { key, value }) => sum + Buffer.byteLength(key + value), 0);
  return besideBytes + Buffer.byteLength(text) + ofAttributes;
}
