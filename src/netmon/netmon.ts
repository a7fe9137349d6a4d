import { dirname, join } from "node:path";
import { NetMon } from "../../gen/edge/v1/netmon_pb.ts";
import type { Clock } from "../base/clock.ts";
import { errorChain, failure } from "../base/failure.ts";
import { makeFolder } from "../base/files.ts";
import type { Logger } from "../base/log.ts";
import { Sql } from "../base/sql.ts";
import { runTasks } from "../base/tasks.ts";
import { HealthBoard } from "../wire/health.ts";
import { Attachments, schema as attachmentsSchema } from "./attachments/index.ts";
import type { NetmonConfig } from "./config.ts";
import { Egress } from "./egress/index.ts";
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
  /** Keeps the picture true, and vNICs and devices as they should be, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Looks at the network, takes up what is attached and opens the socket. Wiring only.
 * @throws {Failure} unavailable: the network cannot be seen, or the socket or the state file not be made. conflict: another
 * netmon serves there.
 */
export async function openNetmon(options: NetmonOptions, signal: AbortSignal): Promise<Netmon> {
  const { config, clock, log, random } = options;
  await using opened = new AsyncDisposableStack();
  const lookEveryMs = config["netmon.look_every_ms"];
  const network = await Network.open(
    {
      look: (stop) => look(machineRoots, stop),
      ...{ clock, log, lookEveryMs, settleMs: config["netmon.settle_ms"] },
    },
    signal,
  );
  const health = new HealthBoard([NetMon.typeName]);
  network.changes.listen(() => health.set(NetMon.typeName, network.isSeen));

  const socket = config["netmon.socket"];
  socketFolder(dirname(socket));
  const state = join(config["netmon.data_dir"] ?? dirname(socket), "netmon.db");
  const sql = opened.use(Sql.open(state, [attachmentsSchema], clock.now));
  if (sql.setAside) log.error({ ...sql.setAside }, "the state file could not be read and was set aside");
  const picture = () => network.picture;
  const attachments = opened.use(
    Attachments.open({ sql, picture, devFolder: config["netmon.dev_dir"], clock, log, random, lookEveryMs }),
  );
  network.changes.listen(() => attachments.notice());
  const notice = () => {
    network.notice();
    attachments.notice();
  };
  const egress = opened.use(new Egress({ clock, log }));
  opened.use(await openDoor(socket, { network, attachments, egress, clock, random }, health));
  const owned = opened.move();
  return {
    run: (stop) =>
      runTasks(
        stop,
        (end) => network.run(end),
        (end) => attachments.run(end),
        (end) => watchKernel({ notice, clock, log, random }, end),
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function socketFolder(folder: string): void {
  try {
    makeFolder(folder, 0o750);
  } catch (cause) {
    throw failure("unavailable", `cannot make the folder ${folder}: ${errorChain(cause)}`, { cause });
  }
}
