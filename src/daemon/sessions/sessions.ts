import {
  type AppendMessagesRequest,
  type CloseSessionRequest,
  type CreateSessionRequest,
  type GetSessionRequest,
  type ListSessionsRequest,
  MessageRole,
  type Session,
  type SessionMessage,
  SessionState,
} from "../../../gen/edge/v1/sessions_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { type Failure, failure, invalidField, invalidFields } from "../../base/failure.ts";
import { formatDuration } from "../../base/quantity.ts";
import { Life, type LifeOptions } from "./life.ts";
import { checkLength, checkOneMore } from "./limits.ts";
import { toMessages, toSession } from "./message.ts";
import type { SessionSettings } from "./session-settings.ts";
import { type Kept, SessionStore } from "./store.ts";
import { agentFor, ownerFor, sees, type Who } from "./who.ts";

export interface SessionsOptions extends LifeOptions {
  /** Whether the node has an agent of this name. */
  hasAgent: (name: string) => boolean;
}

/** The sessions of the node, as they are asked for. Nothing is open but the state file. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #store: SessionStore;
  readonly #life: Life;

  private constructor(options: SessionsOptions) {
    this.#options = options;
    this.#store = new SessionStore(options.sql);
    this.#life = new Life(options, this.#store);
  }

  static open(options: SessionsOptions): Sessions {
    return new Sessions(options);
  }

  /** Takes effect at once, for open sessions too. */
  set settings(settings: SessionSettings) {
    this.#life.settings = settings;
  }

  /** Lets sessions become idle and closed when it is time, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void> {
    return this.#life.run(signal);
  }

  /** `id` is what it will be called: the same again is the same session. */
  create(who: Who, request: CreateSessionRequest, id: string): Session {
    const { title, timeoutMs, labels } = request;
    const { hasAgent, sql, clock } = this.#options;
    const known = this.#store.get(id);
    if (known && sees(who, known)) return this.#told(known);
    const agent = agentFor(who, request.agent);
    if (!hasAgent(agent)) {
      throw failure(
        "not_found",
        `no agent is called ${evidence(agent)}: \`orchestrator agent list\` shows them`,
      );
    }
    const { settings } = this.#life;
    const mostMs = settings.timeoutMs;
    if (timeoutMs > mostMs) {
      throw invalidField("timeout_ms", `may be at most session.timeout, which is ${formatDuration(mostMs)}`);
    }
    const owner = request.owner || ownerFor(who);
    return sql.transaction(() => {
      this.#life.settleAll();
      checkOneMore(this.#store.open(), { agent, owner }, settings);
      const now = clock.now();
      const one: Kept = {
        ...{ id, agent, owner, title, state: SessionState.ACTIVE, reason: `${ownerFor(who)} began it` },
        labels: labels.map(({ key, value }) => ({ key, value })),
        timeoutMs: Number(timeoutMs),
        ...{ createdAt: now, activeAt: now, activeMs: this.#life.now() },
        ...{ closingMs: undefined, closedAt: undefined, messages: 0, sizeBytes: 0 },
      };
      this.#life.write(one, id);
      this.#use(who, one);
      this.#life.changes.notify();
      return this.#told(one);
    });
  }

  get(
    who: Who,
    { id, afterSequence, limit, newest }: GetSessionRequest,
  ): { session: Session; messages: SessionMessage[] } {
    const one = this.#find(who, id);
    this.#use(who, one);
    const messages = this.#store.messages(one.id, {
      after: Number(afterSequence),
      limit: limit || 100,
      newest,
    });
    return { session: this.#told(one), messages: toMessages(messages, { newest }) };
  }

  list(who: Who, { agent, owner, states, limit }: ListSessionsRequest): Session[] {
    this.#options.sql.atomically(() => this.#life.settleAll());
    if (who.is === "agent" && agent !== "" && agent !== who.name) return [];
    const asked = { agent: who.is === "agent" ? who.name : agent, owner, states, limit: limit || 100 };
    return this.#store.list(asked).map((one) => this.#told(one));
  }

  /** All of them or none. `commandId`: what was added by it is not added again. */
  append(who: Who, { sessionId, messages }: AppendMessagesRequest, commandId: string): Session {
    const { sql, clock } = this.#options;
    checkRoles(messages);
    return sql.transaction(() => {
      const one = this.#find(who, sessionId);
      if (this.#store.hasAdded(one.id, commandId)) return this.#told(one);
      if (one.state === SessionState.CLOSED || one.state === SessionState.CLOSING) throw takesNothing(one);
      const sizeBytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
      checkLength(one, { messages: messages.length, sizeBytes }, this.#life.settings);
      const at = clock.now();
      const taskId = who.is === "agent" ? who.taskId : "";
      for (const [index, { role, content, tool, toolCallId }] of messages.entries()) {
        const message = { sequence: one.messages + index + 1, at, role, content, tool, toolCallId, taskId };
        this.#store.addMessage(one.id, message, commandId);
      }
      const longer = {
        ...{ ...one, activeAt: at, activeMs: this.#life.now() },
        ...{ messages: one.messages + messages.length, sizeBytes: one.sizeBytes + sizeBytes },
      };
      this.#use(who, one);
      this.#store.put(longer);
      return this.#told(this.#life.settled(longer, commandId));
    });
  }

  /** It is closed at once, or when the tasks that use it have ended, but soon in any case. */
  close(who: Who, { id, reason }: CloseSessionRequest, commandId: string): Session {
    return this.#options.sql.transaction(() => {
      const one = this.#find(who, id);
      if (one.closedAt !== undefined || one.closingMs !== undefined) return this.#told(one);
      const closing = { ...one, closingMs: this.#life.now(), reason: reason || `${ownerFor(who)} closed it` };
      this.#life.changes.notify();
      return this.#told(this.#life.settled(closing, commandId));
    });
  }

  delete(who: Who, id: string): void {
    this.#options.sql.transaction(() => {
      const one = this.#find(who, id);
      if (one.closedAt === undefined) {
        throw failure(
          "conflict",
          `session ${id} is not closed: close it first with \`orchestrator session close ${id}\``,
        );
      }
      this.#store.remove(one.id);
    });
  }

  /** A session that the asker sees, as it is now. @throws {Failure} not_found. */
  #find(who: Who, id: string): Kept {
    const one = this.#store.get(id);
    if (!one || !sees(who, one)) throw failure("not_found", `there is no session ${evidence(id)}`);
    return this.#options.sql.atomically(() => this.#life.settled(one));
  }

  #use(who: Who, { id, closedAt }: Kept): void {
    if (who.is === "agent" && closedAt === undefined) this.#life.use(id, who.taskId);
  }

  #told(one: Kept): Session {
    const isOpen = one.closedAt === undefined && one.closingMs === undefined;
    return toSession(one, isOpen ? this.#options.clock.now() + this.#life.leftMs(one) : undefined);
  }
}

const roles: ReadonlySet<number> = new Set([
  MessageRole.SYSTEM,
  MessageRole.USER,
  MessageRole.ASSISTANT,
  MessageRole.TOOL,
]);

/** @throws {Failure} invalid: it is not said who speaks. */
function checkRoles(messages: readonly SessionMessage[]): void {
  const violations = messages.flatMap(({ role }, index) => {
    const message = "is required: system, user, assistant or tool";
    return roles.has(role) ? [] : [{ field: `messages[${index}].role`, message }];
  });
  if (violations.length > 0) throw invalidFields(violations);
}

function takesNothing({ id, state, reason }: Kept): Failure {
  const is = state === SessionState.CLOSED ? "is closed" : "is closing";
  return failure("conflict", `session ${id} ${is} (${reason}) and takes no messages: begin another one`);
}
