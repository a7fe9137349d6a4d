/** A machine of a test's own with a network to look at, and watchers of it. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { NetMon, type NetworkPicture } from "../../gen/edge/v1/netmon_pb.ts";
import { Health } from "../../src/wire/health.ts";
import { pictureAfter } from "../../src/wire/network-picture.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ownNetwork } from "../fixtures/network.ts";
import { program } from "../journeys/program.ts";
import { until } from "../journeys/until.ts";

/** A machine with one cable to a LAN, and netmon running on it as a program of its own, below the words of `as`. */
export async function machine(settings: Record<string, string> = {}, as: readonly string[] = []) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder());
  chmodSync(folder.path, 0o777);
  const [lan, network] = [opened.use(ownNetwork()), opened.use(ownNetwork())];
  // What a netmon that was killed leaves behind, until the next notice of the kernel, which no longer comes.
  opened.defer(() => {
    for (const pid of pidsIn(network.name)) process.kill(Number(pid), "SIGKILL");
  });
  network.ip(`link add eth0 type veth peer name port0 netns ${lan.name}`, "link set eth0 up");
  lan.ip("link set port0 up");
  const socket = join(folder.path, "run", "netmon.sock");
  const env = {
    ORCHESTRATOR_NETMON_SOCKET: socket,
    ORCHESTRATOR_NETMON_LOOK_EVERY_MS: "3600000",
    ...settings,
  };
  const under = ["ip", "netns", "exec", network.name, ...as];
  const netmon = opened.use(program(["netmon", "start"], { env, under }));
  netmon.start();
  await until("netmon is up", () => netmon.output().includes("netmon is up"));
  /** A connection of its own. */
  const dial = () =>
    createGrpcTransport({
      baseUrl: "http://netmon",
      nodeOptions: { createConnection: () => connect(socket) },
    });
  const owned = opened.move();
  return {
    ...{ lan, network, socket, env, under, netmon },
    client: createClient(NetMon, dial()),
    another: createClient(NetMon, dial()),
    health: createClient(Health, dial()),
    /** Many changes, as fast as the kernel takes them. */
    flood: (changes: readonly string[]) =>
      void execFileSync("ip", ["-n", network.name, "-batch", "-"], { input: `${changes.join("\n")}\n` }),
    /** Programs of the machine whose command line is as the pattern says. */
    pids: (pattern: string) =>
      pidsIn(network.name).filter((pid) => new RegExp(pattern).test(commandLine(pid))),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function pidsIn(network: string): string[] {
  const pids = execFileSync("ip", ["netns", "pids", network], { encoding: "utf8" });
  return pids.split("\n").filter(Boolean);
}

/** Empty when the program has ended. */
function commandLine(pid: string): string {
  return spawnSync("ps", ["-o", "args=", "-p", pid], { encoding: "utf8" }).stdout;
}

export type Machine = Awaited<ReturnType<typeof machine>>;

/** Follows the pictures from now on, as a watcher that applies differences, until it is disposed of. */
export function follow(client: Machine["client"]) {
  const stop = new AbortController();
  const pictures: NetworkPicture[] = [];
  const changed: string[][] = [];
  const following = (async () => {
    for await (const told of client.watchNetwork({}, { signal: stop.signal })) {
      const picture = pictureAfter(pictures.at(-1), told);
      if (picture) pictures.push(picture);
      changed.push(told.changed);
    }
  })().catch((thrown: unknown) => stop.signal.aborted || assert.fail(String(thrown)));
  const named = (name: string) => pictures.at(-1)?.interfaces.find((one) => one.name === name);
  return {
    ...{ pictures, changed, named },
    when: (what: string, isSo: () => boolean | undefined) => until(what, () => isSo() && pictures.at(-1)),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
    },
  };
}
