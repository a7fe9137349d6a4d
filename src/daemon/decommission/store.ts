import type { LeftWorkloads } from "../../../gen/edge/v1/node_pb.ts";
import type { Schema, Sql } from "../../base/sql.ts";

/** The room's table: one row from the moment that a decommissioning begins until the node has forgotten who it was. */
export const schema: Schema = {
  room: "decommission",
  migrations: [
    `CREATE TABLE decommission (
       one INTEGER PRIMARY KEY CHECK (one = 1),
       workloads INTEGER NOT NULL,
       command_id TEXT NOT NULL,
       node_id TEXT NOT NULL,
       removed TEXT NOT NULL,
       done INTEGER NOT NULL
     ) STRICT;`,
  ],
};

/** A node's way out of service. */
export interface Leaving {
  workloads: LeftWorkloads;
  /** The command that asks; empty when the hub said it at the door, and waits for no answer. */
  commandId: string;
  /** The node whose identity goes; empty when there was none. */
  nodeId: string;
  /** What was found on the engine, written before it was removed: the answer names it, whatever crashes. */
  removed: readonly string[];
  /** The workloads are as they should be: what is left is to tell it and to forget the identity. */
  isDone: boolean;
}

/** What is under way, if anything is. */
export function readLeaving(sql: Sql): Leaving | undefined {
  const row = sql.get("SELECT * FROM decommission");
  return (
    row && {
      workloads: Number(row.workloads) as LeftWorkloads, // Only `writeLeaving` writes it.
      commandId: String(row.command_id),
      nodeId: String(row.node_id),
      removed: JSON.parse(String(row.removed)) as string[], // Likewise.
      isDone: row.done === 1,
    }
  );
}

/** Keeps what is under way, in the place of what was; on disk when it returns, or with the transaction around it. */
export function writeLeaving(sql: Sql, { workloads, commandId, nodeId, removed, isDone }: Leaving): void {
  sql.run(
    `INSERT OR REPLACE INTO decommission (one, workloads, command_id, node_id, removed, done) VALUES (1, ?, ?, ?, ?, ?)`,
    workloads,
    commandId,
    nodeId,
    JSON.stringify(removed),
    Number(isDone),
  );
}

/** Nothing is under way any more. */
export function forgetLeaving(sql: Sql): void {
  sql.run("DELETE FROM decommission");
}
