import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import {
  CredentialSchema,
  type GetSealingKeyResponseSchema,
  type SetCredentialRequest,
  SetOnly,
} from "../../../gen/edge/v1/credentials_pb.ts";
import { CredentialChangeKind, CredentialChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import { type Caller, CallerSchema, Door } from "../../../gen/edge/v1/policy_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import { Lanes } from "../../base/lanes.ts";
import type { Recorder } from "../audit/index.ts";
import type { Journal } from "../journal/index.ts";
import type { Ask } from "../work/index.ts";
import type { Lending } from "./lending.ts";
import type { CredentialStore } from "./store.ts";
import { publicJwk, unseal } from "./unseal.ts";
import { type Kept, noSuch, type Vault } from "./vault.ts";

export interface CredentialsParts {
  vault: Vault;
  store: CredentialStore;
  lending: Lending;
  journal: Journal;
  audit: Recorder;
  clock: Clock;
  /** Agents whose current manifest names a credential. */
  agentsOf(name: string): string[];
}

/** Who uses a secret, and for what: what the audit trail is told. */
export interface Use {
  agent: string;
  /** Empty for a container that waits for its task. */
  taskId: string;
  /** As in `https://api.example.com`. */
  purpose: string;
}

/** The credentials of this node: what may be asked of them. Values come in sealed, and leave to cells and to the gateway only. */
export class Credentials {
  /** Told when a secret was set or removed. */
  readonly changes = new Changes();
  readonly #parts: CredentialsParts;
  readonly #lane = new Lanes(1_000);

  constructor(parts: CredentialsParts) {
    this.#parts = parts;
  }

  async sealingKey(): Promise<MessageInitShape<typeof GetSealingKeyResponseSchema>> {
    const { publicKey, source } = await this.#parts.vault.sealing();
    const lendingProblem = await this.#parts.lending.problem();
    return { ...(await publicJwk(publicKey)), keySource: source, lendingProblem };
  }

  async list() {
    return (await this.#parts.vault.list()).map((one) => this.#tell(one));
  }

  set(request: SetCredentialRequest, ask: Pick<Ask, "id">) {
    return this.#alone(request.name, async () => {
      const { vault, lending, clock } = this.#parts;
      const before = await vault.find(request.name);
      // A command that was carried out and is brought again, because its result was lost, is the same success.
      if (before?.commandId !== ask.id) mayBeSet(request, before);
      const kept =
        before?.commandId === ask.id ? before : await this.#keep(request, before, ask.id, clock.now());
      await lending.changed(request.name);
      const kind = kept.revision === 1 ? CredentialChangeKind.CREATED : CredentialChangeKind.REPLACED;
      this.#happened(kept, kind, "an operator set it", ask.id);
      this.changes.notify();
      return this.#tell(kept);
    });
  }

  remove(name: string, force: boolean, ask: Pick<Ask, "id">): Promise<void> {
    return this.#alone(name, async () => {
      const { vault, store, lending, agentsOf } = this.#parts;
      const kept = await vault.find(name);
      if (!kept) throw noSuch(name);
      const agents = agentsOf(name);
      if (agents.length > 0 && !force) {
        const sentence = `the credential ${name} is named by ${agents.map((one) => `agent ${one}`).join(", ")}`;
        throw failure("conflict", `${sentence}: remove it there first, or use --force`);
      }
      await vault.remove(name);
      store.forget(name);
      await lending.changed(name);
      this.#happened(kept, CredentialChangeKind.REMOVED, "an operator removed it", ask.id);
      this.changes.notify();
    });
  }

  async rotateKey(ask: Pick<Ask, "id">): Promise<number> {
    const count = await this.#parts.vault.rotate();
    const kind = CredentialChangeKind.VAULT_KEY;
    this.#happened({ name: "", revision: 0 }, kind, "an operator rotated the vault's key", ask.id);
    return count;
  }

  /** Removes every secret, and the vault with its key: this node is taken out of service. */
  async destroy(): Promise<void> {
    const { vault, store } = this.#parts;
    await vault.destroy();
    store.forgetAll();
  }

  /** Whether an agent's manifest can have what it names. @throws {Failure} not_found, unavailable: with what to do. */
  async check(spec: AgentSpec): Promise<void> {
    if (spec.credentials.length === 0) return;
    const known = new Set((await this.#parts.vault.list()).map(({ name }) => name));
    const missing = spec.credentials.find(({ name }) => !known.has(name));
    if (missing) throw noSuch(missing.name);
    if (spec.credentials.some(({ upstream }) => upstream === undefined)) await this.#parts.lending.folder();
  }

  /**
   * The value of a secret for a use that is noted first. It is the caller's to clear.
   * @throws {Failure} not_found, denied: it has expired. unavailable. exhausted: the use cannot be noted.
   */
  async use(name: string, { agent, taskId, purpose }: Use): Promise<Buffer> {
    const { store, audit, clock } = this.#parts;
    const { kept, value } = await this.lendable(name);
    try {
      store.atomically(() => {
        store.used(name, clock.now());
        audit.record({
          ...(agent !== "" && { caller: callerOf(agent, taskId) }),
          ...{ kind: AuditKind.CREDENTIAL, action: "use", outcome: "ok", subject: `credential/${name}` },
          detail: `revision ${kept.revision}, for ${purpose}`,
        });
      });
      return value;
    } catch (thrown) {
      value.fill(0);
      throw thrown;
    }
  }

  /** A value that has not come to its end. @throws {Failure} as `use`. */
  async lendable(name: string): Promise<{ kept: Kept; value: Buffer }> {
    const found = await this.#parts.vault.value(name);
    if (!this.#isExpired(found.kept)) return found;
    found.value.fill(0);
    const at = new Date(found.kept.expiresAt ?? 0).toISOString();
    throw failure(
      "denied",
      `the credential ${name} expired at ${at}: \`orchestrator credential rotate ${name}\` gives it another value`,
    );
  }

  /** Tells what came to its end, and takes it away from whom it is lent to. @returns when the next one ends, in wall time. */
  async endExpired(): Promise<number | undefined> {
    const { vault, store, lending, clock } = this.#parts;
    const kept = await vault.list();
    for (const one of kept.filter((it) => this.#isExpired(it))) {
      if (!store.noteExpired(one.name, one.revision)) continue;
      await lending.changed(one.name);
      this.#happened(one, CredentialChangeKind.EXPIRED, "its time was over; it is lent no more");
    }
    const ends = kept.flatMap(({ expiresAt }) =>
      expiresAt !== undefined && expiresAt > clock.now() ? [expiresAt] : [],
    );
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  async #keep(request: SetCredentialRequest, before: Kept | undefined, commandId: string, now: number) {
    const { vault } = this.#parts;
    const { name, description, labels, expiresAt } = request;
    const { privateKey } = await vault.sealing();
    const value = await unseal(request.sealed, name, privateKey);
    try {
      const end = expiresAt && timestampMs(expiresAt);
      const next = {
        ...{ name, commandId, updatedAt: now, createdAt: before?.createdAt ?? now },
        description: description || (before?.description ?? ""),
        labels: labels.length > 0 ? labels.map(({ key, value }) => ({ key, value })) : (before?.labels ?? []),
        ...(end !== undefined && { expiresAt: end }),
      };
      return await vault.put(next, value);
    } finally {
      value.fill(0);
    }
  }

  #tell(kept: Kept) {
    const { store, agentsOf } = this.#parts;
    const { name, description, revision, createdAt, updatedAt, expiresAt, labels } = kept;
    const used = store.uses(name);
    return create(CredentialSchema, {
      ...{ name, description, revision, labels, agents: agentsOf(name), uses: BigInt(used?.uses ?? 0) },
      ...{ createdAt: timestampFromMs(createdAt), updatedAt: timestampFromMs(updatedAt) },
      ...(expiresAt !== undefined && { expiresAt: timestampFromMs(expiresAt) }),
      ...(used && { usedAt: timestampFromMs(used.usedAt) }),
    });
  }

  #isExpired({ expiresAt }: Kept): boolean {
    return expiresAt !== undefined && expiresAt <= this.#parts.clock.now();
  }

  #happened(
    { name, revision }: Pick<Kept, "name" | "revision">,
    kind: CredentialChangeKind,
    reason: string,
    commandId = "",
  ) {
    const value = create(CredentialChangeSchema, { name, kind, revision });
    this.#parts.journal.record({ case: "credential", value }, { reason, commandId });
  }

  #alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#lane.run(name, work);
  }
}

/** A program in a cell, of which its socket says who it is. */
function callerOf(agent: string, taskId: string): Caller {
  return create(CallerSchema, { door: Door.BROKER, actor: `agent/${agent}`, agent, taskId });
}

function mayBeSet({ name, only }: SetCredentialRequest, before: Kept | undefined): void {
  if (only === SetOnly.CREATE && before) {
    throw failure(
      "conflict",
      `there is a credential ${name}: \`orchestrator credential rotate ${name}\` replaces its value`,
    );
  }
  if (only === SetOnly.REPLACE && !before) throw noSuch(name);
}
