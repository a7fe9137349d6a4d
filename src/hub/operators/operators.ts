import type { Clock } from "../../base/clock.ts";
import { evidence } from "../../base/evidence.ts";
import { failure } from "../../base/failure.ts";
import { writeWhole } from "../../base/files.ts";
import type { Row } from "../../base/sql.ts";
import type { Replicas } from "../replicas/index.ts";
import type { Store, Tx } from "../store/index.ts";
import { type Role, roleNames } from "./roles.ts";
import { isSecret, newOperatorToken, parseOperatorToken } from "./token.ts";

/** An operator token as the hub keeps it. Times are wall time in milliseconds. */
export interface OperatorRecord {
  id: string;
  name: string;
  role: Role;
  /** The tenant that it is bound to; empty for the whole hub. */
  tenant: string;
  createdAt: number;
  expiresAt?: number;
  usedAt?: number;
}

/** Who calls, as the token says. */
export interface Caller {
  tokenId: string;
  name: string;
  role: Role;
  /** The tenant that the token is bound to; empty for the whole hub. */
  tenant: string;
  /** Aborted when the token is revoked or expires: what is being watched with it ends then. */
  signal: AbortSignal;
}

const minuteMs = 60_000;
/** Last uses are written together, so that a busy caller does not cost a disk write per call. */
const flushEveryMs = 30_000;
/** The longest time that a timer of Node can wait: a token that lasts longer is looked at again then. */
const longestTimerMs = 2 ** 31 - 1;

/** What ends with a token that is in use. */
interface Live {
  controller: AbortController;
  timer?: NodeJS.Timeout;
}

/** The operator tokens of this hub. */
export class Operators implements AsyncDisposable {
  readonly #store: Store;
  readonly #clock: Clock;
  /** Token id to the minute of its last use, not yet written. */
  readonly #used = new Map<string, number>();
  readonly #live = new Map<string, Live>();
  #replicas: Replicas | undefined;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Who a token belongs to.
   * @throws {Failure} denied, with a sentence that says what is wrong with the token and what to do.
   */
  async authenticate(text: string): Promise<Caller> {
    const parts = parseOperatorToken(text);
    if (!parts) {
      throw failure(
        "denied",
        `this is not an operator token: one looks like op_<id>_<secret>. ${whereTokensComeFrom}`,
      );
    }
    const [row] = await this.#store.read("SELECT * FROM operator_tokens WHERE id = $1", parts.id);
    // One sentence for an unknown id and a wrong secret: who guesses learns nothing.
    if (!row || !(row.secret_sha256 instanceof Uint8Array) || !isSecret(parts.secret, row.secret_sha256)) {
      throw failure("denied", `this operator token is not known to this hub. ${whereTokensComeFrom}`);
    }
    if (row.revoked_at !== null)
      throw failure("denied", `this operator token was revoked. ${whereTokensComeFrom}`);
    const record = recordOf(row);
    const at = this.#clock.now();
    if (record.expiresAt !== undefined && at >= record.expiresAt) {
      const ended = new Date(record.expiresAt).toISOString();
      throw failure("denied", `this operator token expired at ${ended}. ${whereTokensComeFrom}`);
    }
    this.#used.set(record.id, Math.floor(at / minuteMs) * minuteMs);
    return {
      tokenId: record.id,
      name: record.name,
      role: record.role,
      tenant: record.tenant,
      signal: this.#signalOf(record, at),
    };
  }

  /** Makes a token; the text is nowhere else. `validForMs` of 0 means for ever. */
  async create(asked: {
    name: string;
    role: Role;
    tenant?: string;
    validForMs: number;
  }): Promise<{ token: string; record: OperatorRecord }> {
    const made = newOperatorToken();
    const createdAt = this.#clock.now();
    const record: OperatorRecord = {
      id: made.id,
      name: asked.name,
      role: asked.role,
      tenant: asked.tenant ?? "",
      createdAt,
      ...(asked.validForMs === 0 ? {} : { expiresAt: createdAt + asked.validForMs }),
    };
    await this.#store.write((tx) => insert(tx, record, made.secretSha256), ["operators"]);
    return { token: made.text, record };
  }

  /** Newest first, without revoked ones; those of a tenant, or all. */
  async list(tenant?: string): Promise<OperatorRecord[]> {
    const rows = await this.#store.read(
      "SELECT * FROM operator_tokens WHERE revoked_at IS NULL ORDER BY created_at DESC, id",
    );
    const shown = rows.filter((row) => tenant === undefined || row.tenant === tenant);
    return shown.map((row) => {
      const record = recordOf(row);
      const usedAt = this.#used.get(record.id);
      return usedAt === undefined ? record : { ...record, usedAt };
    });
  }

  /**
   * Makes a token worthless, at once and also for what is being watched with it.
   * @throws {Failure} not_found. conflict: it is the last admin token.
   */
  async revoke(id: string, tenant?: string): Promise<void> {
    const at = this.#clock.now();
    await this.#store.write(
      async (tx) => {
        const row = await tx.get("SELECT * FROM operator_tokens WHERE id = $1 AND revoked_at IS NULL", id);
        if (!row || (tenant !== undefined && row.tenant !== tenant)) {
          throw failure(
            "not_found",
            `no operator token has the id ${evidence(id)}: list the tokens to see theirs`,
          );
        }
        if (isLiveAdmin(row, at) && (await liveAdmins(tx, at)) === 1) {
          throw failure(
            "conflict",
            `${id} is the last admin token: make another one first, or nobody could ever again`,
          );
        }
        await tx.run("UPDATE operator_tokens SET revoked_at = $1 WHERE id = $2", at, id);
      },
      ["operators"],
    );
    this.#end(id, revoked);
    this.#replicas?.tell("operators", [id]);
  }

  /** Ends what is watched here with tokens that another replica revoked, and tells the others of those that are revoked here. */
  join(replicas: Replicas): void {
    this.#replicas = replicas;
    replicas.hear("operators", (ids) => {
      for (const id of ids) this.#end(id, revoked);
    });
    replicas.onLook(async () => {
      if (this.#live.size === 0) return;
      const rows = await this.#store.read("SELECT id FROM operator_tokens WHERE revoked_at IS NOT NULL");
      for (const { id } of rows) this.#end(String(id), revoked);
    });
  }

  /**
   * Makes an admin token and writes it to `file` (mode 0600) when no valid one exists: at the first start, or when the last
   * one expired; with `anyway` even if there is one, for who has lost them all. Says whether it did.
   */
  async ensureAdmin(file: string, { anyway = false } = {}): Promise<boolean> {
    const at = this.#clock.now();
    const admins = await this.#store.write((tx) => liveAdmins(tx, at), ["operators"]);
    if (admins > 0 && !anyway) return false;
    const made = newOperatorToken();
    // The file first: a token that is kept and written nowhere would be a locked door without a key.
    await writeWhole(file, `${made.text}\n`, 0o600);
    const record: OperatorRecord = { id: made.id, name: "admin", role: "admin", tenant: "", createdAt: at };
    await this.#store.write((tx) => insert(tx, record, made.secretSha256), ["operators"]);
    return true;
  }

  /** Writes last uses now and then, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(flushEveryMs, signal).catch((thrown: unknown) => {
        if (!signal.aborted) throw thrown;
      });
      await this.#flush();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of [...this.#live.keys()]) this.#end(id, "the hub stops");
    await this.#flush();
  }

  /** Writes the last uses that are not on disk yet. When the store takes none, which others say, they are kept for the next time. */
  async #flush(): Promise<void> {
    const used = [...this.#used];
    if (used.length === 0) return;
    try {
      await this.#store.write(async (tx) => {
        for (const [id, at] of used) {
          await tx.run("UPDATE operator_tokens SET used_at = $1 WHERE id = $2", at, id);
        }
      }, []);
    } catch {
      return;
    }
    for (const [id, at] of used) if (this.#used.get(id) === at) this.#used.delete(id);
  }

  #signalOf({ id, expiresAt }: OperatorRecord, at: number): AbortSignal {
    const known = this.#live.get(id);
    if (known) return known.controller.signal;
    const controller = new AbortController();
    const live: Live = { controller };
    this.#live.set(id, live);
    if (expiresAt !== undefined) this.#endInTime(id, live, expiresAt, at);
    return controller.signal;
  }

  #endInTime(id: string, live: Live, expiresAt: number, at: number): void {
    const onTime = () => {
      const now = this.#clock.now();
      if (now < expiresAt) this.#endInTime(id, live, expiresAt, now);
      else this.#end(id, `this operator token expired at ${new Date(expiresAt).toISOString()}`);
    };
    live.timer = setTimeout(onTime, Math.min(expiresAt - at, longestTimerMs)).unref();
  }

  #end(id: string, reason: string): void {
    const live = this.#live.get(id);
    if (!live) return;
    clearTimeout(live.timer);
    this.#live.delete(id);
    live.controller.abort(failure("denied", reason));
  }
}

const revoked = "this operator token was revoked";
const whereTokensComeFrom =
  "An admin makes one with `orchestrator hub operator create`; the first is in admin.token in the hub's data directory";

async function insert(tx: Tx, record: OperatorRecord, secretSha256: Uint8Array): Promise<void> {
  await tx.run(
    `INSERT INTO operator_tokens (id, name, role, secret_sha256, created_at, expires_at, tenant)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    record.id,
    record.name,
    record.role,
    secretSha256,
    record.createdAt,
    record.expiresAt ?? null,
    record.tenant,
  );
}

async function liveAdmins(tx: Tx, at: number): Promise<number> {
  const rows = await tx.all("SELECT * FROM operator_tokens WHERE role = 'admin'");
  return rows.filter((row) => isLiveAdmin(row, at)).length;
}

function isLiveAdmin(row: Row, at: number): boolean {
  const isLive = row.revoked_at === null && (row.expires_at === null || Number(row.expires_at) > at);
  return isLive && row.role === "admin" && row.tenant === "";
}

function recordOf(row: Row): OperatorRecord {
  const role = roleNames.find((one) => one === row.role);
  if (!role) throw failure("internal", `operator token ${row.id} has the role ${row.role}, which is none`);
  return {
    id: String(row.id),
    name: String(row.name),
    role,
    tenant: String(row.tenant),
    createdAt: Number(row.created_at),
    ...(row.expires_at === null ? {} : { expiresAt: Number(row.expires_at) }),
    ...(row.used_at === null ? {} : { usedAt: Number(row.used_at) }),
  };
}
