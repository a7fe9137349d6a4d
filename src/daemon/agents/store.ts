import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import type { Row, Schema, Sql } from "../../base/sql.ts";
import type { Deployed } from "./deployed.ts";

export const schema: Schema = {
  room: "agents",
  migrations: [
    `CREATE TABLE agents (
       name TEXT PRIMARY KEY,
       current INTEGER NOT NULL,
       last_version INTEGER NOT NULL,
       scheduled_until INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE agent_versions (
       name TEXT NOT NULL REFERENCES agents (name) ON DELETE CASCADE,
       version INTEGER NOT NULL,
       spec BLOB NOT NULL,
       image_digest TEXT NOT NULL,
       image_id TEXT NOT NULL,
       deployed_at INTEGER NOT NULL,
       actor TEXT NOT NULL,
       PRIMARY KEY (name, version)
     ) STRICT;`,
  ],
};

/** Versions of an agent that are kept, the current one among them. The contract says so. */
const versionsKept = 20;

/** Agents in the state file. Every function is on disk when it returns, or with the transaction around it. */
export class AgentStore {
  readonly #sql: Sql;
  /** Decoded once: a version never changes. */
  readonly #known = new Map<string, Deployed>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  names(): string[] {
    return this.#sql.all("SELECT name FROM agents ORDER BY name").map(({ name }) => String(name));
  }

  /** The current version of an agent. */
  current(name: string): Deployed | undefined {
    const row = this.#sql.get("SELECT current FROM agents WHERE name = ?", name);
    return row && this.version(name, Number(row.current));
  }

  version(name: string, version: number): Deployed | undefined {
    const key = `${name}@${version}`;
    const known = this.#known.get(key);
    if (known) return known;
    const text = "SELECT * FROM agent_versions WHERE name = ? AND version = ?";
    const row = this.#sql.get(text, name, version);
    if (!row) return undefined;
    const deployed = toDeployed(row);
    this.#known.set(key, deployed);
    return deployed;
  }

  /** All versions of an agent, newest first. */
  versions(name: string): Deployed[] {
    const text = "SELECT * FROM agent_versions WHERE name = ? ORDER BY version DESC";
    return this.#sql.all(text, name).map(toDeployed);
  }

  /**
   * Keeps a new version and makes it the current one. The oldest that nobody needs goes.
   * @param isNeeded whether a task has still to be executed by that version.
   */
  add(deployed: Omit<Deployed, "version">, isNeeded: (version: number) => boolean): Deployed {
    const { name, spec, imageDigest, imageId, deployedAt, actor } = deployed;
    const row = this.#sql.get("SELECT last_version FROM agents WHERE name = ?", name);
    const version = Number(row?.last_version ?? 0) + 1;
    this.#sql.run(
      `INSERT INTO agents (name, current, last_version, scheduled_until) VALUES (?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET current = excluded.current, last_version = excluded.last_version`,
      ...[name, version, version, deployedAt],
    );
    this.#sql.run(
      `INSERT INTO agent_versions (name, version, spec, image_digest, image_id, deployed_at, actor)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[name, version, toBinary(AgentSpecSchema, spec), imageDigest, imageId, deployedAt, actor],
    );
    for (const { version: old } of this.versions(name).slice(versionsKept)) {
      if (isNeeded(old)) continue;
      this.#sql.run("DELETE FROM agent_versions WHERE name = ? AND version = ?", name, old);
      this.#known.delete(`${name}@${old}`);
    }
    return { ...deployed, version };
  }

  /** Makes an earlier version the current one. */
  setCurrent(name: string, version: number): void {
    this.#sql.run("UPDATE agents SET current = ? WHERE name = ?", version, name);
  }

  remove(name: string): void {
    for (const { version } of this.versions(name)) this.#known.delete(`${name}@${version}`);
    this.#sql.run("DELETE FROM agents WHERE name = ?", name);
  }

  /** Times of its schedule up to this one are dealt with, in wall milliseconds. */
  scheduledUntil(name: string): number {
    return Number(
      this.#sql.get("SELECT scheduled_until FROM agents WHERE name = ?", name)?.scheduled_until ?? 0,
    );
  }

  setScheduledUntil(name: string, until: number): void {
    this.#sql.run("UPDATE agents SET scheduled_until = ? WHERE name = ?", until, name);
  }
}

function toDeployed(row: Row): Deployed {
  return {
    name: String(row.name),
    version: Number(row.version),
    spec: fromBinary(AgentSpecSchema, row.spec as Uint8Array), // BLOB NOT NULL in a STRICT table.
    imageDigest: String(row.image_digest),
    imageId: String(row.image_id),
    deployedAt: Number(row.deployed_at),
    actor: String(row.actor),
  };
}
