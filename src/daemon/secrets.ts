import { readFile } from "node:fs/promises";
import type { AgentSpec } from "../../gen/edge/v1/agents_pb.ts";
import type { Clock } from "../base/clock.ts";
import { failure } from "../base/failure.ts";
import type { Logger } from "../base/log.ts";
import type { Sql } from "../base/sql.ts";
import type { Recorder } from "./audit/index.ts";
import type { DaemonConfig } from "./config.ts";
import { CredentialsRoom, keySettingsOf, vaultFolder } from "./credentials/index.ts";
import { Gateway } from "./gateway/index.ts";
import type { Journal } from "./journal/index.ts";
import type { Embed } from "./memory/index.ts";
import type { CellIdentity } from "./sandbox/index.ts";
import { instanceIdOf } from "./wishes/index.ts";

export interface SecretsOptions {
  config: DaemonConfig;
  sql: Sql;
  journal: Journal;
  audit: Recorder;
  clock: Clock;
  log: Logger;
  agents: {
    /** Those whose current manifest names a credential. */
    naming(credential: string): string[];
    /** The manifest of a cell; undefined when its agent is gone. */
    specOf(cell: CellIdentity): AgentSpec | undefined;
    /** The current manifest of an agent. */
    currentOf(agent: string): AgentSpec | undefined;
  };
}

/** Opens the rooms that keep secrets and that use them for agents. @throws {Failure} invalid: the file of CAs cannot be read. */
export async function openSecrets({ config, agents, ...parts }: SecretsOptions) {
  const dataDir = config["daemon.data_dir"];
  const extraCa = await readCa(config["credentials.ca_file"]);
  const room = CredentialsRoom.open({
    ...parts,
    ...{ folder: vaultFolder(dataDir), keys: keySettingsOf(config, dataDir) },
    ...{ lentFolder: config["credentials.lent_folder"], instanceId: instanceIdOf(parts.sql) },
    agentsOf: (name) => agents.naming(name),
  });
  const gateway = Gateway.open({
    ...{ ...parts, extraCa, credentials: room.credentials },
    providers: () => config.llm_providers,
    specOf: (cell) => agents.specOf(cell),
    currentOf: (agent) => agents.currentOf(agent),
  });
  return {
    credentials: room.credentials,
    /** What it puts into cells. */
    lending: room.lending,
    gateway,
    embed: async ({ alias, text, agent, taskId }: Parameters<Embed>[0], signal: AbortSignal) => {
      const [found = []] = await gateway.embed(alias, [text], { agent, taskId }, signal);
      return found;
    },
    run: (signal: AbortSignal) => room.run(signal),
    [Symbol.dispose]() {
      gateway[Symbol.dispose]();
      room[Symbol.dispose]();
    },
  };
}

async function readCa(path: string | undefined): Promise<string[]> {
  if (path === undefined) return [];
  try {
    return [await readFile(path, "utf8")];
  } catch (cause) {
    throw failure("invalid", `credentials.ca_file: ${path} cannot be read`, { cause });
  }
}
