import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Failure, failure } from "../base/failure.ts";
import { systemCode } from "../base/system-code.ts";
import { loadCliSettings } from "./config.ts";
import type { Run } from "./run.ts";

/** What is needed to reach a door. */
export interface Place {
  kind: "hub" | "local";
  where: string;
  token?: string;
  ca?: Buffer;
  caFile?: string | undefined;
}

/**
 * The place that flags and settings name; without any, the hub of this machine.
 * @throws {Failure} saying what is missing and how to name it.
 */
export async function findPlace(run: Run): Promise<Place> {
  const { flags, cwd } = run;
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(cwd, path));
  const given = {
    "hub-url": flags.hub,
    "hub-token-file": absolute(flags.tokenFile),
    "hub-ca-file": absolute(flags.caFile),
    "daemon-socket": absolute(flags.socket),
  };
  const settings = await loadCliSettings(given, flags.config, run);
  if (flags.local || flags.socket !== undefined) {
    const where = settings["daemon.socket"] ?? join(settings["daemon.data_dir"], "daemon.sock");
    return { kind: "local", where };
  }
  const url = settings["hub.url"];
  const folder = settings["hub.data_dir"];
  // Files of this machine's hub are offered to no other hub.
  const ownToken = url === undefined ? join(folder, "admin.token") : undefined;
  const ownCa = url === undefined ? ownRoots(join(folder, "ca")) : undefined;
  const tokenFile = settings["hub.token_file"] ?? ownToken;
  const caFile = settings["hub.ca_file"] ?? ownCa;
  if (tokenFile === undefined) {
    throw failure(
      "denied",
      `no operator token for ${url}: name its file with --token-file or hub.token_file`,
    );
  }
  const noHub = tokenFile === ownToken ? noHubHere(folder) : undefined;
  const token = (await readSecret(tokenFile, "operator token", noHub)).toString("utf8").trim();
  // A token travels in a header; what is none would break the request with a sentence of its own.
  if (!/^[\x21-\x7e]{1,512}$/.test(token)) {
    throw failure("invalid", `${tokenFile} does not hold an operator token: it must be one word on one line`);
  }
  const ca = caFile === undefined ? undefined : await readSecret(caFile, "CA certificate", undefined);
  const where = url?.replace(/\/+$/, "") ?? `https://127.0.0.1:${settings["hub.api.port"]}`;
  return { kind: "hub", where, token, ...(ca && { ca }), caFile };
}

/** Where the hub of this machine says what is trusted; one that was never started has only what it was made with. */
function ownRoots(folder: string): string {
  const roots = join(folder, "roots.pem");
  return existsSync(roots) ? roots : join(folder, "ca.pem");
}

function noHubHere(folder: string): Failure {
  return failure(
    "unavailable",
    `no hub is named and none keeps its state in ${folder}: name one with --hub and --token-file, or use --local on a node`,
  );
}

async function readSecret(path: string, what: string, missing: Failure | undefined): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "EACCES") {
      throw failure("denied", `the ${what} in ${path} may not be read by this user`, { cause });
    }
    if (code === "ENOENT")
      throw missing ?? failure("not_found", `the file ${path} (${what}) is not there`, { cause });
    throw failure("invalid", `the ${what} in ${path} cannot be read`, { cause });
  }
}
