import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type AgentNetwork, AgentNetworkSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { type GuardEgressRequest, GuardEgressRequestSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import type { Schema, Sql } from "../../base/sql.ts";

/** The guarded cells, which outlive the daemon. */
export const schema: Schema = {
  room: "egress",
  migrations: [
    `CREATE TABLE egress_cells (
       cell TEXT PRIMARY KEY, agent TEXT NOT NULL, address TEXT NOT NULL, has_ipv6 INTEGER NOT NULL,
       allow BLOB NOT NULL, guard BLOB NOT NULL
     ) STRICT;`,
  ],
};

/** A cell that may connect somewhere. */
export interface Guarded {
  cell: string;
  agent: string;
  /** By which it is known when it asks for names. */
  address: string;
  /** Whether its network has IPv6. */
  hasIpv6: boolean;
  allow: AgentNetwork;
  /** As netmon was asked. */
  guard: GuardEgressRequest;
}

export class GuardedCells {
  readonly #sql: Sql;
  readonly #cells: Map<string, Guarded>;

  constructor(sql: Sql) {
    this.#sql = sql;
    const kept = sql.all("SELECT * FROM egress_cells ORDER BY rowid").map((row) => ({
      cell: String(row.cell),
      agent: String(row.agent),
      address: String(row.address),
      hasIpv6: row.has_ipv6 === 1,
      allow: fromBinary(AgentNetworkSchema, row.allow as Uint8Array), // The table is strict.
      guard: fromBinary(GuardEgressRequestSchema, row.guard as Uint8Array),
    }));
    this.#cells = new Map(kept.map((one) => [one.cell, one]));
  }

  get all(): Guarded[] {
    return [...this.#cells.values()];
  }

  get(cell: string): Guarded | undefined {
    return this.#cells.get(cell);
  }

  /** The newest: an address is given again when its cell is gone, and that may not have been told yet. */
  at(address: string): Guarded | undefined {
    return this.all.findLast((one) => one.address === address);
  }

  keep(one: Guarded): void {
    const { cell, agent, address, hasIpv6, allow, guard } = one;
    this.#sql.run(
      "INSERT OR REPLACE INTO egress_cells VALUES (?, ?, ?, ?, ?, ?)",
      ...[cell, agent, address, Number(hasIpv6)],
      ...[toBinary(AgentNetworkSchema, allow), toBinary(GuardEgressRequestSchema, guard)],
    );
    this.#cells.delete(cell);
    this.#cells.set(cell, one);
  }

  forget(cell: string): void {
    if (!this.#cells.delete(cell)) return;
    this.#sql.run("DELETE FROM egress_cells WHERE cell = ?", cell);
  }
}
