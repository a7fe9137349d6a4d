/** A hub, a node and an engine as real programs, for journeys: whole stories told as steps. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type Docker from "dockerode";
import { Fleet, type WatchEventsResponse } from "../../gen/edge/v1/fleet_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { type EngineAddress, startEngine } from "../fixtures/engine.ts";
import { type Folder, tempFolder } from "../fixtures/folder.ts";
import { idleImage } from "../fixtures/images.ts";
import { freePort } from "../fixtures/port.ts";
import { type Program, type ProgramOptions, program, type Ran, runOnce, seeing } from "./program.ts";
import { until } from "./until.ts";

export interface World extends AsyncDisposable {
  folder: string;
  engine: EngineAddress;
  docker: Docker;
  /** A small image that the engine has. */
  image: string;
  hub: Program;
  daemon: Program;
  env: Record<string, string>;
  apiPort: number;
  linePort: number;
  localSocket: string;
  /** Runs `orchestrator ...` in this world. */
  cli(...args: string[]): Promise<Ran>;
  /** Starts the hub and waits until it answers. */
  startHub(): Promise<void>;
  /** Enrols the node with a token of the hub. */
  enrol(): Promise<string>;
  /** Starts the daemon and waits until its local socket answers. */
  startDaemon(): Promise<void>;
  /** Waits until the daemon that runs now and the hub that runs now both say that the node is connected. */
  connected(): Promise<void>;
  fleet(token?: string): Client<typeof Fleet>;
  /** The node's services through the hub; with the admin's token, if no other is given. */
  remote<S extends DescService>(service: S, token?: string): Client<S>;
  /** The node's services over its local socket. */
  local<S extends DescService>(service: S): Client<S>;
  /** All events that the hub has. */
  events(): Promise<WatchEventsResponse[]>;
  /** The engine's objects that belong to a runtime of this world. */
  objects(runtime: string): Promise<{ containers: string[]; networks: string[]; volumes: string[] }>;
  nodeId: string;
  adminToken(): string;
  caFile: string;
}

export interface WorldOptions {
  /** Settings as environment variables, over the world's own. */
  env?: Record<string, string>;
  /** An engine that several worlds of one test share; else the world has its own. */
  engine?: EngineAddress;
  /** Hub and daemon are in the engine's network namespace, whose loopback a test may hurt. */
  inNetworkOfEngine?: boolean;
  /** Files that they see there in place of those of the machine, by path. */
  instead?: Readonly<Record<string, string>>;
  /** What is run: the programs of this checkout, if nothing else is given. */
  entry?: string;
  /** What one of the programs has for itself: words for Node, and settings over the world's. */
  own?: { hub?: Own; daemon?: Own };
}

type Own = Pick<ProgramOptions, "node" | "env">;

/** Generous: a node that could not connect for a while waits for up to a minute before it tries again. */
const reconnectMs = 120_000;

/** Makes a world. Nothing runs yet but the engine. */
export async function makeWorld({
  env: extra = {},
  engine: given,
  entry,
  inNetworkOfEngine = false,
  instead = {},
  own = {},
}: WorldOptions = {}): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const folder: Folder = opened.use(tempFolder());
  const engine = given ?? opened.use(await startEngine({ name: "journey" }));
  const image = await idleImage(engine);
  const [apiPort, linePort] = [await freePort(), await freePort()];
  const hubDir = join(folder.path, "hub");
  const daemonDir = join(folder.path, "daemon");
  const env = {
    ORCHESTRATOR_HUB_DATA_DIR: hubDir,
    ORCHESTRATOR_HUB_API_PORT: String(apiPort),
    ORCHESTRATOR_HUB_LINE_PORT: String(linePort),
    ORCHESTRATOR_HUB_BEAT_INTERVAL_MS: "1000",
    ORCHESTRATOR_DAEMON_DATA_DIR: daemonDir,
    ORCHESTRATOR_DOCKER_HOST: `unix://${engine.socketPath}`,
    ORCHESTRATOR_LOG_FORMAT: "json",
    ...extra,
  };
  const under = inNetworkOfEngine ? ["nsenter", `--net=/run/netns/${engine.netns}`, ...seeing(instead)] : [];
  const run = { env, under, ...(entry !== undefined && { entry }) };
  // Without settings of its own, a program has the world's as they are when it starts: a test may change them meanwhile.
  const ownRun = (one?: Own) => (one ? { ...run, ...one, env: { ...env, ...one.env } } : run);
  const hub = opened.use(program(["hub", "start"], ownRun(own.hub)));
  const daemon = opened.use(program(["daemon", "start"], ownRun(own.daemon)));
  const localSocket = join(daemonDir, "daemon.sock");
  const caFile = join(hubDir, "ca", "roots.pem");
  const adminToken = () => readFileSync(join(hubDir, "admin.token"), "utf8").trim();
  const apiSocket = inNetworkOfEngine ? opened.use(portOutside(under, apiPort, folder.path)).path : undefined;
  const transport = (headers: Record<string, string>, token = adminToken()): Transport =>
    createGrpcTransport({
      baseUrl: `https://127.0.0.1:${apiPort}`,
      nodeOptions: tlsOptions(readFileSync(caFile), apiSocket),
      interceptors: [withHeaders({ authorization: `Bearer ${token}`, ...headers })],
    });

  const owned = opened.move();
  const world: World = {
    ...{
      folder: folder.path,
      engine,
      docker: engine.docker,
      image,
      hub,
      daemon,
      env,
      apiPort,
      linePort,
      localSocket,
    },
    ...{ adminToken, caFile, nodeId: "" },
    cli: (...args) => runOnce(args, run),
    async startHub() {
      hub.start();
      await until(
        `the hub answers:\n${hub.output()}`,
        async () => existsSync(caFile) && (await world.fleet().getHub({})),
      );
    },
    async enrol() {
      const { token } = await world.fleet().createEnrolmentToken({});
      const ran = await world.cli("daemon", "enroll", "--token", token);
      if (ran.code !== 0) throw new Error(`enrolment failed with ${ran.code}: ${ran.stderr}`);
      const [node] = (await world.fleet().listNodes({})).nodes;
      world.nodeId = node?.id ?? "";
      return world.nodeId;
    },
    async startDaemon() {
      daemon.start();
      await until("the daemon answers on its socket", () => world.local(Node).getNode({}));
    },
    async connected() {
      const isConnected = async () => {
        // The node first: a hub may not have seen yet that the line of a former daemon is gone.
        if (!(await world.local(Node).getNode({})).connected) return false;
        const { nodes } = await world.fleet().listNodes({});
        return nodes.some(({ id, connected }) => id === world.nodeId && connected);
      };
      await until("the node is connected", isConnected, reconnectMs);
    },
    fleet: (token) => createClient(Fleet, transport({}, token)),
    remote: (service, token) => createClient(service, transport({ "edge-node": world.nodeId }, token)),
    local: (service) => serviceAt(localSocket, service),
    async events() {
      const all: WatchEventsResponse[] = [];
      for await (const one of world.fleet().watchEvents({ last: 10_000, stopWhenCaughtUp: true }))
        all.push(one);
      return all;
    },
    objects: (runtime) => objectsOf(engine.docker, runtime),
    async [Symbol.asyncDispose]() {
      await Promise.all([daemon.kill9(), hub.kill9()]);
      await owned.disposeAsync();
    },
  };
  return world;
}

/** A world whose hub and daemon run and are connected. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const world = await makeWorld(options);
  try {
    await world.startHub();
    await world.enrol();
    await world.startDaemon();
    await world.connected();
    return world;
  } catch (thrown) {
    const told = `hub:\n${world.hub.output().slice(-2000)}\ndaemon:\n${world.daemon.output().slice(-2000)}`;
    await world[Symbol.asyncDispose]();
    throw new Error(`the world did not start\n${told}`, { cause: thrown });
  }
}

function withHeaders(headers: Record<string, string>): Interceptor {
  return (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
}

/** A service on a unix socket. */
export function serviceAt<S extends DescService>(path: string, service: S): Client<S> {
  return createClient(service, socketTransport(path));
}

export function socketTransport(path: string): Transport {
  return createGrpcTransport({
    baseUrl: "http://localhost",
    nodeOptions: { createConnection: () => connect(path) },
  });
}

async function objectsOf(docker: Docker, runtime: string) {
  const filters = { label: [`edge.runtime=${runtime}`] };
  const [containers, networks, volumes] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return {
    containers: containers.map((one) => one.Id),
    networks: networks.map((one) => one.Name),
    volumes: volumes.Volumes.map((one) => one.Name),
  };
}

/** How a client of the hub's API connects: directly, or by a socket that leads to it. */
function tlsOptions(ca: Buffer, socketPath: string | undefined) {
  if (socketPath === undefined) return { ca };
  const through = { ca, host: "127.0.0.1", ALPNProtocols: ["h2"] };
  return { createConnection: () => connectTls({ ...through, socket: connect(socketPath) }) };
}

/** A socket in a folder that leads to a port in another network namespace. */
function portOutside(under: readonly string[], port: number, folder: string): Disposable & { path: string } {
  const path = join(folder, "api.sock");
  const [command = "", ...enter] = under;
  const ways = [`UNIX-LISTEN:${path},fork`, `TCP:127.0.0.1:${port}`];
  const relay = spawn(command, [...enter, "socat", ...ways], { stdio: "ignore" });
  return { path, [Symbol.dispose]: () => void relay.kill("SIGKILL") };
}
