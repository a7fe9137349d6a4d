import { homedir } from "node:os";
import { systemClock } from "../base/clock.ts";
import { invalidField } from "../base/failure.ts";
import { begin } from "../wire/begin.ts";
import type { ProgramOptions } from "../wire/program.ts";
import { openTracing } from "../wire/tracer.ts";
import { version } from "../wire/version.ts";
import { type HubConfig, hubSettings } from "./config.ts";
import { openHub } from "./hub.ts";

/** `orchestrator hub start`: a hub, until it is asked to end. @throws {Failure} why it cannot start or go on. */
export async function run(options: ProgramOptions): Promise<number> {
  const { env, signal } = options;
  const definitions = hubSettings({ env, uid: process.getuid?.() ?? 0, home: homedir() });
  // The state, the keys and the tokens are nobody's business but the hub's own user's.
  process.umask(0o077);
  const begun = await begin("hub", definitions, options);
  if (!begun) return 0;
  const { config, log } = begun;
  checkTogether(config);
  const endpoint = config["traces.endpoint"];
  await using _traces = await openTracing({ program: "hub", endpoint, env, log });
  await using hub = await openHub(config, { clock: systemClock, log });
  log.info({ version, api: hub.api, line: hub.line, data_dir: config["hub.data_dir"] }, "hub is up");
  process.stdout.write(
    `The hub is up. API: https://${hub.api}  line: ${hub.line}  operator token: ${hub.tokenFile}\n`,
  );
  await hub.run(signal);
  log.info("hub stops");
  return 0;
}

/** What no setting can say for itself. */
function checkTogether(config: HubConfig): void {
  const certificate = config["hub.ca.certificate_file"] !== undefined;
  if (certificate !== (config["hub.ca.key_file"] !== undefined)) {
    const [missing, there] = certificate
      ? ["hub.ca.key_file", "hub.ca.certificate_file"]
      : ["hub.ca.certificate_file", "hub.ca.key_file"];
    throw invalidField(missing, `is not set, and ${there} is: an authority is both`);
  }
}
