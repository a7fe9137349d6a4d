import type { Logger } from "../../src/base/log.ts";
import { Sql } from "../../src/base/sql.ts";
import { runTasks } from "../../src/base/tasks.ts";
import { Commands, commandsSchema } from "../../src/hub/commands/index.ts";
import { Fleet, fleetSchema } from "../../src/hub/fleet/index.ts";
import { Line } from "../../src/hub/line/index.ts";
import { Reports, reportsSchema } from "../../src/hub/reports/index.ts";
import { SqliteStore } from "../../src/hub/store/index.ts";
import type { Chance } from "../fixtures/chance.ts";
import { Disk } from "./disk.ts";
import { hubLedger } from "./ledger.ts";
import type { Life, WallClock } from "./life.ts";
import type { Network } from "./network.ts";

/** Nobody's certificate is looked at here. */
const oneRoot = {
  ...{ trustDomain: "", trusted: [], signerOf: () => undefined, look: async () => {} },
  ...{ used: () => {}, onChange: () => () => {} },
};

export interface HubOptions {
  chance: Chance;
  network: Network;
  log: Logger;
  wall: WallClock;
  beatMs: number;
  onCut: (life: Life) => void;
  /** The nodes of its fleet. */
  nodeIds: readonly string[];
}

/** A hub that runs: what an operator reaches. */
export interface RunningHub {
  fleet: Fleet;
  commands: Commands;
  line: Line;
  /** Drains and closes, as on SIGTERM. */
  stop(): Promise<void>;
}

const schemas = [fleetSchema, commandsSchema, reportsSchema];

/** The machine of the hub with the hub's rooms on it. */
export class HubMachine {
  readonly name = "hub";
  readonly wall: WallClock;
  disk = new Disk();
  readonly #options: HubOptions;

  constructor(options: HubOptions) {
    this.#options = options;
    this.wall = options.wall;
  }

  /** Starts the hub as a life. Rejects when its disk does not take what it writes at the start. */
  async start(life: Life): Promise<RunningHub> {
    const { log, network, chance, beatMs, onCut, nodeIds } = this.#options;
    const clock = life.clock(this.wall);
    const database = this.disk.mount(life, () => onCut(life));
    const store = new SqliteStore(Sql.open(this.name, schemas, clock.now, { database }));
    this.disk.witness(...hubLedger);
    const fleet = await Fleet.open({ store, clock, log });
    for (const nodeId of nodeIds) {
      if (fleet.has(nodeId)) continue;
      await fleet.enrolled({ nodeId, hostName: nodeId, serial: nodeId, expiresAt: 2e14, at: clock.now() });
    }
    const commands = await Commands.open({ store, fleet, clock, log });
    const reports = await Reports.open({ store, fleet, commands, clock, log });
    const line = await Line.open({
      ...{ host: "", port: 0, beatMs, fleet, commands, reports, clock, log },
      roots: oneRoot,
      certificate: { current: { key: "", cert: "", expiresAt: 2e14 }, onChange: () => () => {} },
      random: chance.next,
      async openDoor({ onStream }) {
        const listening = { life, onStream };
        network.listening = listening;
        const close = () => {
          if (network.listening === listening) network.listening = undefined;
        };
        return { port: 1, close, [Symbol.asyncDispose]: async () => close() };
      },
    });
    const end = new AbortController();
    const running = runTasks(
      end.signal,
      (stop) => line.run(stop),
      (stop) => commands.run(stop),
    );
    running.catch(() => {}); // Its life has ended.
    return {
      ...{ fleet, commands, line },
      async stop() {
        await line.drain("the hub stops");
        end.abort();
        await running;
        await line[Symbol.asyncDispose]();
        await store[Symbol.asyncDispose]();
      },
    };
  }
}
