import { readFile } from "node:fs/promises";
import type { Clock } from "../../base/clock.ts";
import { invalidField } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { SettingValues } from "../../base/settings.ts";
import type { Bus } from "./bus.ts";
import { InProcessBus } from "./in-process.ts";
import { type busSettings, inProcess } from "./settings.ts";

export interface BusOptions {
  settings: SettingValues<typeof busSettings>;
  /** Of this fleet alone: replicas of others on the same servers are not heard. */
  fleetId: string;
  clock: Clock;
  log: Logger;
}

/**
 * The bus that the settings name. A server that is away is no failure: it is tried again, and `problem` says so.
 * @throws {Failure} invalid: a file cannot be read.
 */
export async function openBus({ settings, fleetId, clock, log }: BusOptions): Promise<Bus> {
  const url = settings["hub.bus_url"];
  if (url === inProcess) return new InProcessBus().join();
  const ca = await textOf("hub.bus_ca_file", settings["hub.bus_ca_file"]);
  const credentials = await textOf("hub.bus_credentials_file", settings["hub.bus_credentials_file"]);
  // Only then, because a hub that is alone is smaller without.
  const { NatsBus } = await import("./nats.ts");
  return await NatsBus.open({
    ...{ url, prefix: `hub.${fleetId}`, clock, log },
    ...(ca !== undefined && { ca }),
    ...(credentials !== undefined && { credentials }),
  });
}

async function textOf(key: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    throw invalidField(key, `${file} cannot be read (${(thrown as NodeJS.ErrnoException).code})`);
  }
}
