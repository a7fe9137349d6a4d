import { readFile } from "node:fs/promises";
import { homedir, hostname } from "node:os";
import { text } from "node:stream/consumers";
import { failure } from "../base/failure.ts";
import { programSettings } from "../wire/begin.ts";
import type { ProgramOptions } from "../wire/program.ts";
import { daemonSettings } from "./config.ts";
import { proxyNamesOf } from "./control/index.ts";
import { enrol, expiryOf, identityFile } from "./identity/index.ts";

/** Flags of its own, beside the daemon's settings. */
type OwnFlag = "token" | "token-file" | "force";

/** `orchestrator daemon enroll`: exchanges a token for an identity, or says which one this node has. */
export async function run({ flags, env, file, json, signal }: ProgramOptions): Promise<number> {
  const {
    token,
    "token-file": tokenFile,
    force,
    ...settings
  } = flags as typeof flags & Record<OwnFlag, string>;
  const surroundings = { env, uid: process.getuid?.() ?? 0, home: homedir() };
  const { values } = await programSettings(daemonSettings(surroundings), {
    ...{ flags: settings, env },
    ...(file !== undefined && { file }),
  });
  const dataDir = values["daemon.data_dir"];
  const { identity, kept } = await enrol({
    dataDir,
    token: () => readToken(token, tokenFile),
    hostName: hostname(),
    proxy: proxyNamesOf(values, env),
    force: force === "true",
    signal,
  });
  const expiresAt = new Date(expiryOf(identity)).toISOString();
  if (json) {
    const { nodeId, lineAddresses } = identity;
    process.stdout.write(`${JSON.stringify({ nodeId, lineAddresses, kept, expiresAt })}\n`);
    return 0;
  }
  process.stdout.write(
    kept
      ? `this node is enrolled already as ${identity.nodeId} and keeps its identity; --force makes a new one\n`
      : `this node is enrolled as ${identity.nodeId}\n`,
  );
  process.stdout.write(`  line       ${identity.lineAddresses.join(", ")}\n`);
  process.stdout.write(`  identity   ${identityFile(dataDir)}, good until ${expiresAt}\n`);
  if (!kept && force === "true") process.stdout.write("  next       restart the daemon if its line is up\n");
  return 0;
}

/** The token of `--token`, or of the file of `--token-file`; `-` is standard input, which no process list shows. */
async function readToken(token: string | undefined, file: string | undefined): Promise<string> {
  if (token === "-" || file === "-") return await text(process.stdin);
  if (token !== undefined) return token;
  if (file === undefined) {
    throw failure(
      "invalid",
      "an enrolment token is needed: make one on the hub with `orchestrator hub token create`, then give it with --token or --token-file (`-` reads standard input)",
    );
  }
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw failure(
      "invalid",
      `the token file ${file} cannot be read: check that it is there, its owner and its mode`,
      { cause },
    );
  }
}
