import { join } from "node:path";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { Commands, commandsSchema } from "../../../src/hub/commands/index.ts";
import { Fleet, fleetSchema } from "../../../src/hub/fleet/index.ts";
import { Reports, reportsSchema } from "../../../src/hub/reports/index.ts";
import { Rollouts, rolloutsSchema } from "../../../src/hub/rollouts/index.ts";
import { SqliteStore } from "../../../src/hub/store/index.ts";
import { tempFolder } from "../../fixtures/folder.ts";

const log = openLog({ program: "hub", level: "silent", format: "json" });

/** The hub's rooms on a real disk, without its doors, and with a wall clock that the test moves. */
export type Rooms = Awaited<ReturnType<typeof openRooms>>;

/** `path` is where former rooms left their state. `nodes` are taken into the fleet. */
export async function openRooms({
  path,
  nodes = ["n-a"],
  eventLimit = 10_000,
  settleMs = 0,
  keptBytes = 64 << 20,
}: {
  path?: string;
  nodes?: string[];
  eventLimit?: number;
  settleMs?: number;
  keptBytes?: number;
} = {}) {
  const resources = new AsyncDisposableStack();
  const folder = path ?? resources.use(tempFolder()).path;
  let setAheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + setAheadMs };
  const schemas = [fleetSchema, commandsSchema, reportsSchema, rolloutsSchema];
  const store = resources.use(SqliteStore.open(join(folder, "hub.db"), schemas, clock.now));
  const fleet = await Fleet.open({ store, clock, log, watchPaceMs: 1 });
  const commands = await Commands.open({ store, fleet, clock, log, keptBytes });
  const reports = await Reports.open({ store, fleet, commands, clock, log, eventLimit });
  const rollouts = await Rollouts.open({ store, fleet, commands, clock, log, settleMs, watchPaceMs: 1 });
  for (const nodeId of nodes) {
    if (fleet.has(nodeId)) continue;
    await fleet.enrolled({
      nodeId,
      hostName: `host of ${nodeId}`,
      serial: "01",
      expiresAt: clock.now(),
      at: clock.now(),
    });
  }
  return {
    store,
    fleet,
    commands,
    reports,
    rollouts,
    clock,
    /** Sets the wall clock forward. */
    pass: (ms: number) => {
      setAheadMs += ms;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
