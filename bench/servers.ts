/** The two servers that a fleet is measured with: the hub that ships, and the floor. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openAuthority } from "../src/hub/enrolment/index.ts";
import type { HubDoor } from "../tools/fleet/door.ts";
import { ownHub } from "../tools/fleet/own-hub.ts";
import { shippedHub } from "../tools/measure/shipped.ts";

export interface Server extends AsyncDisposable {
  readonly pid: number;
  port: number;
  rootPem: string;
  authorityFolder: string;
  /** Starts it; returns when it takes connections. */
  start(): Promise<void>;
  kill9(): Promise<void>;
  /** Tells a server that does not know it by itself how often it is to beat. */
  beatEvery(ms: number): void;
  /** Where operators ask; absent where nobody answers. */
  door?(): Promise<HubDoor>;
}

/** The floor has the same. */
const shipped = shippedHub();

const bundle = new URL("../dist/orchestrator.js", import.meta.url).pathname;
const floor = new URL("floor.ts", import.meta.url).pathname;

export async function hubServer(
  folder: string,
  nodes: number,
  node: readonly string[] = [],
): Promise<Server> {
  const { env } = shipped;
  const hub = await ownHub({ folder, nodes, entry: bundle, node: [...shipped.node, ...node], env });
  return {
    ...{ port: hub.linePort, rootPem: hub.caPem, authorityFolder: hub.authorityFolder },
    get pid() {
      return hub.program.pid;
    },
    start: () => hub.start(),
    kill9: () => hub.program.kill9(),
    beatEvery: () => {},
    door: () => hub.door(),
    [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose](),
  };
}

/** On the authority of a hub, so that both are dialled with the same certificates. */
export async function floorServer(folder: string): Promise<Server> {
  const authorityFolder = join(folder, "ca");
  const { rootPem } = await openAuthority({ folder: authorityFolder, trustDomain: "", now: Date.now });
  let child: ChildProcess | undefined;
  const kill9 = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  const server: Server = {
    ...{ port: 0, rootPem, authorityFolder, kill9 },
    get pid() {
      return child?.pid ?? 0;
    },
    async start() {
      child = fork(floor, [authorityFolder, String(server.port)], {
        ...{ execArgv: shipped.node, env: { ...process.env, ...shipped.env } },
        stdio: ["ignore", "pipe", "inherit", "ipc"],
      });
      if (!child.stdout) throw new Error("the floor tells nothing");
      const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
      server.port = Number(line);
    },
    beatEvery: (beatMs) => void child?.send({ beatMs }),
    [Symbol.asyncDispose]: kill9,
  };
  return server;
}
