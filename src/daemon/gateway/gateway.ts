import { create } from "@bufbuild/protobuf";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import { EgressDeniedSchema } from "../../../gen/edge/v1/events_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure, errorChain, type Failure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { Tally } from "../../base/tally.ts";
import type { Recorder } from "../audit/index.ts";
import type { Credentials } from "../credentials/index.ts";
import type { Journal } from "../journal/index.ts";
import type { CellIdentity } from "../sandbox/index.ts";
import { type AgentRequest, type AgentResponse, answerFailure, type Who } from "./answer.ts";
import { embed } from "./embed.ts";
import { forward } from "./forward.ts";
import { Budgets } from "./llm-budget.ts";
import { answerLlm } from "./llm-door.ts";
import { modelsOf, tellModel } from "./llm-models.ts";
import type { LlmProvider } from "./llm-settings.ts";
import { Usage, type User } from "./llm-usage.ts";
import { Sender } from "./send.ts";
import { planUpstream } from "./upstream-plan.ts";

export interface GatewayOptions {
  /** The daemon's state file, opened with this room's `schema`. */
  sql: Sql;
  journal: Journal;
  audit: Recorder;
  clock: Clock;
  log: Logger;
  credentials: Pick<Credentials, "use">;
  /** `llm_providers`, as it is now. */
  providers(): readonly LlmProvider[];
  /** Certificates of CAs beside those of the system, in PEM. */
  extraCa: readonly string[];
  /** The manifest of a cell; undefined when its agent is gone. */
  specOf(cell: CellIdentity): AgentSpec | undefined;
  /** The current manifest of an agent; undefined when it is gone. */
  currentOf(agent: string): AgentSpec | undefined;
}

/** Requests of one cell at once, and the whole time of one, in milliseconds. */
const limits = { atOnce: 16, totalMs: 30 * 60_000 };

/** The way out for agents that never see a secret. Closing it ends what is under way. */
export class Gateway implements Disposable {
  readonly #options: GatewayOptions;
  readonly #sender: Sender;
  readonly #usage: Usage;
  readonly #budgets: Budgets;
  readonly #denials: Tally<Denial>;
  readonly #closing = new AbortController();
  /** Requests under way, by cell. */
  readonly #atWork = new Map<string, number>();

  private constructor(options: GatewayOptions) {
    const { sql, clock, extraCa } = options;
    this.#options = options;
    this.#sender = new Sender(extraCa);
    this.#usage = new Usage({ sql, now: clock.now });
    this.#budgets = new Budgets(this.#usage);
    this.#denials = new Tally({
      clock,
      periodMs: 1_000,
      tell: (denial, count) => this.#tellDenial(denial, count),
    });
  }

  static open(options: GatewayOptions): Gateway {
    return new Gateway(options);
  }

  /** Answers a request to `/upstream/...` or `/llm/...` of the cell that the socket belongs to. It never throws. */
  async handle(request: AgentRequest, response: AgentResponse, who: Who): Promise<void> {
    const left = new AbortController();
    const onClose = () => {
      if (!response.writableFinished) left.abort(failure("cancelled", "the agent ended its request"));
    };
    response.once("close", onClose);
    const signal = AbortSignal.any([left.signal, this.#closing.signal, AbortSignal.timeout(limits.totalMs)]);
    const count = this.#atWork.get(who.id) ?? 0;
    this.#atWork.set(who.id, count + 1);
    try {
      if (count >= limits.atOnce) {
        throw failure(
          "exhausted",
          `${limits.atOnce} requests of this container are under way: wait for one of them`,
        );
      }
      await this.#answer({ request, response, who, signal });
    } catch (thrown) {
      this.#refused(thrown, request, who);
      if (!response.destroyed) answerFailure(response, thrown);
    } finally {
      response.off("close", onClose);
      const now = (this.#atWork.get(who.id) ?? 1) - 1;
      if (now > 0) this.#atWork.set(who.id, now);
      else this.#atWork.delete(who.id);
    }
  }

  /** The language models of this node, by alias. */
  models() {
    return [...this.#models().values()].map(tellModel);
  }

  /** What agents used of them. */
  usage(which: { agent: string; sinceMs: number }) {
    return this.#usage.list(which);
  }

  /** Texts as vectors, in their order. @throws {Failure} not_found: no such model for whom it is for. unavailable, and others. */
  async embed(alias: string, texts: readonly string[], user: User, signal: AbortSignal): Promise<number[][]> {
    const { clock, credentials, currentOf } = this.#options;
    const spec = user.agent === "" ? undefined : currentOf(user.agent);
    if (user.agent !== "" && !spec) throw gone(user.agent);
    const secretOf = (name: string, purpose: string) => credentials.use(name, { ...user, purpose });
    const parts = {
      sender: this.#sender,
      models: this.#models(),
      usage: this.#usage,
      budgets: this.#budgets,
    };
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    return await embed({ ...parts, clock, secretOf }, { alias, texts, user, spec }, stop);
  }

  [Symbol.dispose](): void {
    this.#closing.abort(failure("unavailable", "the daemon stops"));
    this.#denials[Symbol.dispose]();
    this.#sender[Symbol.dispose]();
  }

  #models() {
    return modelsOf(this.#options.providers());
  }

  async #answer({ request, response, who, signal }: Asking): Promise<void> {
    const { credentials, specOf, clock } = this.#options;
    const spec = specOf(who);
    if (!spec) throw gone(who.agent);
    const target = request.url ?? "/";
    if (target.startsWith("/llm/v1/")) {
      const options = {
        clock,
        sender: this.#sender,
        models: this.#models(),
        usage: this.#usage,
        budgets: this.#budgets,
      };
      const secretOf = credentials.use.bind(credentials);
      return await answerLlm({ ...options, secretOf }, { spec, who, request, response, signal });
    }
    if (!target.startsWith("/upstream/")) {
      throw failure("not_found", "the gateway has /upstream/CREDENTIAL/... and /llm/v1/...");
    }
    const planned = planUpstream(spec, { method: request.method ?? "GET", target });
    const { agent, taskId } = who;
    const purpose = `${request.method} ${planned.url.origin}`;
    const secret = await credentials.use(planned.credential, { agent, taskId, purpose });
    try {
      await forward(this.#sender, planned, { request, response, secret, signal });
    } finally {
      secret.fill(0);
    }
  }

  /** What was denied is told and noted; what failed is for the log. */
  #refused(thrown: unknown, request: AgentRequest, { agent, taskId, id }: Who): void {
    const { kind, message } = asFailure(thrown);
    const [path = ""] = (request.url ?? "").split("?");
    if (kind === "denied") {
      // By the cell: whoever tries a thousand paths does not fill the trail with them.
      this.#denials.note(id, { agent, taskId, destination: path.slice(0, 200), why: message });
    } else if (kind !== "cancelled") {
      const problem = kind === "internal" ? errorChain(thrown) : message;
      const isOurs = ["internal", "unavailable", "deadline"].includes(kind);
      const told = { agent, task: taskId, kind, problem };
      this.#options.log[isOurs ? "info" : "debug"](told, "a request at the gateway failed");
    }
  }

  #tellDenial({ agent, taskId, destination, why }: Denial, count: number): void {
    const { journal, audit } = this.#options;
    const value = create(EgressDeniedSchema, {
      ...{ agent, taskId, destination, protocol: "http", count: BigInt(count) },
    });
    journal.record({ case: "egressDenied", value }, { reason: why });
    audit.record({
      ...{ kind: AuditKind.INCIDENT, action: "gateway", subject: `agent/${agent}`, outcome: "denied" },
      detail: `${count} to ${destination}: ${why}`,
    });
  }
}

function gone(agent: string): Failure {
  return failure("not_found", `agent ${agent} is not deployed any more`);
}

interface Asking {
  request: AgentRequest;
  response: AgentResponse;
  who: Who;
  signal: AbortSignal;
}

interface Denial {
  agent: string;
  taskId: string;
  destination: string;
  why: string;
}
