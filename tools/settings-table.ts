/**
 * Writes the tables of docs/configuration.md out of the programs' own definitions. `node tools/settings-table.ts` brings the
 * page up to date; a test fails when it is not.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { Setting, Settings } from "../src/base/settings.ts";
import { cliSettings } from "../src/cli/config.ts";
import { daemonSettings } from "../src/daemon/config.ts";
import { hubSettings } from "../src/hub/config.ts";
import { netmonSettings } from "../src/netmon/config.ts";
import { logSettings } from "../src/wire/settings.ts";

export const settingsPage = new URL("../docs/configuration.md", import.meta.url).pathname;

/** As for root, whose folders the installation uses. */
const surroundings = { env: {}, uid: 0, home: "/root", cwd: "/" };

const sections: readonly { title: string; settings: Settings }[] = [
  { title: "The hub (`orchestrator hub start`)", settings: withoutLog(hubSettings(surroundings)) },
  { title: "The daemon (`orchestrator daemon start`)", settings: withoutLog(daemonSettings(surroundings)) },
  { title: "Netmon (`orchestrator netmon start`)", settings: withoutLog(netmonSettings(surroundings)) },
  { title: "The CLI (every other command)", settings: cliSettings(surroundings) },
  { title: "Logs (hub, daemon and netmon)", settings: logSettings },
];

/** The page with its tables made anew between its two markers. */
export function withTables(page: string): string {
  const tables = sections.map(({ title, settings }) => `### ${title}\n\n${table(settings)}\n`).join("\n");
  return page.replace(
    /(<!-- settings: begin -->\n).*(<!-- settings: end -->)/s,
    (_, begin: string, end: string) => `${begin}\n${tables}\n${end}`,
  );
}

function withoutLog(settings: Settings): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([key]) => !(key in logSettings)));
}

function table(settings: Settings): string {
  const rows = Object.entries(settings).map(
    ([key, setting]) => `| \`${key}\` | ${inWords(setting)} | ${setting.doc} | ${setting.allowed} |`,
  );
  return ["| setting | default | what it does | allowed |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function inWords({ default: value }: Setting<unknown>): string {
  const isUnset = value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
  return isUnset ? "" : `\`${String(value)}\``;
}

if (import.meta.main) writeFileSync(settingsPage, withTables(readFileSync(settingsPage, "utf8")));
