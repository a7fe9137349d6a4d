import type { NodeStream, Visitor } from "../../src/hub/line/index.ts";
import type { Chance } from "../fixtures/chance.ts";
import type { Life } from "./life.ts";
import { type Held, Link } from "./link.ts";
import type { Time } from "./time.ts";
import type { Mishap } from "./way.ts";

/** How the network is at present. */
export interface Weather {
  /** The longest that a frame takes, in milliseconds. */
  slowestMs: number;
  /** Of how many frames within a stream one is lost, doubled or overtaken; 0 means never, as TCP has it. */
  mishapOf: number;
}

/** Takes the streams that reach a hub. */
export interface Listening {
  life: Life;
  onStream: (stream: NodeStream, visitor: Visitor) => void;
}

/** All links of a world, and who listens. */
export class Network {
  readonly weather: Weather = { slowestMs: 50, mishapOf: 0 };
  /** Every link that one side still believes in. */
  readonly links = new Set<{ machine: string; nodeId: string; link: Link }>();
  listening: Listening | undefined;
  /** Most frames that ever waited at one end of a link. */
  mostWaiting = 0;
  readonly #time: Time;
  readonly #chance: Chance;
  /** What was seen to be wrong. */
  readonly wrongs: string[] = [];
  readonly #trace: (who: string, what: string) => void;
  /** Nodes that lost their disk: they count epochs anew, and a late stream of before looks newer than one of since. */
  readonly #forgetful: ReadonlySet<string>;

  constructor(
    { time, chance }: { time: Time; chance: Chance },
    forgetful: ReadonlySet<string>,
    trace: (who: string, what: string) => void,
  ) {
    this.#time = time;
    this.#chance = chance;
    this.#forgetful = forgetful;
    this.#trace = trace;
  }

  /** Opens a link from a machine to whoever listens. */
  dial(machine: { name: string; uplink: Held; visitor: Omit<Visitor, "socket"> }, node: Life): Link {
    this.#forget();
    const link = new Link({
      ...{ time: this.#time, node, uplink: machine.uplink },
      hub: () => this.listening?.life,
      delayMs: () => this.#chance.below(this.weather.slowestMs) + 1,
      mishap: () => this.#mishap(),
      trace: (what) => this.#trace(machine.name, what),
      onSuperseded: (pushed) => this.#mustBeNewer(machine.visitor.nodeId, pushed),
      onOpen: (arrived) => {
        const { listening } = this;
        if (!listening || listening.life.isOver) return false;
        const stream = arrived.atHub as unknown as NodeStream; // Of grpc-js's streams, what every Duplex has is used.
        stream.on("error", (error: Error) => arrived.fail(error));
        listening.onStream(stream, {
          ...machine.visitor,
          socket: { remoteAddress: machine.name, destroy: () => arrived.destroy() },
        });
        return true;
      },
    });
    this.links.add({ machine: machine.name, nodeId: machine.visitor.nodeId, link });
    return link;
  }

  /** Links of a machine, or of all, newest last. */
  of(machine?: string): Link[] {
    return [...this.links].filter((one) => !machine || one.machine === machine).map(({ link }) => link);
  }

  /** Ends what a program had open. */
  orphan(side: "node" | "hub", life: Life, isTold: boolean): void {
    for (const { link } of this.links) {
      if ((side === "node" ? link.node : link.hub) === life) link.orphan(side, isTold);
    }
  }

  /** Only a later stream of a node may take over from one. */
  #mustBeNewer(nodeId: string, pushed: Link): void {
    if (this.#forgetful.has(nodeId)) return;
    const others = [...this.links].filter((one) => one.nodeId === nodeId && one.link !== pushed);
    if (others.some(({ link }) => link.epoch >= pushed.epoch)) return;
    this.wrongs.push(`a stream of ${nodeId} was pushed out by one that had begun before it`);
  }

  #mishap(): Mishap {
    const { mishapOf } = this.weather;
    if (mishapOf === 0 || this.#chance.below(mishapOf) > 0) return "none";
    return this.#chance.oneOf(["lost", "doubled", "overtaken"] as const);
  }

  #forget(): void {
    for (const one of this.links) {
      this.mostWaiting = Math.max(this.mostWaiting, one.link.mostWaiting);
      if (one.link.believers.length === 0) this.links.delete(one);
    }
  }
}
