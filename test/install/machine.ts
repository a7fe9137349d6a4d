/**
 * A machine to install on: an engine with a network of its own, in which there is nothing but a hub, and no systemd. Programs,
 * state, settings, commands and units go to folders of the test, and the machine under it is left alone.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { packBundle } from "../../tools/bundle.ts";
import { type Engine, startEngine } from "../fixtures/engine.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { type Program, program, type Ran, runOnce } from "../journeys/program.ts";
import { until } from "../journeys/until.ts";

/** The script that this is all about. */
export const installer = new URL("../../install/install.sh", import.meta.url).pathname;

/** The name of the variable by which the test runner says where the bundle of the whole run is. */
export const sharedBundleVariable = "TEST_BUNDLE_OF_THE_RUN";

/** Generous: a node that could not connect for a while waits for up to a minute before it tries again. */
const reconnectMs = 120_000;

/** Not loopback, for which no proxy is asked (RFC 5737). */
const hubAddress = "192.0.2.1";

export interface Machine extends AsyncDisposable {
  engine: Engine;
  hub: Program;
  /** The bundle, packed from the build. */
  bundle: string;
  /** Where the installer puts everything. */
  root: string;
  /** A folder that is no business of the installer. */
  scratch: string;
  /** The hub's address, as a node on the LAN sees it. */
  hubAddress: string;
  /** Runs a command on this machine. `env` goes over the machine's own environment. */
  run(command: string[], env?: Record<string, string>): Promise<Ran>;
  /** Runs install.sh with the machine's folders and these arguments. */
  install(args: string[], env?: Record<string, string>): Promise<Ran>;
  /** Starts the hub and waits until it answers. */
  startHub(): Promise<void>;
  /** A fresh enrolment token. */
  token(): Promise<string>;
  /** What the hub says of its nodes. */
  nodes(): Promise<HubNode[]>;
  /** Waits until the hub sees this node connected; its id. */
  connected(nodeId?: string): Promise<string>;
  /** All files and folders below `root`. */
  files(): string[];
}

export interface HubNode {
  id: string;
  connected?: boolean;
}

export async function makeMachine(): Promise<Machine> {
  await using opened = new AsyncDisposableStack();
  const [root, scratch] = [opened.use(tempFolder()).path, opened.use(tempFolder()).path];
  const engine = opened.use(await startEngine({ name: "install" }));
  for (const folder of ["bin", "units"]) mkdirSync(join(root, folder)); // They belong to the system.
  const bundle = process.env[sharedBundleVariable] ?? join(scratch, "bundle.tar.gz");
  if (!existsSync(bundle)) await packBundle(bundle, { level: 1 });
  const inside = ["ip", "netns", "exec", engine.netns];
  execFileSync("ip", ["-n", engine.netns, "address", "add", `${hubAddress}/32`, "dev", "lo"], {
    stdio: "pipe",
  });
  const hubEnv = {
    ORCHESTRATOR_HUB_DATA_DIR: join(scratch, "hub"),
    ORCHESTRATOR_HUB_LISTEN: "0.0.0.0",
    ORCHESTRATOR_HUB_ADVERTISE: hubAddress,
    ORCHESTRATOR_HUB_BEAT_INTERVAL_MS: "1000",
  };
  const hub = opened.use(program(["hub", "start"], { env: hubEnv, under: inside }));
  const askHub = async (...args: string[]) => {
    const { code, stdout, stderr } = await runOnce(args, { env: hubEnv, under: inside });
    if (code !== 0) throw new Error(`orchestrator ${args.join(" ")} failed: ${stderr}`);
    return stdout;
  };
  const env = {
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    DOCKER_HOST: `unix://${engine.socketPath}`,
    HOME: scratch,
    TMPDIR: scratch,
  };
  const folders = [
    ...["--prefix", join(root, "opt"), "--data", join(root, "var"), "--settings", join(root, "etc")],
    ...["--commands", join(root, "bin"), "--units", join(root, "units")],
  ];
  const running = new Set<ChildProcess>();
  opened.defer(() => {
    for (const child of running) child.kill("SIGKILL"); // What a test that failed has left.
  });
  const owned = opened.move();
  const machine: Machine = {
    ...{ engine, hub, bundle, root, scratch, hubAddress },
    run: (command, extra = {}) =>
      ran([...inside, ...withoutSystemd, ...command], { ...env, ...extra }, running),
    // The script comes by standard input, as from `curl ... | sh`.
    install: (args, extra) =>
      machine.run(["sh", "-c", `exec sh -s -- "$@" <${installer}`, "sh", ...folders, ...args], extra),
    async startHub() {
      hub.start();
      await until("the hub answers", machine.nodes);
    },
    token: async () =>
      (JSON.parse(await askHub("hub", "token", "create", "--json")) as { token: string }).token,
    nodes: async () =>
      (JSON.parse(await askHub("node", "list", "--json")) as { nodes?: HubNode[] }).nodes ?? [],
    connected: (nodeId) =>
      until(
        "the node is connected",
        async () => {
          const nodes = await machine.nodes();
          return nodes.find(({ id, connected }) => connected && (nodeId ?? id) === id)?.id;
        },
        reconnectMs,
      ),
    files: () =>
      globSync("**", { cwd: root })
        .filter((path) => path !== ".")
        .sort(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  return machine;
}

/** A command that finds no trace of the systemd that may run the machine under the test. */
const withoutSystemd = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"];

async function ran(
  [command = "", ...args]: string[],
  env: Record<string, string>,
  running: Set<ChildProcess>,
): Promise<Ran> {
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  running.delete(child);
  return { code: code ?? -1, stdout, stderr };
}
