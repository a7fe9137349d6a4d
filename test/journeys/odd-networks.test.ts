/** A hub and nodes as real programs in networks of their own: only IPv6 and a name that leads astray; nothing but a proxy. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { Transport } from "../../gen/edge/v1/transport_pb.ts";
import { selfSigned } from "../fixtures/certificate.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { type Network, ownNetwork } from "../fixtures/network.ts";
import { type Program, program, runOnce, seeing } from "./program.ts";
import { until } from "./until.ts";
import { serviceAt } from "./world.ts";

const proxyFile = new URL("../fixtures/proxy.ts", import.meta.url).pathname;

/** Words before a program that runs in a network, with names of its own and a name server that is not there. */
function within(network: Network, folder: string, hosts: string): string[] {
  const [names, resolv] = [join(folder, `${network.name}.hosts`), join(folder, "resolv.conf")];
  writeFileSync(names, `127.0.0.1 localhost\n::1 localhost\n${hosts}`);
  writeFileSync(resolv, "nameserver 127.0.0.53\noptions timeout:1 attempts:1\n");
  const instead = { "/etc/hosts": names, "/etc/resolv.conf": resolv };
  return ["nsenter", `--net=/run/netns/${network.name}`, ...seeing(instead)];
}

/** A hub on a network between two others, of which one has only IPv6 and the other only IPv4. */
async function world() {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder()).path;
  const [middle, six, four] = [ownNetwork(), ownNetwork(), ownNetwork()];
  for (const network of [middle, six, four]) opened.use(network);
  for (const [index, network] of [six, four].entries()) {
    middle.ip(
      `link add far${index} type veth peer name near netns ${network.name}`,
      `link set far${index} up`,
    );
    network.ip("link set lo up", "link set near up");
  }
  middle.ip("link set lo up", "address add fd77::1/64 dev far0 nodad", "address add 10.77.0.1/24 dev far1");
  six.ip("address add fd77::2/64 dev near nodad", "address add fd77::66/128 dev lo");
  four.ip("address add 10.77.0.2/24 dev near");

  const atHub = within(middle, folder, "10.77.0.1 hub.test\n");
  const env = {
    ORCHESTRATOR_HUB_DATA_DIR: join(folder, "hub"),
    ORCHESTRATOR_HUB_LISTEN: "::",
    ORCHESTRATOR_HUB_ADVERTISE: "astray.test,hub.test",
    ORCHESTRATOR_HUB_URL: "https://localhost:7444",
    ORCHESTRATOR_HUB_TOKEN_FILE: join(folder, "hub/admin.token"),
    ORCHESTRATOR_HUB_CA_FILE: join(folder, "hub/ca/ca.pem"),
  };
  const hub = opened.use(program(["hub", "start"], { env, under: atHub }));
  hub.start();
  const token = () =>
    until("the hub makes a token", async () => {
      const made = await runOnce(["hub", "token", "create", "--json"], { env, under: atHub });
      if (made.code !== 0) throw new Error(`${made.stderr}\nhub:\n${hub.output()}`);
      return (JSON.parse(made.stdout) as { token: string }).token;
    });
  const owned = opened.move();
  return {
    ...{ folder, middle, six, four, atHub, token },
    /** Enrols a node and starts its daemon. */
    async node(under: string[], name: string, more: Record<string, string> = {}, between = () => {}) {
      const dataDir = join(folder, name);
      const env = {
        ORCHESTRATOR_DAEMON_DATA_DIR: dataDir,
        ORCHESTRATOR_DOCKER_HOST: `unix://${folder}/no-engine.sock`,
        ...more,
      };
      const ran = await runOnce(["daemon", "enroll", "--token", await token()], { env, under });
      assert.equal(ran.code, 0, ran.stderr);
      between();
      const daemon: Program = owned.use(program(["daemon", "start"], { env, under }));
      daemon.start();
      const node = serviceAt(join(dataDir, "daemon.sock"), Node);
      const cli = (...args: string[]) => runOnce(args, { env, under });
      return { node, cli, daemon };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

let there: Awaited<ReturnType<typeof world>>;
before(async () => {
  there = await world();
});
after(() => there[Symbol.asyncDispose]());

test("a node without IPv4 finds its hub behind a name that leads to another machine", async () => {
  const { six, folder } = there;
  using _ = await impostor(six, folder);
  const under = within(six, folder, "fd77::66 astray.test\nfd77::1 hub.test\n");
  const { node, cli, daemon } = await there.node(under, "six");
  await until(`the line is up:\n${daemon.output()}`, async () => (await node.getNode({})).connected);
  const says =
    /what answers at astray\.test is not believed to be the hub: its certificate comes from .*CN=not ours.*fingerprint [0-9A-F:]{95}/;
  await until("it says who answers there", () => says.test(daemon.output()) || assert.fail(daemon.output()));
  const { stdout } = await cli("daemon", "status");
  assert.match(stdout, /^hub +hub\.test:7443 \(connected by grpc\)$/m);
});

test("a node that has nothing but a proxy enrols and connects through it, and says who refuses", async () => {
  const { four, folder, atHub } = there;
  const rules = "add table ip only; add chain ip only out { type filter hook output priority 0; }";
  four.exec("nft", `${rules}; add rule ip only out tcp dport != 3128 drop`);
  const proxy = spawn(atHub[0] ?? "", [
    ...atHub.slice(1),
    process.execPath,
    proxyFile,
    "3128",
    "n:p w",
    "10.77.0.1",
  ]);
  try {
    await until("the proxy listens", () => isListening(there.middle, 3128));
    const file = join(folder, "proxy.credentials");
    const credentials = (text: string) => {
      writeFileSync(file, `${text}\n`);
      chmodSync(file, 0o600);
    };
    credentials("n:p w");
    const under = within(four, folder, "");
    const settings = {
      ORCHESTRATOR_LINE_PROXY: "http://10.77.0.1:3128",
      ORCHESTRATOR_LINE_PROXY_CREDENTIALS_FILE: file,
      ORCHESTRATOR_LINE_PROFILE: "frugal",
    };
    const { node, cli } = await there.node(under, "four", settings, () => credentials("n:wrong"));
    const problem = await until(
      "the proxy refuses",
      async () => (await node.getNode({})).hubProblem || undefined,
    );
    assert.match(
      problem,
      /^the proxy at 10\.77\.0\.1:3128 opens no way to .*407 Proxy Authentication Required/,
    );
    credentials("n:p w");
    const up = await until("the line is up", async () => {
      const now = await node.getNode({});
      return now.connected && now;
    });
    assert.deepEqual([up.hubTransport, up.hubProxy], [Transport.GRPC, "10.77.0.1:3128"]);
    const { stdout } = await cli("daemon", "status");
    assert.match(stdout, /^hub +\S+:7443 \(connected by grpc through the proxy 10\.77\.0\.1:3128\)$/m);
    assert.doesNotMatch(stdout, /p w/);
  } finally {
    proxy.kill();
  }
});

function isListening(network: Network, port: number): boolean {
  return network.exec("ss", "-tlnH", "sport", "=", `:${port}`) !== "";
}

/** Answers at the ports of a hub with TLS of its own, as a proxy does that opens TLS. */
async function impostor(network: Network, folder: string): Promise<Disposable> {
  const [key, certificate] = [join(folder, "between.key"), join(folder, "between.pem")];
  selfSigned(certificate, key, "DNS:astray.test");
  const ports = [7443, 7444];
  const servers = ports.map((port) => {
    const serve = [
      "s_server",
      "-6",
      "-accept",
      `[fd77::66]:${port}`,
      "-cert",
      certificate,
      "-key",
      key,
      "-quiet",
    ];
    const words = [`--net=/run/netns/${network.name}`, "openssl", ...serve, "-alpn", "h2"];
    return spawn("nsenter", words, { stdio: "ignore" });
  });
  await until("it listens", () => ports.every((port) => isListening(network, port)));
  return {
    [Symbol.dispose]: () => {
      for (const server of servers) server.kill();
    },
  };
}
