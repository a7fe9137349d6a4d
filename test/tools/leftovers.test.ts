import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { leftBehind, leftInEngine } from "../../tools/leftovers.ts";
import { sharedEngine } from "../fixtures/engine.ts";
import { smallDisk, tempFolder } from "../fixtures/folder.ts";
import { busyboxImage } from "../fixtures/images.ts";

test("what a run leaves on the machine is named: processes with their ports, mounts and files", async () => {
  using folder = tempFolder();
  // Network namespaces of engines are other tests', which kill some on purpose.
  const startedAt = Number.POSITIVE_INFINITY;
  const traces = { folder: folder.path, startedAt };
  assert.deepEqual(await leftBehind(traces), []);

  const server =
    "net.createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })";
  const child = spawn(process.execPath, ["-e", server], { env: { STATE: `${folder.path}/state` } });
  await using cleaning = new AsyncDisposableStack();
  cleaning.defer(async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  const port = String((await once(child.stdout, "data"))[0]).trim();
  writeFileSync(`${folder.path}/forgotten`, "");
  const [process_, ...others] = await leftBehind(traces, 0);
  assert.match(process_ ?? "", new RegExp(`^process ${child.pid}: .*, listening on port ${port}$`));
  assert.deepEqual(others, [`file ${folder.path}/forgotten`]);

  using disk = smallDisk(4096);
  assert.deepEqual(await leftBehind({ folder: disk.path, startedAt }, 0), [`mount ${disk.path}`]);
});

test("what tests leave in the engine that they share is named", async () => {
  await using engine = await sharedEngine();
  const { docker } = engine;
  const name = `left-${process.pid}`;
  await using cleaning = new AsyncDisposableStack();
  await docker.createVolume({ Name: name });
  cleaning.defer(() => docker.getVolume(name).remove());
  const network = await docker.createNetwork({ Name: name });
  cleaning.defer(() => network.remove());
  const container = await docker.createContainer({ name, Image: await busyboxImage(engine) });
  cleaning.defer(() => container.remove({ force: true }));
  const left = (await leftInEngine(docker)).filter((one) => one.includes(name));
  assert.deepEqual(left, [`container /${name} (created)`, `network ${name}`, `volume ${name}`]);
});
