import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { asFailure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { aborted } from "../../base/tasks.ts";
import { answering, type HttpRequest, type HttpResponse, hostOf, refuse } from "../../wire/answering.ts";
import { toConnectError } from "../../wire/failures.ts";
import type { Gateway } from "../gateway/index.ts";
import type { Journal } from "../journal/index.ts";
import type { CellAsk, CellIdentity, Provider, Provision } from "../sandbox/index.ts";
import type { TreeTasks } from "../tasks/index.ts";
import { type Asker, askedBy } from "./asker.ts";
import { Calls } from "./calls.ts";
import { Doors } from "./doors.ts";
import { Fences } from "./fences.ts";
import { Incidents } from "./incidents.ts";
import { CellLimits } from "./limits.ts";
import { Locks } from "./locks.ts";
import type { Room } from "./room.ts";
import { routesOf } from "./routes.ts";

export interface BrokerOptions extends Omit<Room, "calls" | "locks" | "incidents" | "tasks"> {
  /** They need cells, and cells need the broker: so they come when both are there. */
  tasks: () => TreeTasks;
  sql: Sql;
  journal: Pick<Journal, "record">;
  log: Logger;
  /** Answers requests to the host `gateway`. */
  gateway: Pick<Gateway, "handle">;
}

/** The name of the socket in the folder of a cell. */
const socketName = "broker.sock";
/** A request is there with all of its body within so long, in milliseconds. */
const wholeRequestMs = 60_000;
/** Requests to this host are the gateway's. */
const gatewayHost = "gateway";

/** The sockets of all cells, and what is answered on them. */
export class Broker implements Provider, AsyncDisposable {
  readonly #options: BrokerOptions;
  readonly #room: Room;
  readonly #doors: Doors;
  readonly #limits = new Map<string, CellLimits>();
  readonly #stopping = new AbortController();
  readonly #owned: DisposableStack;

  private constructor(options: BrokerOptions) {
    const { sql, clock, log, tasks } = options;
    this.#options = options;
    this.#owned = new DisposableStack();
    const locks = this.#owned.use(new Locks(clock, new Fences(sql)));
    const incidents = this.#owned.use(new Incidents(options));
    this.#room = {
      ...{ ...options, calls: new Calls(clock), locks, incidents },
      get tasks() {
        return tasks();
      },
    };
    const answer = answering(routesOf(this.#room, log, this.#stopping.signal), log);
    this.#doors = new Doors((cell, request, response) => {
      const asker = this.#askerOf(cell);
      const isForGateway = hostOf(request).replace(/:\d+$/, "") === gatewayHost;
      if (!this.#mayBegin(asker, isForGateway ? "streams" : "requests", request, response)) return;
      if (isForGateway) this.#toGateway(asker, request, response);
      else answer(request, response, askedBy(asker));
    }, log);
  }

  static open(options: BrokerOptions): Broker {
    return new Broker(options);
  }

  /** Frees what tasks held that have ended, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { tasks, locks } = this.#room;
    using stack = new DisposableStack();
    stack.defer(tasks.onFinal(({ id }) => locks.ended(id)));
    await aborted(signal);
  }

  /** Opens the socket of a cell that is about to be made. */
  async prepare(ask: CellAsk, folder: string): Promise<Provision> {
    await this.adopt(ask, folder);
    return { mounts: [], env: {} };
  }

  /** Opens the socket of a cell of a former life of the daemon again: where its program looks for it. */
  async adopt({ id, agent, version }: CellIdentity, folder: string): Promise<void> {
    this.#limits.set(id, new CellLimits(this.#options.clock));
    await this.#doors.open({ id, agent, version }, join(folder, socketName));
  }

  async release(cellId: string): Promise<void> {
    await this.#doors.close(cellId);
    this.#limits.delete(cellId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(
      toConnectError(failure("unavailable", "the daemon stops: ask again when it is back")),
    );
    await this.#doors[Symbol.asyncDispose]();
    this.#owned[Symbol.dispose]();
  }

  #askerOf(cell: CellIdentity): Asker {
    const { agents, tasks, clock } = this.#room;
    return {
      cell,
      // Of an agent that was removed meanwhile nothing is allowed any more.
      spec: agents.specOf(cell.agent, cell.version) ?? create(AgentSpecSchema, { name: cell.agent }),
      limits: this.#limits.get(cell.id) ?? new CellLimits(clock),
      task: tasks.taskOfCell(cell.id),
    };
  }

  /** Counts a request from its beginning, and sees to it that all of it comes. One too many is refused. */
  #mayBegin(
    asker: Asker,
    kind: "requests" | "streams",
    request: HttpRequest,
    response: HttpResponse,
  ): boolean {
    try {
      response.once("close", asker.limits.enter(kind, Number(request.headers["content-length"]) || 0));
    } catch (thrown) {
      const { message } = asFailure(thrown);
      this.#room.incidents.limit(asker, message);
      refuse(response, 429, "resource_exhausted", message);
      return false;
    }
    const late = setTimeout(() => request.destroy(), wholeRequestMs).unref();
    for (const over of ["end", "close"]) request.once(over, () => clearTimeout(late));
    return true;
  }

  #toGateway(asker: Asker, request: HttpRequest, response: HttpResponse): void {
    const { cell, task } = asker;
    const { gateway, log } = this.#options;
    gateway.handle(request, response, { ...cell, taskId: task?.id ?? "" }).catch((error: unknown) => {
      log.error({ agent: cell.agent, error }, "a request to the gateway failed by a defect");
      request.destroy();
    });
  }
}
