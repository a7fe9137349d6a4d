/** `curl ... | sh` on a machine that has no container engine yet, and the bundle's programs run as they are. */

import assert from "node:assert/strict";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { selfSigned } from "../fixtures/certificate.ts";
import { type Program, program } from "../journeys/program.ts";
import { until } from "../journeys/until.ts";
import { type Machine, makeMachine } from "./machine.ts";

const mirrorPort = 8443;

let machine: Machine;
let mirror: Program;
let bare: { PATH: string };
let aptLog: string;

before(async () => {
  machine = await makeMachine();
  aptLog = join(machine.scratch, "apt.log");
  bare = { PATH: pathWithoutDocker(join(machine.scratch, "programs")) };
  mirror = await startMirror(join(machine.scratch, "releases"));
  await machine.startHub();
});
after(async () => {
  await mirror?.[Symbol.asyncDispose]();
  await machine?.[Symbol.asyncDispose]();
});

/** Serves the bundle from `folder` as a release, under a certificate that only this folder vouches for. */
async function startMirror(folder: string): Promise<Program> {
  const { engine, hubAddress: host, bundle } = machine;
  mkdirSync(folder);
  linkSync(bundle, join(folder, `orchestrator-agent-linux-${process.arch}.tar.gz`));
  selfSigned(join(folder, "certificate.pem"), join(folder, "key.pem"), `IP:${host}`);
  const served = program([host, String(mirrorPort), folder], {
    entry: new URL("releases.ts", import.meta.url).pathname,
    env: {},
    under: ["ip", "netns", "exec", engine.netns],
  });
  served.start();
  await until("the mirror serves", () => served.output().includes("serving"));
  return served;
}

/**
 * A search path with all programs of this machine but docker. Its apt-get knows packages only after an update, and what it
 * installs is the machine's docker; it writes down how it was called.
 */
function pathWithoutDocker(folder: string): string {
  mkdirSync(folder);
  for (const name of readdirSync("/usr/bin")) {
    if (!["docker", "apt-get"].includes(name)) symlinkSync(join("/usr/bin", name), join(folder, name));
  }
  const script = `#!/bin/sh
echo "apt-get $*" >>${aptLog}
case $1 in
update) touch ${aptLog}.updated ;;
install) [ -f ${aptLog}.updated ] && ln -s "$(PATH=${process.env.PATH} command -v docker)" ${folder}/docker ;;
esac
`;
  writeFileSync(join(folder, "apt-get"), script, { mode: 0o755 });
  return folder;
}

describe("an installation on a bare machine", () => {
  it("installs no engine when it may not enrol", async () => {
    const { code, stderr } = await machine.install(["--from", machine.bundle, "--token", "edge1_x"], bare);
    assert.match(stderr, /enrolment failed/);
    assert.equal(code, 1);
    assert.equal(existsSync(aptLog), false);
  });

  it("downloads the programs, enrols, installs the distribution's engine, and starts nothing when told so", async () => {
    const token = await machine.token();
    const args = [
      "--token",
      token,
      "--no-start",
      "--releases",
      `https://${machine.hubAddress}:${mirrorPort}`,
    ];
    const trust = { CURL_CA_BUNDLE: join(machine.scratch, "releases/certificate.pem") };
    const { code, stdout, stderr } = await machine.install(args, { ...bare, ...trust });
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /downloading https:[\s\S]*enrolled as n-[\s\S]*installing docker\.io[\s\S]*engine answers[\s\S]*nothing was started/,
    );
    const install = "apt-get install -y --no-install-recommends docker.io\n";
    assert.equal(readFileSync(aptLog, "utf8"), `${install}apt-get update\n${install}`);
    assert.deepEqual(await machine.engine.docker.listContainers({ all: true }), []);
  });

  it("has programs that run as they are, with their own Node", async () => {
    const orchestrator = join(machine.root, "bin/orchestrator");
    const daemon = machine.run([orchestrator, "daemon", "start"], { PATH: "/usr/bin:/bin" });
    await machine.connected();
    const stopped = await machine.run([orchestrator, "daemon", "stop"], { PATH: "/usr/bin:/bin" });
    assert.equal(stopped.code, 0, stopped.stderr);
    const { code, stderr } = await daemon;
    assert.equal(code, 0, stderr);
  });

  it("is taken off, and says that the engine stays", async () => {
    const { code, stdout } = await machine.install(["--uninstall", "--yes"]);
    assert.match(stdout, /Docker was installed with it and stays/);
    assert.equal(code, 0);
    assert.deepEqual(machine.files(), ["bin", "units"]);
  });
});
