import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { DecommissionedSchema } from "../../../gen/edge/v1/events_pb.ts";
import {
  type DecommissionRequest,
  LeftWorkloads,
  type PlanDecommissionResponseSchema,
} from "../../../gen/edge/v1/node_pb.ts";
import { asFailure, type Failure, failure } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { runTasks } from "../../base/tasks.ts";
import type { Credentials } from "../identity/index.ts";
import type { Journal } from "../journal/index.ts";
import type { Runtimes } from "../runtimes/index.ts";
import type { Ask, Work } from "../work/index.ts";
import { purge, type Workloads } from "./purge.ts";
import { forgetLeaving, type Leaving, readLeaving, writeLeaving } from "./store.ts";

export interface DecommissionOptions extends Workloads {
  /** The daemon's state file, opened with this room's `schema`. */
  sql: Sql;
  journal: Journal;
  log: Logger;
  credentials: Pick<Credentials, "held" | "forget">;
  runtimes: Pick<Runtimes, "purge" | "objects" | "names" | "close">;
}

const closed = failure(
  "conflict",
  "this node is being taken out of service and takes no runtimes: ask again when it has left its hub",
);

/** Takes the node out of service, once, whatever breaks in between. */
export class Decommission {
  readonly #options: DecommissionOptions;
  readonly #oneByOne = new Gate(1);
  #parting = new AbortController();

  private constructor(options: DecommissionOptions) {
    this.#options = options;
    const leaving = readLeaving(options.sql);
    if (leaving?.isDone && leaving.workloads === LeftWorkloads.PURGE) options.runtimes.close(closed);
  }

  /** Takes up where the last life of the daemon was. */
  static open(options: DecommissionOptions): Decommission {
    return new Decommission(options);
  }

  /** Aborted when the node is to leave its hub: all is done and told. Another one after `leave`. */
  get parting(): AbortSignal {
    return this.#parting.signal;
  }

  /** What would go. @throws {Failure} unavailable: the engine is away. */
  async plan(
    { workloads }: Pick<DecommissionRequest, "workloads">,
    signal: AbortSignal,
  ): Promise<MessageInitShape<typeof PlanDecommissionResponseSchema>> {
    const { runtimes } = this.#options;
    const hubAddress = (await this.#identity())?.lineAddresses[0] ?? "";
    if (workloads !== LeftWorkloads.PURGE) return { hubAddress };
    return { hubAddress, objects: await runtimes.objects(signal), runtimes: runtimes.names() };
  }

  /**
   * Removes the workloads, or leaves them alone, and remembers that the node is to leave as soon as that was told. Asked again, it
   * goes on where it was. @returns what was removed. @throws {Failure} unavailable, and what else keeps the engine from it.
   */
  async carryOut(
    { workloads }: Pick<DecommissionRequest, "workloads">,
    ask: Ask,
  ): Promise<readonly string[]> {
    return await this.#oneByOne.run(ask.signal, async () => {
      const earlier = readLeaving(this.#options.sql);
      if (earlier?.isDone && earlier.commandId === ask.id) return earlier.removed;
      const begun: Leaving = {
        ...{ workloads, commandId: ask.id, isDone: false, removed: earlier?.removed ?? [] },
        nodeId: (await this.#identity())?.nodeId ?? "",
      };
      return (await this.#do(begun, ask)).removed;
    });
  }

  /** The hub took the node out of service while it was away, and says so at its door. Fails as `carryOut` does. */
  async ordered({ workloads }: Pick<DecommissionRequest, "workloads">, signal: AbortSignal): Promise<void> {
    const ask: Ask = { id: newId("leave"), actor: "hub", signal, progress: () => {} };
    await this.#oneByOne.run(signal, async () => {
      const earlier = readLeaving(this.#options.sql);
      const nodeId = (await this.#identity())?.nodeId ?? "";
      const isDone = earlier?.isDone === true && earlier.workloads === workloads;
      // Whoever sent a command for it has removed the node since, and waits for no answer any more.
      const begun: Leaving = { workloads, commandId: "", nodeId, removed: earlier?.removed ?? [], isDone };
      if (isDone) writeLeaving(this.#options.sql, begun);
      else await this.#do(begun, ask);
    });
    this.#parting.abort(departure());
  }

  /** Tells by `parting` when all is done and told, until the signal is aborted. */
  async run(work: Pick<Work, "isTold" | "ends">, signal: AbortSignal): Promise<void> {
    const { sql, journal } = this.#options;
    const look = () => {
      const leaving = readLeaving(sql);
      if (leaving?.isDone && isTold(leaving, work)) this.#parting.abort(departure());
    };
    await runTasks(
      signal,
      ...[work.ends, journal.changes].map((changes) => async (stop: AbortSignal) => {
        for await (const _ of changes.wakes(stop)) look();
      }),
    );
  }

  /** Forgets who the node was. No line may be up. @throws {Failure} the disk does not take it: to be tried again. */
  async leave(): Promise<void> {
    const { sql, journal, credentials, runtimes, log } = this.#options;
    const leaving = readLeaving(sql);
    if (leaving && leaving.nodeId !== "") await credentials.forget(leaving.nodeId);
    // What is not told yet was for the hub that it has left: the next one knows none of those commands.
    journal.acknowledge(journal.lastSequence);
    forgetLeaving(sql);
    this.#parting = new AbortController();
    runtimes.close(undefined);
    if (!leaving) return;
    const what = "this node is out of service: it has no hub any more, and is commanded at its local socket";
    log.warn({ node: leaving.nodeId }, what);
  }

  async #do(begun: Leaving, ask: Ask): Promise<Leaving> {
    const { sql, journal, log, runtimes } = this.#options;
    let leaving = begun;
    const keep = (change: Partial<Leaving>) => {
      leaving = { ...leaving, ...change };
      writeLeaving(sql, leaving);
    };
    const isPurge = leaving.workloads === LeftWorkloads.PURGE;
    log.warn({ command: ask.id, actor: ask.actor, isPurge }, "this node is taken out of service");
    keep({});
    if (isPurge) {
      runtimes.close(closed);
      try {
        await purge(this.#options, ask, (found) =>
          keep({ removed: [...new Set([...leaving.removed, ...found])] }),
        );
      } catch (thrown) {
        runtimes.close(undefined);
        throw this.#withLeft(asFailure(thrown), leaving);
      }
    }
    sql.transaction(() => {
      const value = create(DecommissionedSchema, { workloads: leaving.workloads });
      const reason = "an operator took the node out of service";
      const { commandId } = leaving;
      journal.record({ case: "decommissioned", value }, { reason, commandId });
      keep({ isDone: true });
    });
    return leaving;
  }

  /** The failure, with what is still to be removed. */
  #withLeft(why: Failure, { removed }: Leaving): Failure {
    const names = this.#options.runtimes.names();
    const left = names.length > 0 ? `runtimes ${some(names)}` : `what there was: ${some(removed)}`;
    const sentence = removed.length + names.length === 0 ? "nothing was removed" : `left are ${left}`;
    return failure(why.kind, `${why.message}; ${sentence}. Asked again, it goes on where it was`, {
      cause: why,
    });
  }

  /** Who the node is; nobody where that cannot be read. */
  async #identity() {
    const held = await this.#options.credentials.held().catch(() => undefined);
    return held?.identity;
  }
}

function isTold({ commandId }: Leaving, work: Pick<Work, "isTold">): boolean {
  return commandId === "" || work.isTold(commandId);
}

function departure(): Failure {
  return failure("cancelled", "the node was taken out of service");
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, 10).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}
