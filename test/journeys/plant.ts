/** A node in a plant: an engine, netmon and the daemon as real programs in one network, whose NICs are plugged into LANs. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { NetMon } from "../../gen/edge/v1/netmon_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimeProfile, type RuntimeSpecSchema, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import {
  type VnicPhase,
  VnicPhaseSchema,
  type VnicSchema,
  type VnicStatus,
} from "../../gen/edge/v1/vnics_pb.ts";
import { type Engine, startEngine } from "../fixtures/engine.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { idleImage, scriptImage } from "../fixtures/images.ts";
import type { Cable, Lan } from "../fixtures/lan.ts";
import { type Program, program, type Ran, runOnce } from "./program.ts";
import { until } from "./until.ts";
import { serviceAt, socketTransport } from "./world.ts";

type VnicInit = MessageInitShape<typeof VnicSchema>;
type SpecInit = Omit<Exclude<MessageInitShape<typeof RuntimeSpecSchema>, { $typeName: string }>, "vnics">;

export interface Plant extends AsyncDisposable {
  engine: Engine;
  /** A program that runs until it is told to end. */
  image: string;
  /** A program that does what `DO` says. */
  script: string;
  daemon: Program;
  netmon: Program;
  netmonClient: Client<typeof NetMon>;
  runtimes: Client<typeof Runtimes>;
  env: Record<string, string>;
  startDaemon(): Promise<void>;
  startNetmon(): Promise<void>;
  /** Gives the node a NIC that is plugged into a LAN, and the address that the node itself has there. */
  nic(name: string, lan: Lan, options?: { host?: number; mac?: string }): Cable;
  /** Gives the node another address, as its own DHCP client would: the given host of the LAN, and its router as the gateway. */
  readdress(nic: string, lan: Lan, host: number): void;
  /** Runs ip(8) in the node's network, with arguments as people write them. */
  ip(...commands: string[]): void;
  /** Runs a program in the node's network. */
  exec(command: string, ...args: string[]): string;
  /** Creates a runtime with vNICs. */
  create(name: string, vnics: VnicInit[], more?: SpecInit): Promise<VnicStatus[]>;
  /** What one vNIC is now. */
  vnic(runtime: string, name?: string): Promise<VnicStatus>;
  /** Waits until a vNIC is in a phase, and with an address if one is given. */
  vnicIs(runtime: string, phase: VnicPhase, address?: string, name?: string): Promise<VnicStatus>;
  /** Runs a program in the network of a runtime. */
  inside(runtime: string, command: string, ...args: string[]): Promise<string>;
  /** The kernel's index of a vNIC's link: another one when it was made anew. */
  linkOf(runtime: string, name?: string): Promise<number>;
  /** The process of a runtime's container. */
  pidOf(runtime: string): Promise<number>;
  /** The start of a runtime's container, by the engine. */
  startedAt(runtime: string): Promise<string>;
  /** Runs `orchestrator ...` on this node. */
  cli(...args: string[]): Promise<Ran>;
}

export interface PlantOptions {
  /** Settings as environment variables, over the plant's own. */
  env?: Record<string, string>;
  /** What is run: the programs of this checkout, if nothing else is given. */
  entry?: string;
}

/** The node runs; it has no NIC yet. */
export async function openPlant({ env: extra = {}, entry }: PlantOptions = {}): Promise<Plant> {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder());
  const engine = opened.use(await startEngine({ name: "plant" }));
  const [image, script] = [await idleImage(engine), await scriptImage(engine)];
  const [socket, netmonSocket] = [join(folder.path, "daemon.sock"), join(folder.path, "netmon.sock")];
  const env = {
    ORCHESTRATOR_DAEMON_DATA_DIR: folder.path,
    ORCHESTRATOR_DAEMON_SOCKET: socket,
    ORCHESTRATOR_DOCKER_HOST: `unix://${engine.socketPath}`,
    ORCHESTRATOR_LOG_FORMAT: "json",
    ORCHESTRATOR_NETMON_DATA_DIR: join(folder.path, "netmon"),
    ORCHESTRATOR_NETMON_SOCKET: netmonSocket,
    ORCHESTRATOR_NETMON_SETTLE_MS: "100",
    ...extra,
  };
  const under = ["nsenter", `--net=/run/netns/${engine.netns}`];
  const run = { env, under, ...(entry !== undefined && { entry }) };
  const [netmon, daemon] = [
    opened.use(program(["netmon", "start"], run)),
    opened.use(program(["daemon", "start"], run)),
  ];
  const netmonClient = createClient(NetMon, socketTransport(netmonSocket));
  const runtimes = serviceAt(socket, Runtimes);
  const node = serviceAt(socket, Node);
  const exec = (command: string, ...args: string[]) =>
    execFileSync("nsenter", [`--net=/run/netns/${engine.netns}`, command, ...args], { encoding: "utf8" });
  const ip = (...commands: string[]) => {
    for (const command of commands) exec("ip", ...command.split(" "));
  };
  const runtimeOf = async (name: string) => (await runtimes.getRuntime({ name })).runtime;
  const container = async (runtime: string) =>
    engine.docker.getContainer((await runtimeOf(runtime))?.containerId ?? "").inspect();
  const vnic = async (runtime: string, name = "lan0") => {
    const found = (await runtimeOf(runtime))?.vnics.find((one) => one.name === name);
    if (!found) throw new Error(`runtime ${runtime} tells of no vNIC ${name}`);
    return found;
  };

  const plant: Omit<Plant, typeof Symbol.asyncDispose> = {
    ...{ engine, image, script, daemon, netmon, netmonClient, runtimes, env, ip, exec, vnic },
    async startDaemon() {
      daemon.start();
      await until("the daemon answers", () => node.getNode({}));
    },
    async startNetmon() {
      netmon.start();
      await until("netmon answers", async () => (await netmonClient.getNetwork({})).picture);
    },
    nic(name, lan, { host, mac } = {}) {
      const cable = lan.attach(engine.netns, name, { ...(mac && { mac }) });
      if (host !== undefined) plant.readdress(name, lan, host);
      return cable;
    },
    readdress(nic, lan, host) {
      const prefix = lan.subnet.split("/")[1] ?? "24";
      ip(`address flush dev ${nic} scope global`, `address add ${lan.at(host)}/${prefix} dev ${nic}`);
      ip(`route replace default via ${lan.router} dev ${nic}`);
    },
    async create(name, vnics, more = {}) {
      const spec = { name, image, profile: RuntimeProfile.PLAIN, ...more, vnics };
      const { runtime } = await runtimes.createRuntime({ spec });
      return runtime?.vnics ?? [];
    },
    async vnicIs(runtime, phase, address, name = "lan0") {
      let last: VnicStatus | undefined;
      try {
        return await until(
          `vNIC ${name} of ${runtime} is ${nameOf(phase)}, ${address ?? "any address"}`,
          async () => {
            last = await vnic(runtime, name);
            return (
              last.phase === phase && (address === undefined || last.addresses.includes(address)) && last
            );
          },
        );
      } catch (cause) {
        const netmonSaid = netmon.output().slice(-4000);
        throw new Error(
          `it is ${nameOf(last?.phase ?? 0)} with ${last?.addresses.join(", ")}: ${last?.reason}\nnetmon:\n${netmonSaid}`,
          { cause },
        );
      }
    },
    async inside(runtime, command, ...args) {
      const pid = await plant.pidOf(runtime);
      return execFileSync("nsenter", [`--net=/proc/${pid}/ns/net`, command, ...args], {
        encoding: "utf8",
      });
    },
    async linkOf(runtime, name = "lan0") {
      const [link] = JSON.parse(await plant.inside(runtime, "ip", "-json", "link", "show", name)) as {
        ifindex: number;
      }[];
      return link?.ifindex ?? 0;
    },
    pidOf: async (runtime) => (await container(runtime)).State.Pid,
    startedAt: async (runtime) => (await container(runtime)).State.StartedAt,
    cli: (...args) => runOnce(args, run),
  };
  await plant.startNetmon();
  await plant.startDaemon();
  const owned = opened.move();
  return { ...plant, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function nameOf(phase: VnicPhase): string {
  return VnicPhaseSchema.value[phase]?.localName ?? String(phase);
}
