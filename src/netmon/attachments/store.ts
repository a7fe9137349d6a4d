import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as v from "valibot";
import { type Attachment, AttachmentSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import { type VnicStatus, VnicStatusSchema } from "../../../gen/edge/v1/vnics_pb.ts";
import type { Schema, Sql } from "../../base/sql.ts";
import type { DhcpLease } from "../lease/index.ts";
import type { RecordedNic } from "../parents/index.ts";
import { DeviceStore, deviceTables } from "./device-store.ts";
import { eventTable } from "./events.ts";

/** The tables of this room: what should be, which leases are held, what was told last, and what happened. */
export const schema: Schema = {
  room: "attachments",
  migrations: [
    `CREATE TABLE attachments (
       owner TEXT PRIMARY KEY,
       attachment BLOB NOT NULL,
       displaced TEXT NOT NULL DEFAULT ''
     ) STRICT;
     CREATE TABLE leases (
       owner TEXT NOT NULL,
       vnic TEXT NOT NULL,
       lease TEXT NOT NULL,
       lan TEXT NOT NULL,
       PRIMARY KEY (owner, vnic)
     ) STRICT;
     CREATE TABLE nics (
       owner TEXT NOT NULL,
       vnic TEXT NOT NULL,
       nic TEXT NOT NULL,
       PRIMARY KEY (owner, vnic)
     ) STRICT;
     CREATE TABLE told (
       owner TEXT NOT NULL,
       vnic TEXT NOT NULL,
       status BLOB NOT NULL,
       link TEXT NOT NULL,
       PRIMARY KEY (owner, vnic)
     ) STRICT;
     ${eventTable}`,
    deviceTables,
  ],
};

/** A lease, and what the parent's LAN looked like when it was given: in another LAN it means nothing. */
export interface KeptLease {
  readonly lease: DhcpLease;
  /** As `lanOf` says it; empty when the parent had no subnet. */
  readonly lan: string;
}

/** What was told last of a vNIC. What is different from it, happened. */
export interface Told {
  readonly status: VnicStatus;
  /** Which link it has, and in which life of the container; empty when it has none. */
  readonly link: string;
}

/** The default route that the engine gave, while a vNIC owns the default route in its place. */
export interface Displaced {
  /** The life of the container that it belongs to: the next one gets a new one. */
  readonly life: string;
  readonly gateway: string;
  readonly device: string;
}

/** What is kept on disk, so that netmon goes on where it was, whoever was killed in between. */
export class Store {
  readonly devices: DeviceStore;
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.devices = new DeviceStore(sql);
  }

  /** All of `work` is on disk, or nothing. */
  atomically<T>(work: () => T): T {
    return this.#sql.atomically(work);
  }

  attachments(): Attachment[] {
    const rows = this.#sql.all("SELECT attachment FROM attachments ORDER BY owner");
    return rows.map((row) => fromBinary(AttachmentSchema, bytes(row.attachment)));
  }

  keep(attachment: Attachment): void {
    this.#sql.run(
      `INSERT INTO attachments (owner, attachment) VALUES (?, ?)
         ON CONFLICT (owner) DO UPDATE SET attachment = excluded.attachment`,
      attachment.owner,
      toBinary(AttachmentSchema, attachment),
    );
  }

  forget(owner: string): void {
    this.atomically(() => {
      for (const table of ["attachments", "leases", "nics", "told", "devices_made", "devices_told"]) {
        this.#sql.run(`DELETE FROM ${table} WHERE owner = ?`, owner);
      }
    });
  }

  /** Forgets what was told and leased of one vNIC. */
  forgetVnic(owner: string, vnic: string): void {
    this.atomically(() => {
      for (const table of ["leases", "told"]) {
        this.#sql.run(`DELETE FROM ${table} WHERE owner = ? AND vnic = ?`, owner, vnic);
      }
    });
  }

  /** The leases of an owner, by vNIC. */
  leases(owner: string): Map<string, KeptLease> {
    const rows = this.#sql.all("SELECT vnic, lease, lan FROM leases WHERE owner = ?", owner);
    return new Map(
      rows.map((row) => [String(row.vnic), { lease: parse(leaseSchema, row.lease), lan: String(row.lan) }]),
    );
  }

  /** Keeps a lease; without one, forgets that there was one. */
  keepLease(owner: string, vnic: string, kept: KeptLease | undefined): void {
    if (!kept) {
      this.#sql.run("DELETE FROM leases WHERE owner = ? AND vnic = ?", owner, vnic);
      return;
    }
    this.#sql.run(
      "INSERT OR REPLACE INTO leases (owner, vnic, lease, lan) VALUES (?, ?, ?, ?)",
      ...[owner, vnic, JSON.stringify(kept.lease), kept.lan],
    );
  }

  /** The whole NICs that were given to an owner, as the node had them, by vNIC. */
  nics(owner: string): Map<string, RecordedNic> {
    const rows = this.#sql.all("SELECT vnic, nic FROM nics WHERE owner = ?", owner);
    return new Map(rows.map(({ vnic, nic }) => [String(vnic), parse(nicSchema, nic)]));
  }

  /** Keeps what comes back with a NIC, before it is given away; without one, it is back. */
  keepNic(owner: string, vnic: string, nic: RecordedNic | undefined): void {
    if (nic) {
      const row = [owner, vnic, JSON.stringify(nic)];
      this.#sql.run("INSERT OR REPLACE INTO nics (owner, vnic, nic) VALUES (?, ?, ?)", ...row);
    } else this.#sql.run("DELETE FROM nics WHERE owner = ? AND vnic = ?", owner, vnic);
  }

  /** What was told last of an owner's vNICs, by vNIC. */
  told(owner: string): Map<string, Told> {
    const rows = this.#sql.all("SELECT vnic, status, link FROM told WHERE owner = ?", owner);
    return new Map(
      rows.map(({ vnic, status, link }) => [
        String(vnic),
        { status: fromBinary(VnicStatusSchema, bytes(status)), link: String(link) },
      ]),
    );
  }

  keepTold(owner: string, vnic: string, { status, link }: Told): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO told (owner, vnic, status, link) VALUES (?, ?, ?, ?)",
      ...[owner, vnic, toBinary(VnicStatusSchema, create(VnicStatusSchema, status)), link],
    );
  }

  displaced(owner: string): Displaced | undefined {
    const row = this.#sql.get("SELECT displaced FROM attachments WHERE owner = ?", owner);
    return row?.displaced ? parse(displacedSchema, row.displaced) : undefined;
  }

  keepDisplaced(owner: string, route: Displaced): void {
    this.#sql.run("UPDATE attachments SET displaced = ? WHERE owner = ?", JSON.stringify(route), owner);
  }
}

const leaseSchema = v.object({
  address: v.string(),
  gateways: v.array(v.string()),
  dnsServers: v.array(v.string()),
  domain: v.string(),
  server: v.string(),
  leaseSeconds: v.number(),
  boundAt: v.number(),
  renewedAt: v.number(),
  expiresAt: v.number(),
  routes: v.array(v.object({ destination: v.string(), gateway: v.string() })),
  mtu: v.number(),
});

const nicSchema = v.object({
  ...{ name: v.string(), mac: v.string(), permanentMac: v.string(), mtu: v.number(), isUp: v.boolean() },
  addresses: v.array(v.object({ address: v.string(), validUntil: v.exactOptional(v.number()) })),
  routes: v.array(v.string()),
});

const displacedSchema = v.object({ life: v.string(), gateway: v.string(), device: v.string() });

function parse<T>(rowSchema: v.GenericSchema<unknown, T>, value: unknown): T {
  return v.parse(rowSchema, JSON.parse(String(value)));
}

/** A column that is BLOB NOT NULL in a STRICT table. */
function bytes(value: unknown): Uint8Array {
  return value as Uint8Array;
}
