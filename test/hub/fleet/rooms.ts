import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { inPieces, valuesOf } from "../../../src/base/many-rows.ts";
import { Commands, commandsSchema } from "../../../src/hub/commands/index.ts";
import { schema as enrolmentSchema } from "../../../src/hub/enrolment/index.ts";
import { Fleet, fleetSchema } from "../../../src/hub/fleet/index.ts";
import { Reports, reportsSchema } from "../../../src/hub/reports/index.ts";
import { Rollouts, rolloutsSchema } from "../../../src/hub/rollouts/index.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { storeIn } from "../../fixtures/stores.ts";

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
  const schemas = [enrolmentSchema, fleetSchema, commandsSchema, reportsSchema, rolloutsSchema];
  const store = resources.use(await storeIn(folder, schemas, clock));
  const fleet = await Fleet.open({ store, clock, log, watchPaceMs: 1 });
  const commands = await Commands.open({ store, fleet, clock, log, keptBytes });
  const keeping = { events: eventLimit, eventsMs: 3_600_000, auditMs: 7_200_000 };
  const reports = await Reports.open({ store, fleet, commands, clock, log, keeping });
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
    /** The rollouts as another hub on the same store drives them. */
    anotherRollouts: () => Rollouts.open({ store, fleet, commands, clock, log, settleMs, watchPaceMs: 1 }),
    /** A node's line comes up. */
    connect: async (nodeId: string) => {
      await commands.deliveries.resumed(nodeId, 0);
      commands.deliveries.attend(nodeId, () => {});
      fleet.presence.arrived(nodeId);
    },
    /** Sets the wall clock forward. */
    pass: (ms: number) => {
      setAheadMs += ms;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Puts commands into a node's queue that nobody takes. */
export async function fillQueue({ store }: Rooms, nodeId: string, count: number): Promise<void> {
  const fillers = Array.from({ length: count }, (_, at) => [`fill-${at}`, nodeId, 1_000_000 + at]);
  for (const some of inPieces(fillers)) {
    await store.write((tx) =>
      tx.run(
        `WITH fillers (id, node, place) AS (VALUES ${valuesOf(["TEXT", "TEXT", "BIGINT"], some.length)})
         INSERT INTO commands (id, node_id, sequence, command, queued_at, expires_at, called_off, expired)
         SELECT id, node, place, CAST('' AS BLOB), 0, 9000000000000000, 0, 0 FROM fillers`,
        ...some.flat(),
      ),
    );
  }
}
