/** An engine with a way out to an Internet of the test's own, netmon, and the daemon's egress room: all but the tasks. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { NetMon } from "../../../gen/edge/v1/netmon_pb.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { busyboxImage } from "../../fixtures/images.ts";
import { openInternet } from "../../fixtures/internet.ts";
import { program } from "../../journeys/program.ts";
import { until } from "../../journeys/until.ts";
import type { Attempt } from "./attempts.ts";

export interface Told {
  agent: string;
  taskId: string;
  destination: string;
  port: number;
  protocol: string;
  count: number;
  reason: string;
}

/** The capabilities of netmon's unit, and no others. */
const asItsUnit = [
  ...["setpriv", "--no-new-privs", "--inh-caps=-all"],
  "--bounding-set=-all,+net_admin,+net_raw,+sys_admin,+sys_ptrace,+mknod",
];

/** Of IPv6, for cells. The Internet of the test routes it. */
const subnet6 = "fd5c:27e1::/64";

/** As netmon's and the daemon's units would be: in the network of the engine's host. */
export async function openScene(internet: { nameServer: string; addresses: string[]; ports: number[] }) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder());
  const engine = opened.use(await startEngine({ name: "egress" }));
  const { docker, netns } = engine;
  const socket = join(folder.path, "netmon.sock");
  const under = ["nsenter", `--net=/run/netns/${netns}`];
  const env = { ORCHESTRATOR_NETMON_SOCKET: socket };
  const netmon = opened.use(program(["netmon", "start"], { under: [...under, ...asItsUnit], env }));
  const startNetmon = async () => {
    const lives = netmon.output().split("netmon is up").length;
    netmon.start();
    await until("netmon is up", () => netmon.output().split("netmon is up").length > lives);
  };
  const room = opened.use(openRoom({ folder: folder.path, socket, nameServer: internet.nameServer, under }));
  const [world, image] = await Promise.all([
    openInternet({ netns, ...internet }).then((world) => opened.use(world)),
    busyboxImage(engine),
    startNetmon(),
    room.start(),
  ]);
  const network = await docker.createNetwork({
    Name: "cells",
    EnableIPv6: true,
    IPAM: { Config: [{ Subnet: subnet6 }] },
    Options: { "com.docker.network.bridge.enable_icc": "false" },
  });
  const { IPAM } = (await network.inspect()) as { IPAM: { Config: { Subnet: string; Gateway: string }[] } };
  const { Subnet: subnet, Gateway: gateway } =
    IPAM.Config.find(({ Subnet }) => Subnet !== subnet6) ?? assert.fail("no IPv4");

  /** A namespace with nobody in it yet, as the sandbox room makes it. */
  const holder = async (hasIpv6: boolean) => {
    const made = await docker.createContainer({
      ...{ Image: image, Cmd: ["sleep", "3600"], User: "65532" },
      HostConfig: { NetworkMode: "cells", CapDrop: ["ALL"], ReadonlyRootfs: true },
    });
    await made.start();
    const { State, NetworkSettings } = await made.inspect();
    const address = NetworkSettings.Networks.cells?.IPAddress ?? "";
    return {
      holderId: made.id,
      pid: State.Pid,
      onBridge: { address, gateway, subnet, ...(hasIpv6 && { subnet6 }) },
    };
  };
  /** What a program in a namespace can do. */
  const inside = (holderId: string, mounts: readonly Mount[]) => ({
    /** Tries one after the other as an agent's program would; what came of each. */
    attempt: async (...attempts: Attempt[]): Promise<Record<string, string>> => {
      const Binds = [...mounts.map(({ source, target }) => `${source}:${target}:ro`), ...programs];
      const made = await docker.createContainer({
        ...{ Image: image, Entrypoint: ["/node", "/attempts.ts"], Cmd: [JSON.stringify(attempts)] },
        ...{ User: "65532:65532", Tty: true },
        HostConfig: {
          ...{ NetworkMode: `container:${holderId}`, Binds, CapDrop: ["ALL"] },
          ...{ SecurityOpt: ["no-new-privileges"], ReadonlyRootfs: true },
        },
      });
      await made.start();
      await made.wait();
      const output = (await made.logs({ stdout: true, stderr: true })).toString();
      await made.remove();
      const [, outcomes] = /^outcomes (.*)$/m.exec(output) ?? assert.fail(`the program says: ${output}`);
      return JSON.parse(outcomes ?? "") as Record<string, string>;
    },
  });
  const netmonClient = createClient(
    NetMon,
    createGrpcTransport({
      baseUrl: "http://netmon",
      nodeOptions: { createConnection: () => connect(socket) },
    }),
  );
  const removed = (holderId: string) => docker.getContainer(holderId).remove({ force: true });
  let cells = 0;
  const owned = opened.move();
  return {
    ...{ world, netmon, startNetmon, room, gateway },
    /** What the room has told of a cell, by its task. */
    told: (cell: string) => room.events.filter(({ taskId }) => taskId === cell.replace("cell", "task")),
    /** Netmon itself, as the daemon asks it. */
    client: netmonClient,
    /** Tries in the namespace of a process, at once: no container need be made. */
    attemptIn: async (pid: number, ...attempts: Attempt[]): Promise<Record<string, string>> => {
      const script = new URL("attempts.ts", import.meta.url).pathname;
      const words = [`--net=/proc/${pid}/ns/net`, process.execPath, script, JSON.stringify(attempts)];
      const { stdout } = await promisify(execFile)("nsenter", words);
      return JSON.parse(stdout.replace("outcomes ", "")) as Record<string, string>;
    },
    /** A namespace that nobody guards. */
    open: async () => {
      const { holderId } = await holder(true);
      return { ...inside(holderId, []), end: () => removed(holderId) };
    },
    /** A guarded cell of an agent that may connect where `allow` says; `refused` is why there is none. */
    cell: async (allow: object[], { hasIpv6 = false } = {}) => {
      const id = `cell-${++cells}`;
      const { mounts } = (await room.ask({ do: "prepare", cell: id, allow })) as { mounts: Mount[] };
      const network = await holder(hasIpv6);
      const { failure: refused } = (await room.ask({ do: "guard", cell: id, allow, network })) as {
        failure?: string;
      };
      return {
        ...{ id, network, refused, ...inside(network.holderId, mounts) },
        end: async () => {
          await removed(network.holderId);
          await room.ask({ do: "release", cell: id });
        },
      };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** This machine's Node, which the image does not have. */
const programs = [
  ...["/usr/lib", "/lib", "/lib64"].map((folder) => `${folder}:${folder}:ro`),
  `${process.execPath}:/node:ro`,
  `${new URL("attempts.ts", import.meta.url).pathname}:/attempts.ts:ro`,
];

interface Mount {
  source: string;
  target: string;
}

/** The egress room in a process of the engine's network; it can be killed and started again. */
function openRoom(options: { folder: string; socket: string; nameServer: string; under: string[] }) {
  const { folder, socket, nameServer, under } = options;
  const script = new URL("room.ts", import.meta.url).pathname;
  const events: Told[] = [];
  const audited: string[] = [];
  const answers: object[] = [];
  let child: ChildProcess | undefined;
  let isUp = false;
  const heard = (line: string) => {
    const said = JSON.parse(line) as { event?: Told; audit?: string; answer?: object };
    if (said.event) events.push(said.event);
    else if (said.audit !== undefined) audited.push(said.audit);
    else if (said.answer) answers.push(said.answer);
    else isUp = true;
  };
  const kill9 = async () => {
    if (child?.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return {
    ...{ events, audited, kill9 },
    start: async () => {
      isUp = false;
      const [command, ...words] = [under, process.execPath, script, folder, socket, nameServer].flat();
      child = spawn(command ?? "", words, { stdio: ["pipe", "pipe", "inherit"] });
      if (child.stdout) createInterface({ input: child.stdout }).on("line", heard);
      await until("the room is up", () => isUp);
    },
    /** One at a time. */
    ask: async (what: object): Promise<object> => {
      const before = answers.length;
      child?.stdin?.write(`${JSON.stringify(what)}\n`);
      await until("the room answers", () => answers.length > before);
      return answers[before] ?? {};
    },
    [Symbol.asyncDispose]: kill9,
  };
}
