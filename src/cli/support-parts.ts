import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { version as kernelVersion, machine, release } from "node:os";
import { promisify } from "node:util";
import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { parse } from "yaml";
import { type AgentSpec, ListAgentsResponseSchema } from "../../gen/edge/v1/agents_pb.ts";
import { ListEventsResponseSchema } from "../../gen/edge/v1/events_pb.ts";
import { GetNetworkResponseSchema, WatchAttachmentsResponseSchema } from "../../gen/edge/v1/netmon_pb.ts";
import { GetNodeResponseSchema } from "../../gen/edge/v1/node_pb.ts";
import { ListRuntimesResponseSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { ListTasksResponseSchema } from "../../gen/edge/v1/tasks_pb.ts";
import { failure } from "../base/failure.ts";
import { version } from "../wire/version.ts";
import { findSettingsFile } from "./config.ts";
import {
  askEngine,
  environmentOf,
  hostOfEngine,
  processes,
  startedAs,
  withSystemPath,
} from "./doctor/index.ts";
import { examine } from "./doctor.ts";
import { askDaemon, atLocalDoor } from "./doctor-doors.ts";
import { type Door, withDoor } from "./door.ts";
import { explain } from "./explain.ts";
import { connectToNetmon, findNetmon } from "./netmon.ts";
import type { Run } from "./run.ts";

/** One file of a bundle: what it is, and how its content is had. Texts are redacted by shape, values by name, too. */
export interface Part {
  name: string;
  collect(signal: AbortSignal): Promise<unknown>;
}

const execute = promisify(execFile);
const lastLines = "2000";
const lastEvents = 1_000;
const lastTasks = 200;
/** More than so much of a program's output is not read, in bytes. */
const maxOutputBytes = 4 << 20;

/** Everything that a bundle tries to have. Databases, identities, keys and what runtimes write are not among it. */
export function supportParts(
  run: Run,
  { offline, netmonSocket }: { offline: boolean; netmonSocket?: string },
): Part[] {
  const local = (name: string, collect: (door: Door) => Promise<unknown>): Part => ({
    name,
    collect: (signal) => withDoor(atLocalDoor(run, signal), collect),
  });
  return [
    { name: "doctor.json", collect: () => examine(run, { offline, ...(netmonSocket && { netmonSocket }) }) },
    { name: "versions.json", collect: async () => versions() },
    { name: "kernel.txt", collect: () => readAll(kernelFiles) },
    { name: "config.json", collect: () => readConfig(run) },
    { name: "environment.json", collect: () => readEnvironments() },
    local("node.json", async (door) => asJson(GetNodeResponseSchema, await door.ask("getNode", {}))),
    local("runtimes.json", async (door) =>
      asJson(ListRuntimesResponseSchema, await door.ask("listRuntimes", {})),
    ),
    local("agents.json", async (door) => {
      const response = await door.ask("listAgents", {});
      for (const { current } of response.agents) leaveOutPrograms(current?.spec);
      return asJson(ListAgentsResponseSchema, response);
    }),
    local("tasks.json", async (door) => {
      const newest = { agent: "", states: [], parentId: "", limit: lastTasks, beforeId: "" };
      return asJson(ListTasksResponseSchema, await door.ask("listTasks", newest));
    }),
    { name: "network.json", collect: (signal) => askNetwork(run, netmonSocket, signal) },
    { name: "vnics.json", collect: (signal) => askAttachments(run, netmonSocket, signal) },
    local("events.json", async (door) => {
      const request = { afterSequence: 0n, limit: lastEvents, runtime: "", agent: "" };
      return asJson(ListEventsResponseSchema, await door.ask("listEvents", request));
    }),
    { name: "engine.json", collect: (signal) => askEngineInfo(run, signal) },
    ...["daemon", "netmon"].map((program) => ({
      name: `logs/${program}.log`,
      collect: (signal: AbortSignal) => readLog(`orchestrator-${program}`, run.env, signal),
    })),
  ];
}

/** What an agent is, without the text of its program and what it is given: those are its owner's. */
function leaveOutPrograms(spec: AgentSpec | undefined): void {
  if (!spec) return;
  if (spec.script !== "") spec.script = `${Buffer.byteLength(spec.script)} bytes were left out`;
  if (spec.schedule) spec.schedule.input = new Uint8Array();
}

function versions() {
  return {
    orchestrator: version,
    node: process.version,
    kernel: release(),
    build: kernelVersion(),
    machine: machine(),
  };
}

const kernelFiles = ["version", "cmdline", "meminfo", "loadavg", "modules", "net/dev"].map(
  (one) => `/proc/${one}`,
);

/** Files one after another, each under its name; one that is not there says so. */
async function readAll(paths: readonly string[]): Promise<string> {
  const texts = await Promise.all(
    [...paths, "/etc/os-release"].map(async (path) => {
      const text = await readFile(path, "utf8").catch(() => "not readable\n");
      return `== ${path}\n${text}`;
    }),
  );
  return texts.join("\n");
}

async function readConfig(run: Run): Promise<unknown> {
  const path = await findSettingsFile(run.flags.config, run);
  if (path === undefined) throw failure("not_found", "there is no settings file: all is as usual");
  try {
    return { path, settings: parse(await readFile(path, "utf8")) as unknown };
  } catch (cause) {
    throw failure("invalid", `${path} cannot be read as YAML`, { cause });
  }
}

/** What the running programs were told by variables of ours. */
async function readEnvironments(): Promise<unknown> {
  const all = await processes();
  const found: Record<string, unknown> = {};
  for (const program of ["daemon", "netmon"]) {
    const process = startedAs(all, program);
    if (!process) continue;
    const variables = Object.entries(await environmentOf(process.pid));
    found[program] = Object.fromEntries(variables.filter(([name]) => /^ORCHESTRATOR_|proxy$/i.test(name)));
  }
  if (Object.keys(found).length === 0) throw failure("not_found", "neither daemon nor netmon is seen to run");
  return found;
}

async function askNetwork(run: Run, socket: string | undefined, signal: AbortSignal): Promise<unknown> {
  const where = await findNetmon(run, socket);
  using netmon = connectToNetmon(where);
  const answer = netmon.client.getNetwork({}, { signal }).catch(saying(where));
  return asJson(GetNetworkResponseSchema, await answer);
}

/** The first that a watcher is told: all attachments, and the events that are kept. */
async function askAttachments(run: Run, socket: string | undefined, signal: AbortSignal): Promise<unknown> {
  const where = await findNetmon(run, socket);
  using netmon = connectToNetmon(where);
  try {
    for await (const told of netmon.client.watchAttachments({ afterSequence: 0n }, { signal })) {
      return asJson(WatchAttachmentsResponseSchema, told);
    }
  } catch (thrown) {
    saying(where)(thrown);
  }
  throw failure("unavailable", `netmon at ${where} said nothing`);
}

function saying(where: string): (thrown: unknown) => never {
  return (thrown) => {
    throw explain(thrown, { kind: "netmon", where });
  };
}

async function askEngineInfo(run: Run, signal: AbortSignal): Promise<unknown> {
  const node = await askDaemon(run, signal).catch(() => undefined);
  const host = await hostOfEngine(run.env, node?.engine?.host);
  const [version, info] = await Promise.all(
    ["/version", "/info"].map((path) => askEngine(host, path, signal)),
  );
  return { host, version, info };
}

/** The last lines of a program's log: from systemd's journal, else from its container. */
async function readLog(name: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  const options = { signal, maxBuffer: maxOutputBytes, env: { ...env, ...withSystemPath(env) } };
  const ways: [program: string, args: string[]][] = [
    ["journalctl", ["--unit", name, "--lines", lastLines, "--no-pager", "--quiet", "--output", "short-iso"]],
    ["docker", ["logs", "--tail", lastLines, "--timestamps", name]],
  ];
  for (const [program, args] of ways) {
    const said = await execute(program, args, options).catch(() => ({ stdout: "", stderr: "" }));
    if (said.stdout !== "" || said.stderr !== "") return said.stdout + said.stderr;
  }
  throw failure("not_found", `neither the journal nor a container ${name} has a log`);
}

function asJson<D extends DescMessage>(schema: D, message: MessageShape<D>): unknown {
  return toJson(schema, message, { alwaysEmitImplicit: true });
}
