import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import type Docker from "dockerode";
import { engineAt, whyNoAnswer } from "./ask-engine.ts";
import { ownHost, startOwnEngine } from "./own-engine.ts";
import { checkout, type Record } from "./place.ts";
import { type Say, Trouble } from "./say.ts";

const machineHost = "unix:///var/run/docker.sock";

/** An engine that answers. */
export interface Engine {
  host: string;
  isOurs: boolean;
  docker: Docker;
}

/**
 * The engine of an earlier start, or the machine's, or one of our own (at once with `own`); it answers.
 * @throws {Trouble} with the fix.
 */
export async function ensureEngine(
  kept: Record["engine"] | undefined,
  own: boolean,
  say: Say,
): Promise<Engine> {
  if (kept ? kept.isOurs : own) return await ownEngine(say);
  const asked = kept?.host ?? process.env.DOCKER_HOST;
  const host = asked ?? machineHost;
  const docker = engineAt(host);
  const problem = await whyNoAnswer(host);
  if (problem === undefined) {
    const { Version: version } = await docker.version();
    say(
      `Docker ${version} answers at ${host}; what npm start makes in it carries labels, and nothing else is touched`,
    );
    return { host, isOurs: false, docker };
  }
  if (asked !== undefined) {
    const why = kept ? "which the last npm start used" : "which DOCKER_HOST names";
    const fix = kept ? "start it, or begin anew with npm run clean" : "start it, or unset DOCKER_HOST";
    throw new Trouble(`no engine answers at ${host}, ${why} (${problem}): ${fix}`);
  }
  if (problem === "EACCES") {
    throw new Trouble(
      `a Docker engine is at ${host}, but this user may not use it: run npm start as root, or join the group docker (usermod -aG docker $USER, then log in again)`,
    );
  }
  say(`no engine answers at ${host} (${problem})`);
  return await ownEngine(say);
}

async function ownEngine(say: Say): Promise<Engine> {
  if (process.getuid?.() !== 0) {
    throw new Trouble(
      "there is no Docker engine that this user can use, and only root can start one: run npm start as root, install Docker (https://docs.docker.com/engine/install/), or name an engine with DOCKER_HOST",
    );
  }
  if (!(await isInstalled("dockerd"))) await install(say);
  const docker = engineAt(ownHost);
  await startOwnEngine(say);
  const { Version: version } = await docker.version();
  say(`Docker ${version} answers at ${ownHost}`);
  return { host: ownHost, isOurs: true, docker };
}

async function install(say: Say): Promise<void> {
  say("installing Docker from the distribution (package docker.io); this takes a minute");
  try {
    await promisify(execFile)("sh", [join(checkout, "tools/setup.sh"), "--engine"]);
  } catch (thrown) {
    const told =
      thrown instanceof Error && "stderr" in thrown ? String(thrown.stderr).trim() : String(thrown);
    throw new Trouble(
      `no container engine could be installed. ${told}\nInstall Docker (https://docs.docker.com/engine/install/), then run npm start again`,
    );
  }
}

async function isInstalled(program: string): Promise<boolean> {
  const folders = (process.env.PATH ?? "").split(delimiter).concat("/usr/sbin", "/sbin");
  const found = await Promise.allSettled(folders.map((folder) => access(join(folder, program))));
  return found.some((one) => one.status === "fulfilled");
}
