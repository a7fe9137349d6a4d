import type { Clock } from "../../base/clock.ts";
import { evidence } from "../../base/evidence.ts";
import { failure } from "../../base/failure.ts";
import type { Row } from "../../base/sql.ts";
import { parseSelector } from "../../wire/selector.ts";
import type { Store } from "../store/index.ts";

/** A group as the hub keeps it. */
export interface GroupRecord {
  name: string;
  selector: string;
  setBy: string;
  /** Milliseconds since 1970. */
  setAt: number;
}

/** Groups of one tenant. */
const groupLimit = 1000;

/** The groups of this hub. `tenant` is empty for those of the whole hub, which no tenant sees. */
export class Groups {
  readonly #store: Store;
  readonly #clock: Pick<Clock, "now">;

  constructor(store: Store, clock: Pick<Clock, "now">) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Gives a selector a name. @throws {Failure} invalid: it is no selector. exhausted: there are too many. */
  async set(
    tenant: string,
    { name, selector, by }: { name: string; selector: string; by: string },
  ): Promise<void> {
    parseSelector(selector);
    await this.#store.write(
      async (tx) => {
        await tx.run(
          `INSERT INTO node_groups (tenant, name, selector, set_by, set_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (tenant, name) DO UPDATE SET selector = excluded.selector, set_by = excluded.set_by,
             set_at = excluded.set_at`,
          ...[tenant, name, selector, by, this.#clock.now()],
        );
        const row = await tx.get("SELECT COUNT(*) AS n FROM node_groups WHERE tenant = $1", tenant);
        if (Number(row?.n) <= groupLimit) return;
        throw failure(
          "exhausted",
          `there are ${groupLimit} groups: remove some with \`orchestrator group remove\``,
        );
      },
      [`groups of ${tenant}`],
    );
  }

  /** One group. @throws {Failure} not_found. */
  async get(tenant: string, name: string): Promise<GroupRecord> {
    const [row] = await this.#store.read(
      "SELECT * FROM node_groups WHERE tenant = $1 AND name = $2",
      tenant,
      name,
    );
    if (row) return toRecord(row);
    throw unknownGroup(name);
  }

  /** All of them, ordered by name. */
  async list(tenant: string): Promise<GroupRecord[]> {
    const rows = await this.#store.read("SELECT * FROM node_groups WHERE tenant = $1 ORDER BY name", tenant);
    return rows.map(toRecord);
  }

  /** Forgets a group. @throws {Failure} not_found. */
  async remove(tenant: string, name: string): Promise<void> {
    const gone = await this.#store.write(
      (tx) => tx.run("DELETE FROM node_groups WHERE tenant = $1 AND name = $2", tenant, name),
      [`groups of ${tenant}`],
    );
    if (gone === 0) throw unknownGroup(name);
  }
}

function unknownGroup(name: string) {
  return failure("not_found", `there is no group ${evidence(name)}: see \`orchestrator group list\``);
}

function toRecord(row: Row): GroupRecord {
  return {
    name: String(row.name),
    selector: String(row.selector),
    setBy: String(row.set_by),
    setAt: Number(row.set_at),
  };
}
