import type Docker from "dockerode";
import { newId } from "../../base/ids.ts";
import { label } from "../../wire/labels.ts";
import type { Engine } from "../engine/index.ts";
import type { Bridge } from "./bridge.ts";
import type { CellNetwork } from "./cell.ts";
import { removeContainer } from "./container-end.ts";
import { holderImage } from "./holder-image.ts";

/** So many that were used wait for their agent's next cell, for each that is kept ahead. */
const usedPerAhead = 2;

export interface HoldersOptions {
  engine: Engine;
  instanceId: string;
  /** How many are kept ahead. */
  ahead: number;
}

/**
 * Containers that hold a network namespace, made ahead: an engine takes 150 ms and more for a namespace of its own, and half of that
 * to join one. No two cells are in one at a time. One that has no network serves the same agent again when its cell is gone; one
 * with a network, and rules of an agent in it, serves once.
 */
export class Holders {
  /** Of this life of the daemon: what others made is nobody's. */
  readonly life = newId("life");
  readonly #options: HoldersOptions;
  readonly #fresh: CellNetwork[] = [];
  /** By the agent whose cell was in it. */
  readonly #used: { agent: string; network: CellNetwork }[] = [];
  #making = 0;
  #image: Promise<string> | undefined;

  constructor(options: HoldersOptions) {
    this.#options = options;
  }

  /** One for a cell of this agent, without a network. Made now when none is there. */
  async take(agent: string, signal: AbortSignal): Promise<CellNetwork> {
    const at = this.#used.findIndex((one) => one.agent === agent);
    const [used] = at < 0 ? [] : this.#used.splice(at, 1);
    return used?.network ?? this.#fresh.shift() ?? (await this.make(undefined, signal));
  }

  /** The cell that was in it is gone. */
  async giveBack(agent: string, network: CellNetwork, signal: AbortSignal): Promise<void> {
    this.#used.push({ agent, network });
    const tooMany = this.#used.length > usedPerAhead * this.#options.ahead ? this.#used.shift() : undefined;
    if (tooMany) await this.remove(tooMany.network.holderId, signal);
  }

  /** Makes as many as are to be there ahead, one after the other. */
  async fill(signal: AbortSignal): Promise<void> {
    while (this.#fresh.length + this.#making < this.#options.ahead) {
      this.#making++;
      try {
        this.#fresh.push(await this.make(undefined, signal));
      } finally {
        this.#making--;
      }
    }
  }

  /** Forgets those that wait: the engine no longer has them, or they no longer run. */
  async dropAll(signal: AbortSignal): Promise<void> {
    const all = [...this.#fresh.splice(0), ...this.#used.splice(0).map(({ network }) => network)];
    for (const { holderId } of all) await this.remove(holderId, signal);
  }

  /** Makes one, on the network of cells if it is given. */
  async make(bridge: Bridge | undefined, signal: AbortSignal): Promise<CellNetwork> {
    const { engine } = this.#options;
    this.#image ??= holderImage(engine, signal);
    const image = await this.#image.catch((thrown: unknown) => {
      this.#image = undefined;
      throw thrown;
    });
    signal.throwIfAborted();
    // Never broken off: of what an engine makes after that nobody would know.
    const { signal: whole } = new AbortController();
    const { id } = await engine.call("make a holder", whole, (docker, abortSignal) =>
      docker.createContainer({ ...this.#containerOptions(image, bridge?.name ?? "none"), abortSignal }),
    );
    try {
      await engine.start(id, signal);
      const found = await engine.container(id, signal);
      const { pid } = found ?? { pid: 0 };
      if (!bridge) return { holderId: id, pid };
      const { name: _, ...where } = bridge;
      return { holderId: id, pid, onBridge: { address: found?.networks[0]?.address ?? "", ...where } };
    } catch (thrown) {
      this.#image = undefined; // Perhaps somebody removed it.
      await this.remove(id, AbortSignal.timeout(30_000)).catch(() => {});
      throw thrown;
    }
  }

  /** Removes one. One that is gone, or on its way, is the same success. */
  async remove(holderId: string, signal: AbortSignal): Promise<void> {
    await removeContainer(this.#options.engine, holderId, signal);
  }

  #containerOptions(Image: string, NetworkMode: string): Docker.ContainerCreateOptions {
    const { instanceId } = this.#options;
    const memory = 16 * 2 ** 20;
    return {
      name: `edge-holder-${instanceId.slice(0, 8)}-${newId("").slice(1)}`,
      ...{ Image, Hostname: "cell", User: "65532:65532" },
      Labels: { [label.instance]: instanceId, [label.holder]: this.life },
      Healthcheck: { Test: ["NONE"] },
      HostConfig: {
        NetworkMode,
        RestartPolicy: { Name: "no" },
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        ReadonlyRootfs: true,
        IpcMode: "none",
        ...{ PidsLimit: 16, Memory: memory, MemorySwap: memory },
        LogConfig: { Type: "none", Config: {} },
      },
    };
  }
}
