/** install.sh, really run: on an engine of its own, in a network that has nothing but a hub. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { idleImage } from "../fixtures/images.ts";
import { until } from "../journeys/until.ts";
import { identityOf, type Machine, makeMachine } from "./machine.ts";

let machine: Machine;
let image: string;

before(async () => {
  machine = await makeMachine();
  image = await idleImage(machine.engine);
  await machine.startHub();
});
after(() => machine[Symbol.asyncDispose]());

/** Everything that an installation may leave: files, and the engine's objects but for the test's own image. */
async function traces(): Promise<string[]> {
  const { docker } = machine.engine;
  const images = await docker.listImages({ all: true });
  return [
    ...machine.files(),
    ...(await docker.listContainers({ all: true })).flatMap(({ Names: names }) => names),
    ...images.flatMap(({ RepoTags: tags }) => tags ?? ["an image without a name"]),
    ...(await docker.listNetworks()).map(({ Name: name }) => name),
    ...(await docker.listVolumes()).Volumes.map(({ Name: name }) => name),
  ].sort();
}

/** Asserts that this changes nothing on the machine, whatever it answers. */
async function changesNothing<T>(act: () => Promise<T>): Promise<T> {
  const before = await traces();
  const answer = await act();
  assert.deepEqual(await traces(), before);
  return answer;
}

/** A folder for the front of PATH with one program that says this. */
function saying(program: string, words: string): string {
  const folder = join(machine.scratch, `${program}-${words.length}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, program),
    `#!/bin/sh\n[ "$1" = -s ] && echo ${words.split(" ")[0]} || echo ${words.split(" ")[1]}\n`,
  );
  chmodSync(join(folder, program), 0o755);
  return folder;
}

async function started(container: string): Promise<string> {
  const { State: state } = await machine.engine.docker.getContainer(container).inspect();
  return `${container} ${state.Status} since ${state.StartedAt}`;
}

/** The command of the installation, as an operator on the node types it. */
async function orchestrator(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await machine.run([join(machine.root, "bin/orchestrator"), ...args]);
  assert.equal(code, 0, stderr);
  return stdout;
}

describe("a machine that is refused", () => {
  it("has no token, and nothing was done", async () => {
    const { code, stderr } = await changesNothing(() => machine.install("--from", machine.bundle));
    assert.equal(code, 1);
    assert.match(
      stderr,
      /a token is needed: make one with 'orchestrator hub token create'.*Nothing was done/,
    );
  });

  it("runs another system, or on another processor", async () => {
    for (const [uname, sentence] of [
      ["Darwin arm64", /this is Darwin; Linux is needed/],
      ["Linux riscv64", /this machine is riscv64; x86_64 and aarch64 are supported/],
    ] as const) {
      const env = { PATH: `${saying("uname", uname)}:${process.env.PATH}` };
      const { code, stderr } = await changesNothing(() => machine.installWith({ env }, "--token", "edge1_x"));
      assert.equal(code, 1);
      assert.match(stderr, sentence);
    }
  });

  it("was given something else for a bundle, or one for another processor", async () => {
    const other = join(machine.scratch, "other");
    mkdirSync(join(other, "rootfs/usr/bin"), { recursive: true });
    writeFileSync(join(other, "rootfs/usr/bin/node"), "", { mode: 0o755 });
    writeFileSync(join(other, "VERSION"), "1");
    writeFileSync(join(other, "ARCH"), "mips");
    for (const [from, sentence] of [
      [join(machine.scratch, "missing.tar.gz"), /there is no bundle at .*missing\.tar\.gz/],
      [process.execPath, /cannot be unpacked: is it a bundle/],
      [join(machine.scratch, "hub"), /is not a bundle of Orchestrator Agent/],
      [other, /the bundle is for mips and this machine is (x64|arm64): get the other one/],
    ] as const) {
      const { code, stderr } = await changesNothing(() =>
        machine.install("--from", from, "--token", "edge1_x"),
      );
      assert.equal(code, 1);
      assert.match(stderr, sentence);
    }
  });

  it("has a folder in an option that some program would read in another way", async () => {
    for (const folder of ["opt", "/opt/a b", "/opt/$(id)"]) {
      const { code, stderr } = await changesNothing(() =>
        machine.install("--prefix", folder, "--token", "edge1_x"),
      );
      assert.equal(code, 1);
      assert.match(stderr, /the folder '.*' must (be a whole path|have only letters)/);
    }
  });

  it("has a used token: the hub's reason is told, and nothing is started", async () => {
    const token = await machine.token();
    const env = { ORCHESTRATOR_DAEMON_DATA_DIR: join(machine.scratch, "another") };
    const entry = new URL("../../src/orchestrator.ts", import.meta.url).pathname;
    const first = await machine.run([process.execPath, entry, "daemon", "enroll", "--token", token], { env });
    assert.equal(first.code, 0, first.stderr);
    const { code, stderr } = await machine.install("--from", machine.bundle, "--token", token);
    assert.equal(code, 1);
    assert.match(stderr, /token.*used[\s\S]*enrolment failed; the reason is above\. Nothing was started/);
    assert.deepEqual(await machine.engine.docker.listContainers({ all: true }), []);
    assert.deepEqual(
      machine.files().filter((path) => !path.startsWith("var")),
      ["bin", "units"],
    );
  });
});

describe("an installation", () => {
  let nodeId: string;
  let token: string;

  it("enrols, and only then starts; the hub sees the node connected", async () => {
    token = await machine.token();
    const proxies = { https_proxy: "http://u:p$a&b@127.0.0.1:1", no_proxy: "127.0.0.1,localhost" };
    const { code, stdout, stderr } = await machine.installWith(
      { env: proxies },
      ...["--from", machine.bundle, "--token", token],
    );
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /enrolled as (\S+)[\s\S]*starting netmon and the daemon \(container\)[\s\S]*connected[\s\S]*done/,
    );
    nodeId = await machine.connected(JSON.parse(identityOf(machine)).nodeId as string);
  });

  it("hands the proxy on, and the token to nobody", async () => {
    const { docker } = machine.engine;
    for (const name of ["orchestrator-daemon", "orchestrator-netmon"]) {
      const told = await docker.getContainer(name).inspect();
      assert.ok(told.Config.Env.includes("https_proxy=http://u:p$a&b@127.0.0.1:1"));
      assert.ok(told.Config.Env.includes("no_proxy=127.0.0.1,localhost"));
      assert.ok(!JSON.stringify(told).includes(token));
    }
    assert.ok(!readFileSync(join(machine.root, "etc/daemon.env"), "utf8").includes(token));
  });

  it("is healthy without its hub, and finds an engine that restarted", async () => {
    await machine.hub.stop();
    await machine.engine.kill9();
    await machine.engine.start();
    const { docker } = machine.engine;
    const { Config: config } = await docker.getContainer("orchestrator-daemon").inspect();
    const [, check = ""] = config.Healthcheck?.Test ?? [];
    const inContainer = ["docker", "exec", "orchestrator-daemon", "sh", "-c", check];
    const status = await until("the daemon has its engine again", async () => {
      const { code, stdout, stderr } = await machine.run([
        "docker",
        "exec",
        "orchestrator-daemon",
        ...check.split(" "),
      ]);
      assert.equal(code, 0, stderr);
      const told = JSON.parse(stdout) as { connected?: boolean; engine?: { reachable?: boolean } };
      return told.engine?.reachable && told;
    });
    assert.equal(status.connected ?? false, false, inContainer.join(" "));
    await machine.startHub();
    await machine.connected(nodeId);
  });

  it("keeps identity, settings and runtimes when it is run again, and ends the same", async () => {
    await orchestrator("runtime", "create", "line-1", "--image", image, "--local");
    const settings = join(machine.root, "etc/daemon.env");
    writeFileSync(settings, `${readFileSync(settings, "utf8")}ORCHESTRATOR_LOG_LEVEL=debug\n`);
    const [runtime] = await machine.engine.docker.listContainers({
      filters: { label: ["edge.runtime=line-1"] },
    });
    const before = { identity: identityOf(machine), runtime: await started(runtime?.Id ?? "") };
    const again = await machine.install("--from", machine.bundle);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /this node is enrolled already/);
    assert.deepEqual({ identity: identityOf(machine), runtime: await started(runtime?.Id ?? "") }, before);
    const kept = readFileSync(settings, "utf8");
    assert.match(kept, /^ORCHESTRATOR_LOG_LEVEL=debug$/m);
    assert.match(kept, /^https_proxy=http:\/\/u:p\$a&b@127\.0\.0\.1:1$/m);
    await machine.connected(nodeId);
    const all = await traces();
    assert.equal(
      all.filter((name) => name.startsWith("orchestrator-agent:") || name.includes("without a name")).length,
      1,
    );
    assert.equal(all.filter((name) => /^opt\/versions\/[^/]+$/.test(name)).length, 1);
  });

  it("is taken off with its data kept: runtimes go on, and it comes back as the same node", async () => {
    const [runtime] = await machine.engine.docker.listContainers({
      filters: { label: ["edge.runtime=line-1"] },
    });
    const before = await started(runtime?.Id ?? "");
    const { code, stderr } = await machine.run([
      join(machine.root, "bin/orchestrator-uninstall"),
      ...["--keep-data", "--yes"],
    ]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      machine.files().filter((path) => !/^(var|etc)/.test(path)),
      ["bin", "units"],
    );
    assert.equal((await machine.engine.docker.listContainers({ all: true })).length, 1);
    const back = await machine.install("--from", machine.bundle);
    assert.equal(back.code, 0, back.stderr);
    await machine.connected(nodeId);
    assert.equal(await started(runtime?.Id ?? ""), before);
  });

  it("asks before it takes anything away", async () => {
    const { code, stderr } = await changesNothing(() => machine.install("--uninstall"));
    assert.equal(code, 1);
    assert.match(stderr, /this removes the programs, every runtime .*Run it again with --yes/);
  });

  it("is taken off, and nothing is left but what was there before", async () => {
    const { code, stdout, stderr } = await machine.run([
      join(machine.root, "bin/orchestrator-uninstall"),
      "--yes",
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`removing runtime line-1[\\s\\S]*orchestrator node remove ${nodeId}`));
    assert.deepEqual(await traces(), ["bin", "bridge", "host", "none", image, "units"].sort());
  });
});
