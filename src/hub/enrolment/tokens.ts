import { createHash, timingSafeEqual } from "node:crypto";
import { evidence } from "../../base/evidence.ts";
import { failure } from "../../base/failure.ts";
import type { Row } from "../../base/sql.ts";
import type { Store } from "../store/index.ts";

/** A one-time token as the hub keeps it. Times are wall time in milliseconds. */
export interface TokenRecord {
  id: string;
  note: string;
  createdAt: number;
  expiresAt: number;
  usedAt?: number;
  usedBy?: string;
  /** The node that it lets in again; absent when it lets a new one in. */
  nodeId?: string;
  /** The tenant that the node will belong to; empty for none. */
  tenant: string;
}

/** How long a token is good when nothing else is asked for. */
export const defaultTokenMs = 15 * 60_000;
/** Ended tokens are kept for so long, so that a late node is told what happened to its token. */
const keptMs = 30 * 24 * 3_600_000;

/** The one-time tokens that let nodes in. */
export interface Tokens {
  /** Keeps a new token; of the secret, only its hash. Forgets those that ended long ago. */
  add(token: NewToken): Promise<TokenRecord>;
  /** Newest first, without revoked ones; those of a tenant, or all. */
  list(tenant?: string): Promise<TokenRecord[]>;
  /** Makes an unused token worthless. @throws {Failure} not_found; conflict: it was used. */
  revoke(id: string, tenant?: string): Promise<void>;
  /**
   * Checks the secret and uses the token up for one key, at once and once. The same key may come again while the token is
   * valid, and is given the same node: an answer that was lost must not burn the token.
   * @throws {Failure} denied, with a sentence that says which of the things that can be wrong it is.
   */
  use(token: { id: string; secret: Uint8Array; keySha256: Uint8Array; newNodeId: string }): Promise<Use>;
  /** Checks a token as `use` does and changes nothing. */
  check(token: { id: string; secret: Uint8Array }): Promise<void>;
  /** Notes that the node is in the fleet; from then on a removed node stays removed. */
  enrolled(id: string): Promise<void>;
}

/** A token that is to be kept. */
export interface NewToken {
  id: string;
  secret: Uint8Array;
  note: string;
  expiresAt: number;
  /** The node that it lets in again; empty when it lets a new one in. */
  nodeId: string;
  /** The tenant that a new node will belong to; empty for none. */
  tenant?: string;
}

/** For which node a token was used, and whether that node has been in the fleet before. */
export interface Use {
  nodeId: string;
  /** By this very token. */
  wasEnrolled: boolean;
  /** The token was made for it. */
  isBack: boolean;
  /** The tenant that it belongs to when it is new. */
  tenant: string;
}

/** The tokens of this hub. */
export function openTokens(store: Store, now: () => number): Tokens {
  return {
    async add({ id, secret, note, expiresAt, nodeId, tenant = "" }) {
      const at = now();
      await store.write(async (tx) => {
        await tx.run("DELETE FROM enrolment_tokens WHERE expires_at < $1", at - keptMs);
        await tx.run(
          `INSERT INTO enrolment_tokens (id, secret_sha256, note, created_at, expires_at, node_id, tenant)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
          id,
          sha256(secret),
          note,
          at,
          expiresAt,
          nodeId || null,
          tenant,
        );
      }, []);
      return { id, note, tenant, createdAt: at, expiresAt, ...(nodeId !== "" && { nodeId }) };
    },

    async list(tenant) {
      const rows = await store.read(
        "SELECT * FROM enrolment_tokens WHERE revoked_at IS NULL ORDER BY created_at DESC, id",
      );
      return rows.map(recordOf).filter((one) => tenant === undefined || one.tenant === tenant);
    },

    async revoke(id, tenant) {
      const at = now();
      await store.write(
        async (tx) => {
          const row = await tx.get("SELECT * FROM enrolment_tokens WHERE id = $1 AND revoked_at IS NULL", id);
          if (!row || (tenant !== undefined && row.tenant !== tenant)) {
            throw failure(
              "not_found",
              `no enrolment token has the id ${evidence(id)}: list the tokens to see theirs`,
            );
          }
          if (row.used_by !== null) {
            throw failure(
              "conflict",
              `token ${id} was used by node ${row.used_by}: to take that node out, remove the node`,
            );
          }
          await tx.run("UPDATE enrolment_tokens SET revoked_at = $1 WHERE id = $2", at, id);
        },
        [`token ${id}`],
      );
    },

    async check({ id, secret }) {
      const [row] = await store.read("SELECT * FROM enrolment_tokens WHERE id = $1", id);
      checked(row, secret, now());
    },

    async use({ id, secret, keySha256, newNodeId }) {
      const at = now();
      // Read and write in one transaction: of two that come at once, one finds the token used.
      return store.write(
        async (tx) => {
          const row = checked(await tx.get("SELECT * FROM enrolment_tokens WHERE id = $1", id), secret, at);
          const isBack = row.node_id !== null;
          const tenant = String(row.tenant);
          if (row.used_by === null) {
            const nodeId = isBack ? String(row.node_id) : newNodeId;
            await tx.run(
              "UPDATE enrolment_tokens SET used_at = $1, used_by = $2, used_key_sha256 = $3 WHERE id = $4 AND used_by IS NULL",
              at,
              nodeId,
              keySha256,
              id,
            );
            return { nodeId, wasEnrolled: false, isBack, tenant };
          }
          if (
            !(row.used_key_sha256 instanceof Uint8Array) ||
            !Buffer.from(keySha256).equals(row.used_key_sha256)
          ) {
            throw failure(
              "denied",
              `the token was already used, by node ${row.used_by}: each token lets one node in${another}`,
            );
          }
          return { nodeId: String(row.used_by), wasEnrolled: row.enrolled_at !== null, isBack, tenant };
        },
        [`token ${id}`],
      );
    },

    async enrolled(id) {
      const at = now();
      await store.write(async (tx) => {
        await tx.run(
          "UPDATE enrolment_tokens SET enrolled_at = $1 WHERE id = $2 AND enrolled_at IS NULL",
          at,
          id,
        );
      }, []);
    },
  };
}

const another = ". Ask for a new one: orchestrator hub token create";

function checked(row: Row | undefined, secret: Uint8Array, at: number): Row {
  if (!row) {
    throw failure(
      "denied",
      `the token is not one of this hub: it is that of another hub, or long forgotten${another}`,
    );
  }
  if (!(row.secret_sha256 instanceof Uint8Array) || !timingSafeEqual(sha256(secret), row.secret_sha256)) {
    throw failure(
      "denied",
      `the token is forged: this hub made one of that id, with another secret${another}`,
    );
  }
  if (row.revoked_at !== null) throw failure("denied", `the token was revoked${another}`);
  // A used token that is also expired says that it was used: that is what somebody has to look into.
  if (at >= Number(row.expires_at) && row.used_by === null) {
    throw failure(
      "denied",
      `the token expired at ${new Date(Number(row.expires_at)).toISOString()}${another}`,
    );
  }
  if (at >= Number(row.expires_at)) {
    throw failure(
      "denied",
      `the token was already used, by node ${row.used_by}, and has expired since${another}`,
    );
  }
  return row;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function recordOf(row: Row): TokenRecord {
  return {
    id: String(row.id),
    note: String(row.note),
    tenant: String(row.tenant),
    createdAt: Number(row.created_at),
    expiresAt: Number(row.expires_at),
    ...(row.node_id !== null && { nodeId: String(row.node_id) }),
    ...(row.used_at === null ? {} : { usedAt: Number(row.used_at), usedBy: String(row.used_by) }),
  };
}
