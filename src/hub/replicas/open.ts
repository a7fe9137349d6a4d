import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { SettingValues } from "../../base/settings.ts";
import { type busSettings, openBus } from "../bus/index.ts";
import type { Store } from "../store/index.ts";
import { Replicas } from "./replicas.ts";

export interface OpenReplicasOptions {
  settings: SettingValues<typeof busSettings>;
  store: Store;
  /** Whether other hubs can have the same store. */
  isShared: boolean;
  clock: Clock;
  log: Logger;
}

/** This hub among those that share its store, or alone. Closing it leaves the bus, too. @throws {Failure} as `openBus`. */
export async function openReplicas(options: OpenReplicasOptions): Promise<Replicas> {
  const { settings, store, isShared, clock, log } = options;
  if (!isShared) return Replicas.alone();
  const bus = await openBus({ settings, fleetId: await fleetIdOf(store), clock, log });
  return await Replicas.open({ store, bus, clock, log });
}

/** What tells this fleet from others on the same bus: made once, by whichever replica is first. */
async function fleetIdOf(store: Store): Promise<string> {
  const row = await store.write(async (tx) => {
    const id = randomUUID();
    await tx.run("INSERT INTO fleet_identity (one, id) VALUES (1, $1) ON CONFLICT (one) DO NOTHING", id);
    return await tx.get("SELECT id FROM fleet_identity WHERE one = 1");
  }, []);
  return String(row?.id);
}
