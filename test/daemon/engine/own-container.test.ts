import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { Engine } from "../../../src/daemon/engine/index.ts";
import { ownContainer, pathAtEngine, pathOfMount } from "../../../src/daemon/engine/own-container.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";

const address = await sharedEngine();
const idle = await idleImage(address);
after(() => address[Symbol.asyncDispose]());

const signal = AbortSignal.timeout(60_000);
const infoOf = (id: string) =>
  [
    "22 28 0:21 / /proc rw,nosuid shared:5 - proc proc rw",
    "1490 1474 254:1 /lib/docker/volumes/state/_data /var/lib/orchestrator rw,relatime - ext4 /dev/vda rw",
    `1491 1474 254:1 /lib/docker/containers/${id}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda rw`,
  ].join("\n");

test("a program knows which container it is in, if it is in one", () => {
  const id = "0123456789abcdef".repeat(4);
  assert.equal(ownContainer(infoOf(id)), id);
  const podman = `9 8 0:44 /containers/storage/overlay-containers/${id}/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw`;
  assert.equal(ownContainer(podman), id);
  assert.equal(ownContainer(infoOf("host")), undefined);
  assert.equal(ownContainer(`1 2 0:3 /x/${id}/data /data rw - ext4 /dev/vda rw`), undefined);
});

test("the innermost mount says where a path is", () => {
  const mounts = [
    { Destination: "/var/lib/orchestrator/netmon", Source: "/volumes/netmon" },
    { Destination: "/var/lib/orchestrator", Source: "/volumes/state" },
    { Destination: "/run", Source: "" },
  ];
  const places = ["/var/lib/orchestrator/daemon/locks/a", "/var/lib/orchestrator/netmon", "/run/x", "/etc"];
  assert.deepEqual(
    places.map((path) => pathOfMount(path, mounts)),
    ["/volumes/state/daemon/locks/a", "/volumes/netmon", undefined, undefined],
  );
  assert.equal(pathOfMount("/a", [{ Destination: "/", Source: "/host/" }]), "/host/a");
});

test("the engine is told its own name for a folder of a program in a container of it", async (t) => {
  using engine = new Engine(`unix://${address.socketPath}`);
  using folder = tempFolder();
  writeFileSync(`${folder.path}/lock`, "");
  const daemon = await address.docker.createContainer({
    Image: idle,
    HostConfig: { Mounts: [{ Type: "bind", Source: folder.path, Target: "/var/lib/orchestrator" }] },
  });
  t.after(() => daemon.remove({ force: true }));
  const at = (path: string, id = daemon.id) => pathAtEngine(engine, path, signal, async () => infoOf(id));
  assert.equal(await at("/var/lib/orchestrator/daemon/locks"), `${folder.path}/daemon/locks`);
  await assert.rejects(at("/root/locks"), {
    kind: "unsupported",
    message:
      "this program runs in a container of the engine, which has no volume or folder at /root/locks: keep daemon.data_dir on one",
  });
  assert.equal(await at("/root/locks", "0".repeat(64)), "/root/locks", "a container of another engine");
  assert.equal(await at("/root/locks", "host"), "/root/locks");
});
