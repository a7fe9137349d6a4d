/** What install.sh says to a machine that it does not install on, and that it leaves that machine as it was. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { orchestrator } from "../journeys/program.ts";
import { type Machine, makeMachine } from "./machine.ts";

let machine: Machine;

before(async () => {
  machine = await makeMachine();
});
after(() => machine?.[Symbol.asyncDispose]());

/** Runs the installer and asserts that it refuses with this sentence and changed nothing. */
async function refuses(sentence: RegExp, args: string[], env: Record<string, string> = {}): Promise<void> {
  const before = machine.files();
  const { code, stderr } = await machine.install(args, env);
  assert.match(stderr, sentence);
  assert.equal(code, 1);
  assert.deepEqual(machine.files(), before);
  assert.deepEqual(await machine.engine.docker.listContainers({ all: true }), []);
  assert.deepEqual(await machine.engine.docker.listImages({ all: true }), []);
}

/** PATH with a `uname` in front that knows only this system. */
function system(kernel: string, architecture: string): { PATH: string } {
  const folder = join(machine.scratch, kernel + architecture);
  mkdirSync(folder);
  const script = `#!/bin/sh\nif [ "$1" = -s ]; then echo ${kernel}; else echo ${architecture}; fi\n`;
  writeFileSync(join(folder, "uname"), script, { mode: 0o755 });
  return { PATH: `${folder}:${process.env.PATH}` };
}

describe("install.sh refuses", () => {
  it("a machine without a token, before it does anything", async () => {
    const noToken = /a token is needed: make one with 'orchestrator hub token create'.*Nothing was done/;
    await refuses(noToken, ["--from", machine.bundle]);
    await refuses(noToken, ["--from", machine.bundle, "--token-file", "/dev/null"]);
    await refuses(/the token file cannot be read/, ["--token-file", "/nowhere"]);
  });

  it("another system, and another processor", async () => {
    await refuses(/this is Darwin; Linux is needed/, ["--token", "edge1_x"], system("Darwin", "arm64"));
    const sentence = /this machine is riscv64; x86_64 and aarch64 are supported/;
    await refuses(sentence, ["--token", "edge1_x"], system("Linux", "riscv64"));
  });

  it("something else than a bundle, and one for another processor", async () => {
    const other = join(machine.scratch, "other");
    mkdirSync(join(other, "rootfs/usr/bin"), { recursive: true });
    await refuses(/is not a bundle of Orchestrator Agent/, ["--from", other, "--token", "edge1_x"]);
    writeFileSync(join(other, "rootfs/usr/bin/node"), "", { mode: 0o755 });
    writeFileSync(join(other, "VERSION"), "1");
    writeFileSync(join(other, "ARCH"), "mips");
    for (const [from, sentence] of [
      [other, /the bundle is for mips and this machine is (x64|arm64): get the other one/],
      [join(machine.scratch, "missing.tar.gz"), /there is no bundle at .*missing\.tar\.gz/],
      [process.execPath, /cannot be unpacked: is it a bundle/],
    ] as const) {
      await refuses(sentence, ["--from", from, "--token", "edge1_x"]);
    }
  });

  it("a download that does not come", async () => {
    const nobody = ["--releases", "https://127.0.0.1:1", "--token", "edge1_x"];
    await refuses(/the download failed.*pass it with --from/, nobody);
    await refuses(/the download failed/, ["--releases", "http://127.0.0.1:1", "--token", "edge1_x"]);
  });

  it("options that it does not know, that lack a value, or that some program would read in another way", async () => {
    await refuses(/unknown option --tokne/, ["--tokne", "edge1_x"]);
    await refuses(/--token needs a value/, ["--token"]);
    await refuses(/--mode is 'docker'; systemd or container is allowed/, ["--mode", "docker"]);
    await refuses(/systemd does not run here: use --mode container/, ["--mode", "systemd"]);
    await refuses(/'opt' must be a whole path/, ["--prefix", "opt"]);
    for (const folder of ["/opt/a b", "/opt/$(id)", "/opt/a:b"]) {
      await refuses(/must have only letters, digits/, ["--prefix", folder, "--token", "edge1_x"]);
    }
  });

  it("an engine that does not answer, and takes nothing off without it", async () => {
    const env = { DOCKER_HOST: "unix:///nowhere/docker.sock" };
    await refuses(
      /does not answer at unix:\/\/\/nowhere.*Nothing was removed/,
      ["--uninstall", "--yes"],
      env,
    );
  });

  it("a used token, with the hub's reason; nothing is started", async () => {
    await machine.startHub();
    const token = await machine.token();
    const elsewhere = { ORCHESTRATOR_DAEMON_DATA_DIR: join(machine.scratch, "another") };
    const first = await machine.run(
      [process.execPath, orchestrator, "daemon", "enroll", "--token", token],
      elsewhere,
    );
    assert.equal(first.code, 0, first.stderr);
    const { code, stderr } = await machine.install(["--from", machine.bundle, "--token", token]);
    assert.match(stderr, /token.*used[\s\S]*enrolment failed; the reason is above\. Nothing was started/);
    assert.equal(code, 1);
    assert.deepEqual(await machine.engine.docker.listContainers({ all: true }), []);
    // What is left is the key that a second try with the same token needs.
    assert.deepEqual(machine.files(), ["bin", "units", "var", "var/daemon", "var/daemon/enrolling.json"]);
  });
});
