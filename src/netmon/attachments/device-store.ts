import { fromBinary, toBinary } from "@bufbuild/protobuf";
import * as v from "valibot";
import { DeviceStatusSchema } from "../../../gen/edge/v1/devices_pb.ts";
import type { Sql } from "../../base/sql.ts";
import type { Made, ToldDevice } from "../devices/index.ts";

/** What was made of each device and what was told of it, by its path on the node. */
export const deviceTables = `
  CREATE TABLE devices_made (
    owner TEXT NOT NULL,
    node_path TEXT NOT NULL,
    made TEXT NOT NULL,
    PRIMARY KEY (owner, node_path)
  ) STRICT;
  CREATE TABLE devices_told (
    owner TEXT NOT NULL,
    node_path TEXT NOT NULL,
    status BLOB NOT NULL,
    life TEXT NOT NULL,
    PRIMARY KEY (owner, node_path)
  ) STRICT;`;

/** What is kept on disk of devices, in the transactions of the room's `Store`. */
export class DeviceStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  made(owner: string): Map<string, Made> {
    const rows = this.#sql.all("SELECT node_path, made FROM devices_made WHERE owner = ?", owner);
    return new Map(
      rows.map(({ node_path, made }) => [String(node_path), v.parse(madeSchema, JSON.parse(String(made)))]),
    );
  }

  /** Keeps what is about to be made; without it, forgets what was. */
  keepMade(owner: string, nodePath: string, made: Made | undefined): void {
    if (made) {
      const row = [owner, nodePath, JSON.stringify(made)];
      this.#sql.run("INSERT OR REPLACE INTO devices_made (owner, node_path, made) VALUES (?, ?, ?)", ...row);
    } else this.#sql.run("DELETE FROM devices_made WHERE owner = ? AND node_path = ?", owner, nodePath);
  }

  told(owner: string): Map<string, ToldDevice> {
    const rows = this.#sql.all("SELECT node_path, status, life FROM devices_told WHERE owner = ?", owner);
    return new Map(
      rows.map(({ node_path, status, life }) => {
        // BLOB NOT NULL in a STRICT table.
        const told = fromBinary(DeviceStatusSchema, status as Uint8Array);
        return [String(node_path), { status: told, life: String(life) }];
      }),
    );
  }

  /** Keeps what was told; without it, forgets that anything was. */
  keepTold(owner: string, nodePath: string, told: ToldDevice | undefined): void {
    if (told) {
      this.#sql.run(
        "INSERT OR REPLACE INTO devices_told (owner, node_path, status, life) VALUES (?, ?, ?, ?)",
        ...[owner, nodePath, toBinary(DeviceStatusSchema, told.status), told.life],
      );
    } else this.#sql.run("DELETE FROM devices_told WHERE owner = ? AND node_path = ?", owner, nodePath);
  }
}

const madeSchema = v.object({
  ...{ life: v.string(), path: v.string(), access: v.picklist(["r", "rw"]), isRightOurs: v.boolean() },
  number: v.object({ kind: v.picklist(["c", "b"]), major: v.number(), minor: v.number() }),
});
