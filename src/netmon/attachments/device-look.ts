import { Changes } from "../../base/changes.ts";
import { findDevice } from "../../wire/device-path.ts";
import { FolderWatch } from "../devices/index.ts";
import { foundOf } from "./devices.ts";
import type { Tools } from "./tools.ts";

/** Between two looks, in milliseconds: one adapter that is plugged in makes a node and several links. */
const pauseMs = 30;

/** Asks for a round of each owner one of whose devices came, went, or is another one. */
export class DeviceLook implements Disposable {
  readonly #tools: Tools;
  readonly #notices = new Changes();
  readonly #watch: FolderWatch;

  constructor(tools: Tools) {
    this.#tools = tools;
    const { clock, log } = tools;
    this.#watch = new FolderWatch({ notice: () => this.notice(), clock, log });
  }

  /** Something may have come or gone, or somebody else wants devices. Costs nothing. */
  notice(): void {
    this.#notices.notify();
  }

  /** Looks after each notice until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#notices.wakes(signal)) {
      this.#look();
      await this.#tools.clock.sleep(pauseMs, signal);
    }
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  /** What came into a folder before it was listened to is seen by another look. */
  #look(): void {
    while (this.#watch.follow(this.#folders()));
    for (const tended of this.#tools.all()) {
      const isConcerned = tended.answered > 0 && foundOf(tended, this.#tools) !== tended.devices.found;
      if (isConcerned) this.#tools.wake(tended);
    }
  }

  #folders(): Set<string> {
    const { all, devFolder } = this.#tools;
    const wishes = [...all()].flatMap(({ attachment }) => attachment.devices);
    return new Set(wishes.flatMap(({ nodePath }) => findDevice(nodePath, devFolder).folders));
  }
}
