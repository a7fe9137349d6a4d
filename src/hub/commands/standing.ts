import { fromBinary } from "@bufbuild/protobuf";
import { type Result, ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import type { Store } from "../store/index.ts";

/** Where a command is, for who sent many and wants no more. */
export interface Standing {
  /** The node has said that it has it. */
  accepted: boolean;
  /** It did not reach the node in time, and never will. */
  expired: boolean;
  result?: Result;
}

/** Ids that one statement asks for. */
const idsAtOnce = 500;

/** Where a command is; undefined when it is not here, or no longer. */
export async function readStanding(store: Store, id: string): Promise<Standing | undefined> {
  const [row] = await store.read(
    `SELECT c.result, c.expired, c.sequence <= q.accepted AS accepted
     FROM commands c JOIN command_queues q ON q.node_id = c.node_id WHERE c.id = $1`,
    id,
  );
  if (!row) return undefined;
  const standing = { accepted: Number(row.accepted) === 1, expired: Number(row.expired) === 1 };
  return row.result instanceof Uint8Array
    ? { ...standing, result: fromBinary(ResultSchema, row.result) }
    : standing;
}

/** Those of these commands that are here and have no result. */
export async function pendingAmong(store: Store, ids: readonly string[]): Promise<Set<string>> {
  const pending = new Set<string>();
  for (let at = 0; at < ids.length; at += idsAtOnce) {
    const some = ids.slice(at, at + idsAtOnce);
    const places = some.map((_, index) => `$${index + 1}`).join(", ");
    const rows = await store.read(
      `SELECT id FROM commands WHERE finished_at IS NULL AND id IN (${places})`,
      ...some,
    );
    for (const { id } of rows) pending.add(String(id));
  }
  return pending;
}
