/** A daemon from the bundle at a scripted hub, for benchmarks. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FakeHub, type HubStream, startFakeHub } from "../test/fakes/hub.ts";
import { tempFolder } from "../test/fixtures/folder.ts";

const bundle = new URL("../dist/orchestrator.js", import.meta.url).pathname;

const unitFile = new URL("../install/systemd/orchestrator-daemon.service", import.meta.url);

/** The flags with which the daemon's unit starts Node: what is measured is what ships. */
export function shippedFlags(): string[] {
  const [, flags = ""] = /^ExecStart=\S+\/node ((?:--\S+ )+)/m.exec(readFileSync(unitFile, "utf8")) ?? [];
  return flags.split(" ").filter((flag) => flag !== "");
}

/** The environment that it gives the daemon. */
export function shippedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Array.from(readFileSync(unitFile, "utf8").matchAll(/^Environment=(\w+)=(.+)$/gm), ([, name, value]) => [
      name,
      value,
    ]),
  );
}

export interface BenchNode extends AsyncDisposable {
  hub: FakeHub;
  dataDir: string;
  /** Starts the daemon, with settings as environment variables, and returns its stream before Hello was answered. */
  start(
    settings?: Record<string, string>,
  ): Promise<{ process: ChildProcess; stream: HubStream; startedAt: number }>;
  stop(): Promise<void>;
  kill9(): Promise<void>;
}

export async function benchNode({ dockerHost }: { dockerHost: string }): Promise<BenchNode> {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder());
  const hub = opened.use(await startFakeHub(join(folder.path, "ca")));
  const dataDir = join(folder.path, "daemon");
  await mkdir(dataDir);
  await writeFile(join(dataDir, "identity.json"), JSON.stringify(hub.identity), { mode: 0o600 });
  let child: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals) => {
    const ended =
      child && child.exitCode === null ? new Promise((resolve) => child?.once("exit", resolve)) : undefined;
    child?.kill(signal);
    await ended;
    child = undefined;
  };
  const stop = () => end("SIGTERM");
  opened.defer(stop);
  const env = {
    ...shippedEnvironment(),
    PATH: process.env.PATH ?? "",
    ORCHESTRATOR_DAEMON_DATA_DIR: dataDir,
    ORCHESTRATOR_DOCKER_HOST: dockerHost,
    ORCHESTRATOR_LOG_LEVEL: "warn",
  };
  const owned = opened.move();
  return {
    ...{ hub, dataDir, stop, kill9: () => end("SIGKILL") },
    async start(settings = {}) {
      const startedAt = performance.now();
      child = spawn(process.execPath, [...shippedFlags(), bundle, "daemon", "start"], {
        env: { ...env, ...settings },
        stdio: ["ignore", "ignore", "inherit"],
      });
      const stream = await hub.nextStream();
      return { process: child, stream, startedAt };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
