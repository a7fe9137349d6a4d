import { dirname } from "node:path";
import { NetMon } from "../../gen/edge/v1/netmon_pb.ts";
import type { Clock } from "../base/clock.ts";
import { errorChain, failure } from "../base/failure.ts";
import { makeFolder } from "../base/files.ts";
import type { Logger } from "../base/log.ts";
import { runTasks } from "../base/tasks.ts";
import { HealthBoard } from "../wire/health.ts";
import type { NetmonConfig } from "./config.ts";
import { look, machineRoots, Network, watchKernel } from "./picture/index.ts";
import { openDoor } from "./server.ts";

export interface NetmonOptions {
  config: NetmonConfig;
  clock: Clock;
  log: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** A netmon that is open: its socket answers. */
export interface Netmon extends AsyncDisposable {
  /** Keeps the picture true until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Looks at the network and opens the socket. Wiring only.
 * @throws {Failure} unavailable: the network cannot be seen, or the socket not be made. conflict: another netmon serves there.
 */
export async function openNetmon(options: NetmonOptions, signal: AbortSignal): Promise<Netmon> {
  const { config, clock, log, random } = options;
  const network = await Network.open(
    {
      look: (stop) => look(machineRoots, stop),
      ...{ clock, log, settleMs: config["netmon.settle_ms"], lookEveryMs: config["netmon.look_every_ms"] },
    },
    signal,
  );
  const health = new HealthBoard([NetMon.typeName]);
  network.changes.listen(() => health.set(NetMon.typeName, network.isSeen));

  const socket = config["netmon.socket"];
  socketFolder(dirname(socket));
  const door = await openDoor(socket, network, health);
  return {
    run: (stop) =>
      runTasks(
        stop,
        (end) => network.run(end),
        (end) => watchKernel({ notice: () => network.notice(), clock, log, random }, end),
      ),
    [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
  };
}

function socketFolder(folder: string): void {
  try {
    makeFolder(folder, 0o750);
  } catch (cause) {
    throw failure("unavailable", `cannot make the folder ${folder}: ${errorChain(cause)}`, { cause });
  }
}
