import { chmod, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "../../src/base/files.ts";

/** This checkout. */
export const checkout = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");

/** Everything that npm start makes and keeps, but for what is in the engine, is below this folder. */
export const folder = join(checkout, ".orchestrator");

/** Where things are below it. */
export const place = {
  settings: join(folder, "config.yaml"),
  record: join(folder, "start.json"),
  hub: join(folder, "hub"),
  daemon: join(folder, "daemon"),
  netmon: join(folder, "netmon"),
  engine: join(folder, "engine"),
  log: (program: string) => join(folder, `${program}.log`),
} as const;

/** What the first start chose and made: the next one takes it up, and clean undoes it. */
export interface Record {
  /** Where the engine is, as `docker.host` says it, and whether it is our own. */
  engine: { host: string; isOurs: boolean };
  ports: { api: number; line: number; runtime: number };
  /** Images that were put into the engine. */
  madeImages: string[];
}

/** What an earlier start left; undefined when there was none. */
export async function readRecord(): Promise<Record | undefined> {
  const text = await readFile(place.record, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Record); // Written by keepRecord and by nobody else.
}

/** Keeps what was made, and the settings by which hub, daemon, netmon and CLI find one another in this checkout. */
export async function keepRecord(record: Record): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  await writeWhole(place.record, `${JSON.stringify(record, null, 2)}\n`);
  const settings = {
    hub: { data_dir: place.hub, api: { port: record.ports.api }, line: { port: record.ports.line } },
    daemon: { data_dir: place.daemon },
    netmon: { socket: join(place.netmon, "netmon.sock") },
    docker: { host: record.engine.host },
  };
  // JSON is YAML.
  const text = `# Made by npm start: the programs of this checkout read it.\n${JSON.stringify(settings, null, 2)}\n`;
  await writeWhole(place.settings, text);
}
