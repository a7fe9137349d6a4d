import { invalidField } from "../../base/failure.ts";

/** Asks a model of the node's gateway where a text is in the space of meanings. On behalf of a task, when an agent wants it. */
export type Embed = (
  ask: { alias: string; text: string; agent: string; taskId: string },
  signal: AbortSignal,
) => Promise<readonly number[]>;

/** Squares of the lengths that can be measured with: what is longer or shorter is lost in numbers of 32 bits. */
const square = { least: 1e-30, most: 1e30 };

/**
 * An embedding as it is kept and searched with; undefined when there is none.
 * @throws {Failure} invalid: its direction cannot be told.
 */
export function toBlob(embedding: readonly number[], field: string): Uint8Array | undefined {
  if (embedding.length === 0) return undefined;
  const length = embedding.reduce((sum, one) => sum + one * one, 0);
  if (length >= square.least && length <= square.most)
    return new Uint8Array(Float32Array.from(embedding).buffer);
  throw invalidField(
    field,
    "must be numbers that have a direction: not all zero, none infinite or no number",
  );
}

/** @throws {Failure} invalid: the group's embeddings have another dimension. */
export function checkDimension(group: string, dimension: number, embedding: Uint8Array, field: string): void {
  const given = embedding.length / Float32Array.BYTES_PER_ELEMENT;
  if (dimension === 0 || dimension === given) return;
  throw invalidField(
    field,
    `has ${given} dimensions, and those of group ${group} have ${dimension}: use the same model for all of a group, or another group`,
  );
}
