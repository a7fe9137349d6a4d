import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DeniedEgress } from "../../../gen/edge/v1/netmon_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure, errorChain, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import type { CellAsk, CellNetwork, Provider, Provision } from "../sandbox/index.ts";
import { Answerer } from "./answerer.ts";
import { Denials, type DenialsOptions } from "./denials.ts";
import type { EgressSettings } from "./egress-settings.ts";
import { lookUpAt } from "./look-up.ts";
import { type Filter, filterAt } from "./netmon.ts";
import { guardOf, nameServer } from "./plan.ts";
import { Resolvers } from "./resolvers.ts";
import { type Guarded, GuardedCells } from "./store.ts";

export interface EgressOptions extends DenialsOptions {
  /** The daemon's state file, opened with this room's `schema`. */
  sql: Sql;
  clock: Clock;
  log: Logger;
  /** `netmon.socket`. */
  socket: string;
  settings: EgressSettings;
}

/** How often what was denied is asked for and told. */
const lookEveryMs = 1_000;
/** Cells that netmon is asked about at once. */
const mostAtOnce = 1_000;
/** How long the end of a cell waits for the last of what it was denied. */
const lastLookMs = 3_000;

/** Nothing for an agent that may connect nowhere: its namespace has no network. */
const nothing: Provision = { mounts: [], env: {} };

/** Where cells may connect to. What guards a cell is in its namespace, and outlives this. */
export class Egress implements Provider, AsyncDisposable {
  readonly #options: EgressOptions;
  readonly #cells: GuardedCells;
  readonly #filter: Filter;
  readonly #denials: Denials;
  readonly #answerer: Answerer;
  readonly #resolvers: Resolvers;
  #isAway = false;
  /** Why names cannot be answered, as it was logged last. */
  #complaint = "";

  private constructor(options: EgressOptions) {
    this.#options = options;
    const { sql, clock, log, socket, settings } = options;
    this.#cells = new GuardedCells(sql);
    this.#filter = filterAt(socket);
    this.#denials = new Denials(options);
    this.#answerer = new Answerer({
      ...{ clock, log, lookUp: lookUpAt(settings.nameServers) },
      open: (request, signal) => this.#filter.allow(request, signal),
      denied: (denial) => this.#denials.add(denial),
    });
    this.#resolvers = new Resolvers({
      knows: (address) => this.#cells.at(address) !== undefined,
      answer: async (address, question, signal) => {
        const from = this.#cells.at(address);
        return from && (await this.#answerer.answer(from, question, signal));
      },
    });
  }

  static open(options: EgressOptions): Egress {
    return new Egress(options);
  }

  /** The cell's name server is ours: that of the engine, which engines put into the namespace, is closed to it. */
  async prepare({ spec }: CellAsk, folder: string): Promise<Provision> {
    if (!spec.network?.allow.length) return nothing;
    const source = join(folder, "resolv.conf");
    await writeFile(source, `nameserver ${nameServer}\n`);
    await chmod(source, 0o644); // Whatever this program's umask is: the cell's user must read it.
    return { mounts: [{ source, target: "/etc/resolv.conf", readOnly: true }], env: {} };
  }

  /** @throws {Failure} it could not be closed, or names could not be answered: the program must not be started. */
  async guard(ask: CellAsk, network: CellNetwork, signal: AbortSignal): Promise<void> {
    const { spec, id: cell, agent } = ask;
    if (!spec.network?.allow.length) return;
    const { onBridge, holderId } = network;
    if (!onBridge) throw failure("internal", `cell ${cell} may connect somewhere, and is on no network`);
    const range6 = spec.network.allow.find(({ cidr }) => cidr.includes(":"));
    if (range6 && onBridge.subnet6 === undefined) {
      const sentence = `agent ${agent} is allowed ${range6.cidr}, and agents of this node have no IPv6: set egress.ipv6_subnet`;
      throw failure("unsupported", sentence);
    }
    const port = this.#options.settings.resolverPort;
    await this.#resolvers.ensure(onBridge.gateway, port);
    const guard = guardOf(spec.network, { holderId, onBridge, port });
    await this.#filter.guard(guard, signal);
    const { address } = onBridge;
    this.#cells.keep({
      ...{ cell, agent, address, guard },
      hasIpv6: onBridge.subnet6 !== undefined,
      allow: spec.network,
    });
  }

  async release(cellId: string): Promise<void> {
    const cell = this.#cells.get(cellId);
    if (!cell) return;
    await this.#look([cell], AbortSignal.timeout(lastLookMs));
    this.#forget(cell);
  }

  /** Tells what is denied, and answers names for cells of former lives, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const cells = this.#cells.all;
      await this.#answerFor(cells);
      for (let at = 0; at < cells.length; at += mostAtOnce)
        await this.#look(cells.slice(at, at + mostAtOnce), signal);
      this.#tell();
      await clock.sleep(lookEveryMs, signal).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resolvers[Symbol.asyncDispose]();
    this.#filter[Symbol.dispose]();
  }

  #forget({ cell }: Guarded): void {
    this.#tell(); // While it is still known which task it was.
    this.#cells.forget(cell);
    this.#answerer.forget(cell);
  }

  async #answerFor(cells: readonly Guarded[]): Promise<void> {
    for (const { guard, agent } of cells) {
      const { address = "", port = 0 } = guard.resolver ?? {};
      await this.#resolvers.ensure(address, port).catch((thrown: unknown) => {
        const reason = errorChain(asFailure(thrown));
        if (reason !== this.#complaint)
          this.#options.log.warn({ agent, reason }, "names cannot be answered for an agent");
        this.#complaint = reason;
      });
    }
  }

  /** Asks netmon what was denied. What it does not tell now stays in the namespaces. */
  async #look(cells: readonly Guarded[], signal: AbortSignal): Promise<void> {
    if (cells.length === 0) return;
    const byContainer = new Map(cells.map((one) => [one.guard.containerId, one]));
    const { log, socket } = this.#options;
    try {
      const { denied, ended } = await this.#filter.read([...byContainer.keys()], signal);
      for (const one of denied) {
        const cell = byContainer.get(one.containerId);
        if (cell) this.#denials.add({ ...cell, ...toldOf(one) });
      }
      // Also of those that vanished without a word, as when somebody else removed them.
      for (const containerId of ended) {
        const cell = byContainer.get(containerId);
        if (cell) this.#forget(cell);
      }
      if (this.#isAway) log.info({ socket }, "netmon tells again what agents were denied");
      this.#isAway = false;
    } catch (thrown) {
      if (signal.aborted || this.#isAway) return;
      this.#isAway = true;
      log.warn({ reason: errorChain(asFailure(thrown)) }, "netmon does not tell what agents were denied");
    }
  }

  #tell(): void {
    try {
      this.#denials.tell();
    } catch (thrown) {
      const reason = errorChain(asFailure(thrown));
      this.#options.log.error({ reason }, "what agents were denied cannot be written down yet");
    }
  }
}

function toldOf({ destination, port, protocol, count }: DeniedEgress) {
  const reason = "the agent's network.allow does not hold it";
  return { destination, port, protocol, reason, count: Number(count) };
}
