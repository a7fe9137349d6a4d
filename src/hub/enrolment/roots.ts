import type { X509Certificate } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { isSignedBy } from "../../wire/judge.ts";
import type { Store } from "../store/index.ts";
import type { FoundingAuthority } from "./authority.ts";
import { Holders } from "./holders.ts";
import type { Authority } from "./issuer.ts";
import { newRoot, vouch } from "./root.ts";
import {
  insertFounding,
  insertRoot,
  type KeptRoot,
  type TrustedRoot,
  toKept,
  toTrusted,
} from "./root-rows.ts";

export interface RootsOptions {
  store: Store;
  /** What this hub has in its files. */
  founding: FoundingAuthority;
  clock: Clock;
  log: Logger;
}

/** What the line needs to know of the roots. */
export interface Trusting {
  readonly trustDomain: string;
  /** Newest first: the first signs the certificates of nodes, the last that of the hub. */
  readonly trusted: readonly TrustedRoot[];
  /** The trusted root that signed a certificate; undefined when none did. */
  signerOf(certificate: X509Certificate): TrustedRoot | undefined;
  /** A node came with a certificate of this root. */
  used(nodeId: string, rootId: string): void;
  /**
   * Calls `listener` whenever the roots have changed, until the returned function is called. Whoever changed them is answered
   * when all listeners are done; none of them rejects.
   */
  onChange(listener: () => void | Promise<void>): () => void;
  /** Looks whether another replica changed them. Never rejects. */
  look(): Promise<void>;
}

/** How often a replica looks whether another one changed the roots, in milliseconds. */
const lookEveryMs = 5_000;

/**
 * The roots of the fleet. One, mostly. While one takes the place of another both are trusted: the new one signs the certificates of
 * nodes, and the old one the hub's own, so that every node believes the hub, whichever of them it knows.
 */
export class Roots implements Trusting {
  readonly #options: RootsOptions;
  readonly #listeners = new Set<() => void | Promise<void>>();
  /** Resolves when all listeners have heard of the last change. */
  #told: Promise<unknown> = Promise.resolve();
  /** Which nodes have a certificate of the new root. */
  readonly holders: Holders;
  #trusted: readonly TrustedRoot[] = [];

  private constructor(options: RootsOptions) {
    this.#options = options;
    this.holders = new Holders(options.store);
  }

  /** The roots as the store has them. @throws {Failure} conflict: a key cannot be opened with what this hub has in its files. */
  static async open(options: RootsOptions): Promise<Roots> {
    const { store, founding, clock } = options;
    const [known] = await store.read("SELECT id FROM roots LIMIT 1");
    if (!known) await store.write((tx) => insertFounding(tx, founding, clock.now()), ["roots"]);
    const roots = new Roots(options);
    await roots.#read();
    return roots;
  }

  get trustDomain(): string {
    return this.#options.founding.trustDomain;
  }

  get trusted(): readonly TrustedRoot[] {
    return this.#trusted;
  }

  /** Signs the certificates that nodes get now. */
  get issuing(): TrustedRoot {
    const [newest] = this.#trusted;
    if (!newest)
      throw failure("conflict", "the store knows no root that is in use: put it back from a backup");
    return newest;
  }

  /** Signs the hub's own certificate; its fingerprint is what enrolment tokens name. */
  get serving(): Authority {
    return (this.#trusted.at(-1) ?? this.issuing).authority;
  }

  /** What a node that enrols shall trust, as PEM. */
  get rootsPem(): string {
    return this.#trusted.map(({ authority }) => authority.rootPem).join("");
  }

  /** What a node that renews shall trust, as PEM, with the certificates by which older roots vouch for newer ones. */
  get bundlePem(): string {
    return this.rootsPem + this.#trusted.map(({ vouchedPem }) => vouchedPem).join("");
  }

  signerOf(certificate: X509Certificate): TrustedRoot | undefined {
    return this.#trusted.find(({ issuer }) => isSignedBy(certificate, issuer));
  }

  used(nodeId: string, rootId: string): void {
    this.holders.note(nodeId, rootId).catch((error: unknown) => {
      this.#options.log.error(
        { node: nodeId, error },
        "that a node has gone over to the new root is not noted",
      );
    });
  }

  onChange(listener: () => void | Promise<void>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every root that the fleet had, newest first. */
  async list(): Promise<KeptRoot[]> {
    const rows = await this.#options.store.read("SELECT * FROM roots ORDER BY made_at DESC, id");
    return rows.map(toKept);
  }

  /** Makes a new root beside the present one. @throws {Failure} conflict: there are two, or the authority is the operator's. */
  async rotate(): Promise<KeptRoot> {
    const { store, founding, clock } = this.#options;
    if (founding.isGiven) {
      throw failure(
        "conflict",
        "this hub's authority is yours (hub.ca.certificate_file): give it another intermediate of the same root, and restart the hub",
      );
    }
    const at = clock.now();
    const before = this.issuing;
    const nth = (await this.list()).length + 1;
    const made = await newRoot(this.trustDomain, nth, at);
    const vouchedPem = await vouch(before.authority, made.certificatePem, at);
    const id = await store.write(
      async (tx) => {
        const there = await tx.all("SELECT id FROM roots WHERE retired_at IS NULL");
        if (there.length > 1 || there[0]?.id !== before.id) {
          throw failure(
            "conflict",
            "one root is taking the place of another already: retire the older one first, see `orchestrator hub ca list`",
          );
        }
        return await insertRoot(tx, made, { vouchedPem, founding, at });
      },
      ["roots"],
    );
    await this.#read();
    return this.#kept(id);
  }

  /**
   * Ends an old root. Resolves with the nodes, of those in the fleet, that are left behind.
   * @throws {Failure} not_found. conflict: it signs, or nodes would be left behind and `force` is not set.
   */
  async retire(
    id: string,
    { fleet, force }: { fleet: readonly string[]; force: boolean },
  ): Promise<{ root: KeptRoot; leftBehind: string[] }> {
    const { store, clock } = this.#options;
    const leftBehind = await store.write(
      async (tx) => {
        const rows = await tx.all("SELECT id, retired_at FROM roots ORDER BY made_at DESC, id");
        const row = rows.find((one) => one.id === id);
        if (!row) throw failure("not_found", `no root has the id ${id}: see \`orchestrator hub ca list\``);
        if (row.retired_at !== null) return [];
        if (rows[0]?.id === id) {
          throw failure(
            "conflict",
            `root ${id} signs the certificates of nodes: make another first, with \`orchestrator hub ca rotate\``,
          );
        }
        const left = await this.holders.without(tx, fleet);
        const tokens = await unusedTokens(tx, clock.now());
        if (!force && (left.length > 0 || tokens > 0))
          throw failure("conflict", leftBehindText(id, left, tokens));
        await tx.run("UPDATE roots SET retired_at = $1 WHERE id = $2", clock.now(), id);
        await this.holders.clear(tx);
        return left;
      },
      ["roots"],
    );
    await this.#read();
    return { root: await this.#kept(id), leftBehind };
  }

  async look(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      this.#options.log.error({ error }, "the roots could not be read from the store; it is tried again");
    }
  }

  /** Follows what other replicas do, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(lookEveryMs, signal).catch(() => {});
      if (!signal.aborted) await this.look();
    }
  }

  async #kept(id: string): Promise<KeptRoot> {
    const found = (await this.list()).find((one) => one.id === id);
    if (!found) throw failure("internal", `root ${id} is not in the store`);
    return found;
  }

  async #read(): Promise<void> {
    const { store, founding, log } = this.#options;
    const rows = await store.read("SELECT * FROM roots WHERE retired_at IS NULL ORDER BY made_at DESC, id");
    const ids = rows.map((row) => String(row.id));
    if (ids.join() === this.#trusted.map(({ id }) => id).join()) {
      await this.#told;
      return;
    }
    const wasOpen = this.#trusted.length > 0;
    this.#trusted = rows.map((row) => toTrusted(row, founding));
    this.holders.follow(this.issuing.id, this.#trusted.length > 1);
    if (!wasOpen) return;
    log.warn({ roots: ids }, "the roots of the fleet have changed");
    this.#told = Promise.all([...this.#listeners].map(async (listener) => await listener()));
    await this.#told;
  }
}

async function unusedTokens(tx: Parameters<Holders["clear"]>[0], at: number): Promise<number> {
  const rows = await tx.all(
    "SELECT id FROM enrolment_tokens WHERE used_by IS NULL AND revoked_at IS NULL AND expires_at > $1",
    at,
  );
  return rows.length;
}

/** Nodes that a sentence names. */
const named = 10;

function leftBehindText(id: string, left: readonly string[], tokens: number): string {
  const more = left.length > named ? ` and ${left.length - named} more` : "";
  const who = `${left.slice(0, named).join(", ")}${more}`;
  const hold = left.length === 1 ? "1 node holds a certificate" : `${left.length} nodes hold certificates`;
  const name = tokens === 1 ? "1 unused enrolment token names" : `${tokens} unused enrolment tokens name`;
  const why = [
    ...(left.length === 0 ? [] : [`${hold} of it (${who}): wait until it was connected`]),
    ...(tokens === 0 ? [] : [`${name} it: revoke what is not needed`]),
  ];
  return `root ${id} is still needed: ${why.join("; ")}. With --force, what is left behind must enrol anew`;
}
