import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import type { Row } from "../../base/sql.ts";
import type { Store, Tx } from "../store/index.ts";

/**
 * What a finished command may take without being looked at, in bytes: as many as are kept of a node, of this size, are well
 * within the least that a node may be given.
 */
const smallBytes = 16 * 1024;

/** The part of the room that whole answers may take; the rest is for what is known of older commands. */
const wholePart = 3 / 4;

/** Whether a command that has its result takes so much that room may have to be made. */
export function isLarge(bytes: number): boolean {
  return bytes > smallBytes;
}

/** The nodes whose finished commands take more than they may. */
export async function crowded(store: Store, limitBytes: number): Promise<string[]> {
  const rows = await store.read(
    `SELECT node_id FROM commands WHERE finished_at IS NOT NULL
     GROUP BY node_id HAVING SUM(LENGTH(command) + LENGTH(result)) > $1`,
    limitBytes,
  );
  return rows.map((row) => String(row.node_id));
}

/** Commands that one statement forgets: others wait for nothing meanwhile. */
const perStatement = 1000;

/** Forgets the commands that were finished before a time, a little at a time. Several hubs may do it at once. */
export async function forgetBefore(store: Store, before: number): Promise<void> {
  for (let gone = perStatement; gone === perStatement; ) {
    gone = await store.write(
      (tx) =>
        tx.run(
          `DELETE FROM commands WHERE id IN
             (SELECT id FROM commands WHERE finished_at < $1 ORDER BY finished_at LIMIT ${perStatement})`,
          before,
        ),
      ["old commands"],
    );
  }
}

/**
 * Keeps what the finished commands of a node take within bounds: of the oldest, what large results answered goes; where their
 * requests alone are too much, the oldest commands go as a whole.
 */
export async function makeRoom(tx: Tx, nodeId: string, limitBytes: number): Promise<void> {
  const wholeBytes = Math.floor(limitBytes * wholePart);
  for (const { id } of await beyond(tx, nodeId, wholeBytes)) await dropAnswer(tx, String(id));
  for (const { id } of await beyond(tx, nodeId, limitBytes)) {
    await tx.run("DELETE FROM commands WHERE id = $1", String(id));
  }
}

/** The finished commands behind the newest that fit. */
function beyond(tx: Tx, nodeId: string, limitBytes: number): Promise<Row[]> {
  return tx.all(
    `SELECT id FROM (
       SELECT id, SUM(LENGTH(command) + LENGTH(result)) OVER (ORDER BY finished_at DESC, sequence DESC) AS bytes
       FROM commands WHERE node_id = $1 AND finished_at IS NOT NULL) AS finished
     WHERE bytes > $2`,
    nodeId,
    limitBytes,
  );
}

/** A failure stays whole, because without it a command would look as if it had been done. */
async function dropAnswer(tx: Tx, id: string): Promise<void> {
  const row = await tx.get(
    "SELECT result FROM commands WHERE id = $1 AND LENGTH(result) > $2",
    id,
    smallBytes,
  );
  if (!(row?.result instanceof Uint8Array)) return;
  const { outcome, commandId, finishedAt, tookMs } = fromBinary(ResultSchema, row.result);
  if (outcome.case === "failure") return;
  const left = create(ResultSchema, { commandId, tookMs, ...(finishedAt && { finishedAt }) });
  await tx.run(
    "UPDATE commands SET result = $2, result_dropped = 1 WHERE id = $1",
    id,
    toBinary(ResultSchema, left),
  );
}
