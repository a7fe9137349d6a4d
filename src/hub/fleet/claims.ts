import { Batches } from "../../base/batches.ts";
import type { Clock } from "../../base/clock.ts";
import type { Replicas } from "../replicas/index.ts";
import type { Store, Tx } from "../store/index.ts";
import { fence, isReplaced, type NodeHello, type Outcast } from "./fence.ts";
import { nextRevision } from "./revision.ts";

/** A stream that says it is a node's newest. */
interface Claim {
  id: string;
  hello: NodeHello;
}

/** What became of a claim: whose the node is now, or why not, with who is known as the node. */
export type Claimed =
  | { was: "let in"; revision: number; at: number }
  | { was: "refused"; outcast: Outcast; holder: Holder };

/** Who is known as the node: the machine, and since when its line is up or down. */
export interface Holder {
  hostName: string;
  address: string;
  instanceId: string;
  /** Milliseconds since 1970. */
  since: number;
}

export interface ClaimsOptions {
  store: Store;
  clock: Clock;
  /** Who claims, and which other replicas are at work: a node of one that died is held by nobody. */
  replicas: Pick<Replicas, "id" | "isAlive">;
}

/**
 * Decides in the store which of several streams of a node is the newest, wherever they arrive: one comes in when its fence is
 * on disk. Those that come together are one write.
 */
export class Claims {
  readonly #options: ClaimsOptions;
  readonly #batches = new Batches({
    work: (claims: readonly Claim[]) => this.#decide(claims),
    size: 200,
    limit: 20_000,
    what: "nodes that come in",
  });

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** @throws {Failure} exhausted, unavailable: nothing was decided. */
  claim(id: string, hello: NodeHello): Promise<Claimed> {
    return this.#batches.add({ id, hello });
  }

  async #decide(claims: readonly Claim[]): Promise<Claimed[]> {
    const { store, clock, replicas } = this.#options;
    const about = new Set(claims.map(({ id }) => `node ${id}`));
    return await store.write(
      async (tx) => {
        const decided: Claimed[] = [];
        const revision = await nextRevision(tx);
        for (const { id, hello } of claims) {
          const refused = await refusal(tx, id, hello, clock.now(), (owner) => replicas.isAlive(owner));
          if (!refused) await own(tx, id, { ...hello, replicaId: replicas.id, at: clock.now(), revision });
          decided.push(refused ?? { was: "let in", revision, at: clock.now() });
        }
        return decided;
      },
      [...about],
    );
  }
}

async function refusal(
  tx: Tx,
  id: string,
  hello: NodeHello,
  now: number,
  isAlive: (replicaId: string) => boolean,
): Promise<Claimed | undefined> {
  const row = await tx.get(
    `SELECT epoch, instance_id, former_instance_id, certificate_issued_at, host_name, address, changed_at, owner, revoked_at
     FROM nodes WHERE id = $1`,
    id,
  );
  const holder = {
    ...{ hostName: String(row?.host_name ?? ""), address: String(row?.address ?? "") },
    ...{ instanceId: String(row?.instance_id ?? ""), since: Number(row?.changed_at ?? 0) },
  };
  const refused = (outcast: Outcast): Claimed => ({ was: "refused", outcast, holder });
  if (!row) {
    return refused((await tx.get("SELECT 1 FROM removed_nodes WHERE id = $1", id)) ? "removed" : "unknown");
  }
  if (Number(row.revoked_at) > 0) return refused("revoked");
  if (isReplaced(Number(row.certificate_issued_at), hello.certificateIssuedAt, now))
    return refused("replaced");
  const formerInstanceId = String(row.former_instance_id);
  const isHeld = isAlive(String(row.owner));
  const seen = { ...holder, epoch: Number(row.epoch), formerInstanceId, isHeld };
  const verdict = fence(seen, hello);
  return verdict === "newest" ? undefined : refused(verdict);
}

async function own(
  tx: Tx,
  id: string,
  hello: NodeHello & { replicaId: string; at: number; revision: number },
): Promise<void> {
  const { epoch, instanceId, hostName, daemonVersion, replicaId, at, revision } = hello;
  const { certificateSerial, certificateIssuedAt, certificateExpiresAt } = hello;
  await tx.run(
    `UPDATE nodes SET former_instance_id = CASE WHEN instance_id = $3 THEN former_instance_id ELSE instance_id END,
       address = $12, epoch = $2, instance_id = $3, host_name = $4, daemon_version = $5, certificate_serial = $6,
       certificate_issued_at = $7, certificate_expires_at = $8, owner = $9, changed_at = $10, seen_at = $10, revision = $11
     WHERE id = $1`,
    ...[id, epoch, instanceId, hostName, daemonVersion, certificateSerial],
    ...[certificateIssuedAt, certificateExpiresAt, replicaId, at, revision, hello.address],
  );
}
