import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import { ConfigurationChangeSchema, PolicyDeniedSchema } from "../../../gen/edge/v1/events_pb.ts";
import {
  type Caller,
  CallerSchema,
  Door,
  type GetPolicyResponse,
  GetPolicyResponseSchema,
  type PolicyCaseOutcome,
  type PolicyDenial,
  PolicyTotalsSchema,
} from "../../../gen/edge/v1/policy_pb.ts";
import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { watchFile } from "../../base/watch-file.ts";
import type { Recorder } from "../audit/index.ts";
import type { Journal } from "../journal/index.ts";
import { tryCases } from "./cases.ts";
import { containerAskOf } from "./container-ask.ts";
import type { Asked, Decider } from "./decider.ts";
import { denialsInWords, deniedFailure } from "./denied.ts";
import { parsePolicyFile } from "./file.ts";
import { differences, type InForce, load } from "./in-force.ts";
import { judge } from "./judge.ts";
import type { Quotas } from "./rule.ts";
import { rulesetOf, rulesOf, valuesOf } from "./ruleset.ts";
import type { PolicySettings } from "./settings.ts";
import { type Counted, totalsOf } from "./totals.ts";

export interface PolicyOptions {
  sql: Sql;
  journal: Journal;
  audit: Recorder;
  clock: Clock;
  log: Logger;
  /** `policy.*`, as they are now. */
  settings: () => PolicySettings;
  /** Containers of agents that there are now. */
  cells: () => Iterable<Counted>;
  /** How many runtimes there are now. */
  runtimes: () => number;
}

/** Who asks by a command. */
interface Asker {
  id: string;
  caller: Caller;
}

/** Who asks when nobody does. */
const nodeItself = create(CallerSchema, { door: Door.NODE, actor: "node" });

/** The policy of this node, for as long as the daemon lives. */
export class Policy implements Decider {
  readonly #options: PolicyOptions;
  #now: InForce;
  #problem = "";
  #reloads: Promise<void> = Promise.resolve();

  private constructor(options: PolicyOptions, now: InForce) {
    this.#options = options;
    this.#now = now;
  }

  /** Reads the policy. One that cannot be read leaves the profile `strict` in force: what its owner forbade is not known. */
  static async open(options: PolicyOptions): Promise<Policy> {
    const { clock, settings, audit } = options;
    let now: InForce;
    try {
      now = await load(settings(), clock.now());
    } catch (thrown) {
      const { quotas, file: path = "" } = settings();
      const ruleset = rulesetOf({ profile: "strict", quotas });
      const policy = new Policy(options, { ruleset, path, sha256: "", loadedAt: clock.now() });
      policy.#refuse(thrown, "the profile strict is in force until it is mended");
      return policy;
    }
    const { path, sha256, ruleset } = now;
    audit.record({
      ...{ kind: AuditKind.CONFIGURATION, action: "load", subject: "policy", outcome: "ok" },
      detail: `profile ${ruleset.profile}${path && `, file ${path} with SHA-256 ${sha256}`}`,
    });
    return new Policy(options, now);
  }

  /** Looks at the file for as long as the signal lets it, and takes what was changed. */
  async run(signal: AbortSignal): Promise<void> {
    const { settings, clock } = this.#options;
    for (;;) {
      const { file } = settings();
      const moved = new AbortController();
      const watching = file
        ? watchFile(file, () => this.reload(), { clock }, AbortSignal.any([signal, moved.signal]))
        : Promise.resolve();
      watching.catch(() => {}); // It ends with its signal.
      while (settings().file === file) await clock.sleep(1_000, signal);
      moved.abort();
    }
  }

  /** Reads the file again. One that cannot be read changes nothing but what is told of it. One reload comes after the other. */
  reload(): Promise<void> {
    const reloaded = this.#reloads.then(() => this.#reload());
    this.#reloads = reloaded.catch(() => {});
    return reloaded;
  }

  async #reload(): Promise<void> {
    const { clock, settings, log } = this.#options;
    let next: InForce;
    try {
      next = await load(settings(), clock.now());
    } catch (thrown) {
      this.#refuse(thrown, "what was in force before still is");
      return;
    }
    const changed = differences(this.#now.ruleset, next.ruleset);
    const isSame = changed.length === 0 && next.sha256 === this.#now.sha256 && this.#problem === "";
    this.#problem = "";
    this.#now = next;
    if (isSame) return;
    log.info({ path: next.path, changed }, "the policy was read again");
    this.#tell({ applied: true, changed, problem: "" }, "the policy was read again");
  }

  /** What is in force. */
  get(): GetPolicyResponse {
    const { ruleset, path, sha256, loadedAt } = this.#now;
    return create(GetPolicyResponseSchema, {
      ...{ path, sha256, profile: ruleset.profile, problem: this.#problem },
      loadedAt: timestampFromMs(loadedAt),
      rules: rulesOf(ruleset),
      values: valuesOf(ruleset),
    });
  }

  /** The quotas that are in force; 0 is none. */
  get quotas(): Quotas {
    return this.#now.ruleset.quotas;
  }

  /** What the cases of another policy file come to, with the settings of this node. @throws {Failure} invalid: every fault. */
  async test(text: string): Promise<PolicyCaseOutcome[]> {
    const { clock, settings } = this.#options;
    const file = await parsePolicyFile(text, { path: "", what: "the policy" });
    return tryCases(rulesetOf(settings(), file), file, clock.now());
  }

  /** Every rule that denies. Changes nothing. */
  judge(caller: Caller, asked: Asked): PolicyDenial[] {
    const { clock, cells, runtimes } = this.#options;
    const { ruleset } = this.#now;
    const about = { caller, nowMs: clock.now() };
    if ("container" in asked) {
      const { container, totals: given } = asked;
      const totals = given ? create(PolicyTotalsSchema, given) : totalsOf(cells(), runtimes(), container);
      return judge(ruleset, { ...about, asked: { container }, totals });
    }
    const { command, request } = asked;
    const totals = totalsOf(cells(), runtimes(), { name: "", tenant: "" });
    return judge(ruleset, { ...about, asked: { command, request }, totals });
  }

  decide(caller: Caller, asked: Asked, commandId = ""): void {
    const denials = this.judge(caller, asked);
    if (denials.length === 0) return;
    this.note(caller, asked, denials, commandId);
    throw deniedFailure(denials, "container" in asked ? "spec" : asked.command);
  }

  /** Decides about a runtime beside so many others: see `decide`. */
  decideRuntime(
    spec: RuntimeSpec,
    others: number,
    { caller = nodeItself, id = "" }: Partial<Asker> = {},
  ): void {
    this.decide(caller, { container: containerAskOf(spec), totals: { runtimes: BigInt(others) } }, id);
  }

  /** Notes a denial: an event, and an entry of the audit trail. On disk when this returns, or with the transaction around it. */
  note(caller: Caller, asked: Asked, denials: readonly PolicyDenial[], commandId: string): void {
    const { sql, journal, audit } = this.#options;
    const [action, subject] =
      "container" in asked
        ? ["make_container", `${asked.container.kind}/${asked.container.name}`]
        : [asked.command, asked.subject ?? ""];
    const detail = denialsInWords(denials);
    const request = "container" in asked ? asked.container : asked.request;
    const about = { caller, commandId, action, subject, request };
    sql.atomically(() => {
      audit.record({ kind: AuditKind.DENIAL, ...about, outcome: "denied", detail });
      const value = create(PolicyDeniedSchema, { caller, action, subject, denials: denials.slice(0, 64) });
      journal.record({ case: "policyDenied", value }, { reason: detail, commandId });
    });
  }

  #refuse(thrown: unknown, still: string): void {
    const { log } = this.#options;
    const problem = asFailure(thrown).message;
    if (problem === this.#problem) return; // It was told.
    this.#problem = problem;
    const sentence = `the policy cannot be read, and ${still}`;
    log.error({ problem, path: this.#now.path }, sentence);
    this.#tell({ applied: false, changed: [], problem }, sentence);
  }

  #tell(change: { applied: boolean; changed: string[]; problem: string }, reason: string): void {
    const { sql, journal, audit } = this.#options;
    const value = create(ConfigurationChangeSchema, {
      ...change,
      what: "policy",
      changed: change.changed.slice(0, 256),
      problem: change.problem.slice(0, 1_000),
    });
    sql.atomically(() => {
      audit.record({
        ...{ kind: AuditKind.CONFIGURATION, action: "reload", subject: "policy" },
        outcome: change.applied ? "ok" : "invalid",
        detail: change.problem || change.changed.join(", "),
      });
      journal.record({ case: "configuration", value }, { reason });
    });
  }
}
