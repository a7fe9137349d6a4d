/** A daemon from the bundle at a scripted hub, for benchmarks. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FakeHub, type HubStream, startFakeHub } from "../test/fakes/hub.ts";
import { tempFolder } from "../test/fixtures/folder.ts";
import { shippedDaemon } from "../tools/measure/shipped.ts";

const bundle = new URL("../dist/orchestrator.js", import.meta.url).pathname;

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
  const shipped = shippedDaemon();
  const env = {
    ...shipped.env,
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
      child = spawn(process.execPath, [...shipped.node, bundle, "daemon", "start"], {
        env: { ...env, ...settings },
        stdio: ["ignore", "ignore", "inherit"],
      });
      const stream = await hub.nextStream();
      return { process: child, stream, startedAt };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
