/**
 * A hub that its node reaches by a name, at an address of IPv4 and one of IPv6 with a box before both: all in one network, with a
 * name server and a proxy of its own. Box, proxy and packet filter can be told to misbehave.
 */
import { execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import type { Whim } from "../../fixtures/middlebox.ts";
import { seeing } from "../program.ts";
import { until } from "../until.ts";
import { makeWorld, type World } from "../world.ts";
import { aheadAsIn } from "./other-time.ts";

/** Where the hub's box and the proxy listen. */
export const at = { four: "10.77.0.1", six: "2001:db8::1", proxy: "10.77.0.1:3128" };

export interface CrookedWay extends AsyncDisposable {
  world: World;
  /** What the box does from now on; `cut` ends what there is. */
  box(told: Whim | "cut"): void;
  /** A proxy that stands still has its port open, and answers nobody. */
  proxy(signal: "SIGSTOP" | "SIGCONT"): void;
  /** Has the daemon's clocks, also the one that nobody sets, be ahead by so many seconds. */
  ahead(seconds: number): void;
  /** Whether the daemon is connected to the box at this address. */
  isBy(address: string): boolean;
}

const fixture = (name: string) => new URL(`../../fixtures/${name}.ts`, import.meta.url).pathname;

/** The node is enrolled and connected. */
export async function openCrookedWay(): Promise<CrookedWay> {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder()).path;
  const engine = opened.use(await startEngine({ name: "crooked" }));
  const network = `--net=/run/netns/${engine.netns}`;
  const run = (words: string[], options: SpawnOptions = { stdio: "ignore" }) => {
    const child = spawn("nsenter", [network, ...words], options);
    opened.defer(() => void child.kill("SIGKILL"));
    return child;
  };
  const exec = (...words: string[]) => execFileSync("nsenter", [network, ...words], { encoding: "utf8" });
  exec("ip", "address", "add", `${at.four}/32`, "dev", "lo");
  exec("ip", "address", "add", `${at.six}/128`, "dev", "lo", "nodad");

  const [resolv, hosts, clock] = [join(folder, "resolv.conf"), join(folder, "hosts"), join(folder, "clock")];
  writeFileSync(resolv, "nameserver 127.0.0.1\noptions timeout:3 attempts:2\n");
  writeFileSync(hosts, "127.0.0.1 localhost\n");
  const instead = { "/etc/resolv.conf": resolv, "/etc/hosts": hosts };
  const world = opened.use(
    await makeWorld({
      ...{ engine, instead, inNetworkOfEngine: true },
      env: { ORCHESTRATOR_HUB_LISTEN: "127.0.0.1", ORCHESTRATOR_HUB_ADVERTISE: "hub.test" },
    }),
  );
  const nothingElse = ["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--user=root"];
  const names = ["--no-resolv", "--no-hosts", `--host-record=hub.test,${at.four},${at.six}`];
  run(["dnsmasq", ...nothingElse, ...names, "--listen-address=127.0.0.1", "--bind-interfaces"]);
  const ports = `${world.linePort},${world.apiPort}`;
  const box = run([process.execPath, fixture("middlebox"), `${at.four},${at.six}`, ports], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(box, "message");
  const [proxyHost = "", proxyPort = ""] = at.proxy.split(":");
  const proxy = run([...seeing(instead), process.execPath, fixture("proxy"), proxyPort, "n:p", proxyHost]);

  await world.startHub();
  await until("the node is enrolled", () => world.enrol());
  const ahead = (seconds: number) => writeFileSync(clock, `+${seconds}\n`);
  ahead(0);
  Object.assign(world.env, aheadAsIn(clock));
  await world.startDaemon();
  await world.connected();
  const owned = opened.move();
  return {
    ...{ world, ahead },
    box: (told) => void box.send(told),
    proxy: (signal) => void proxy.kill(signal),
    isBy: (address) =>
      exec("ss", "-tnH", "state", "established", "dport", "=", `:${world.linePort}`).includes(address),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
