/** Cells on a real engine of the test's own: their input, their end, and what becomes of them when daemon or engine die. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { failure } from "../../../src/base/failure.ts";
import type { Cell, Provider } from "../../../src/daemon/sandbox/index.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { busyboxImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { askAhead, askFor, openRoom } from "./room.ts";

await using opened = new AsyncDisposableStack();
const engine = opened.use(await startEngine({ name: "cells" }));
const image = await busyboxImage(engine);
const owned = opened.move();
after(() => owned.disposeAsync());

const signal = AbortSignal.timeout(280_000);

/** A program that waits for its input, and does something with it. */
const sh = (script: string) => ({ image, entrypoint: ["/bin/sh", "-c", script] });

/** What carries the label of an instance. */
async function objectsOf(instanceId: string): Promise<string[]> {
  const filters = { label: [`edge.instance=${instanceId}`] };
  const [containers, networks] = await Promise.all([
    engine.docker.listContainers({ all: true, filters }),
    engine.docker.listNetworks({ filters }),
  ]);
  return [...containers.map(({ Names }) => Names[0] ?? ""), ...networks.map(({ Name }) => Name)];
}

test("cells", { concurrency: true }, async (all) => {
  await Promise.all([
    all.test("input and output are bytes, whatever their number", async () => {
      using folder = tempFolder();
      await using room = openRoom(folder.path, engine);
      for (const size of [0, 1, 65_537, 3_000_000]) {
        const ask = await askFor(room.engine, { ...sh("cat"), maxIoBytes: 16 << 20 });
        const cell = await room.sandboxes.start(ask, signal);
        const input = randomBytes(size);
        await room.sandboxes.give(cell, input, signal);
        const end = await room.sandboxes.ended(cell, signal);
        await room.sandboxes.remove(cell, signal);
        assert.deepEqual([end.exitCode, end.outputCut, input.equals(end.output)], [0, false, true]);
        assert.ok(end.usage.cpuMs > 0 && end.usage.memoryPeakBytes > 0);
      }
    }),

    all.test(
      "an end is told as it was: exit codes, signals, no such program, TERM and what ignores it",
      async () => {
        using folder = tempFolder();
        await using room = openRoom(folder.path, engine);
        assert.equal((await room.run(sh("cat; exit 7"))).end.exitCode, 7);
        assert.equal((await room.run(sh("cat; kill -9 $$"))).end.exitCode, 137);
        const none = await room.run({ image, entrypoint: ["nothing"] });
        assert.deepEqual(
          [none.end.exitCode, none.said],
          [127, "orchestrator: nothing is not there to be run"],
        );
        const stopped = async (script: string, graceMs: number) => {
          const cell = await room.sandboxes.start(await askAhead(room.engine, sh(script)), signal);
          await until("it is ready", async () => (await room.sandboxes.logs(cell, signal)).lines.length > 0);
          await room.sandboxes.stop(cell, graceMs, signal);
          const end = await room.sandboxes.ended(cell, signal);
          await room.sandboxes.stop(cell, graceMs, signal);
          await room.sandboxes.remove(cell, signal);
          await room.sandboxes.remove(cell, signal);
          return [end.exitCode, end.output.toString(), end.usage.memoryPeakBytes > 0];
        };
        const polite = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
        assert.deepEqual(await stopped(polite, 60_000), [3, "ready\nbye\n", true]);
        assert.deepEqual(await stopped("trap '' TERM; echo ready; while :; do sleep 0.1; done", 200), [
          137,
          "ready\n",
          true,
        ]);
      },
    ),

    all.test("a script is what its interpreter gets last", async () => {
      using folder = tempFolder();
      await using room = openRoom(folder.path, engine);
      const script = 'read name; echo "hello $name from $0"';
      const { text } = await room.run({ image, script, entrypoint: ["/bin/sh"], command: ["-e"] }, "you\n");
      assert.equal(text, "hello you from /run/orchestrator/agent/script\n");
    }),

    all.test(
      "what others put into a cell is there before its program, and taken away after it, also when it cannot be made",
      async () => {
        using folder = tempFolder();
        const told: string[] = [];
        const provider: Provider = {
          async prepare({ agent }) {
            told.push(`prepare ${agent}`);
            if (agent === "broken") throw failure("unavailable", "no secret today");
            return { mounts: [], env: { LENT: "yes" } };
          },
          async guard({ agent }, { onBridge, pid }) {
            told.push(`guard ${agent} ${onBridge !== undefined} ${pid > 0}`);
          },
          async release() {
            told.push("release");
          },
        };
        await using room = openRoom(folder.path, engine, { providers: [provider] });
        assert.equal((await room.run({ ...sh("cat; echo $LENT"), name: "quiet" })).text, "yes\n");
        const network = { allow: [{ host: "example.com" }] };
        const talking = await room.run({ ...sh("cat; ls /sys/class/net"), name: "talking", network });
        assert.match(talking.text, /^eth0\nlo\n$/);
        assert.match(talking.cell.address ?? "", /^\d+\.\d+\.\d+\.\d+$/);
        await assert.rejects(room.run({ ...sh("cat"), name: "broken" }), /no secret today/);
        assert.deepEqual(told, [
          ...["prepare quiet", "guard quiet false true", "release"],
          ...["prepare talking", "guard talking true true", "release"],
          ...["prepare broken", "release"],
        ]);
        assert.deepEqual(await readdir(join(folder.path, "cells")), []);
      },
    ),

    all.test(
      "no two cells share a network namespace at a time, and one whose holder was removed starts all the same",
      async () => {
        using folder = tempFolder();
        await using room = openRoom(folder.path, engine);
        const cells = await Promise.all(
          [1, 2, 3, 4].map(async () => room.sandboxes.start(await askFor(room.engine, sh("cat")), signal)),
        );
        const namespaceOf = async ({ containerId }: Cell) =>
          (await engine.docker.getContainer(containerId).inspect()).HostConfig.NetworkMode;
        assert.equal(new Set(await Promise.all(cells.map(namespaceOf))).size, 4);
        for (const cell of cells) await room.sandboxes.remove(cell, signal);

        const filters = { label: ["edge.holder", `edge.instance=${room.instanceId}`] };
        for (const { Id } of await engine.docker.listContainers({ filters })) {
          await engine.docker.getContainer(Id).remove({ force: true });
        }
        assert.equal((await room.run(sh("cat"), "still")).text, "still");
      },
    ),

    all.test(
      "a program that reads nothing runs once, with its input, and never when that does not come; made ahead, it runs at once",
      async () => {
        using folder = tempFolder();
        const counts = join(folder.path, "counts");
        await mkdir(counts);
        await chmod(counts, 0o777); // The program has a user of its own.
        const ran = () => readFile(join(counts, "ran"), "utf8").catch(() => "");
        const mounts = [{ nodePath: counts, path: "/counts", writable: true }];
        const blind = (name: string) => ({ ...sh(`echo ${name} >> /counts/ran`), mounts });
        const first = openRoom(folder.path, engine);
        const start = async (name: string, ask = askFor) =>
          await first.sandboxes.start(await ask(first.engine, blind(name)), signal);
        const [given, stopped, left] = [await start("given"), await start("stopped"), await start("left")];
        const ahead = await start("ahead", askAhead);
        await until("the one made ahead has run", async () => (await ran()) !== "");
        const { Processes } = await engine.docker.getContainer(given.containerId).top();
        assert.deepEqual([Processes.length, await ran()], [1, "ahead\n"]);

        await first.sandboxes.stop(stopped, 60_000, signal);
        assert.equal((await first.sandboxes.ended(stopped, signal)).exitCode, 125);
        await first.sandboxes.give(given, Buffer.from("unread\n"), signal);
        assert.equal((await first.sandboxes.ended(given, signal)).exitCode, 0);
        await first[Symbol.asyncDispose]();
        await using next = openRoom(folder.path, engine, { instanceId: first.instanceId });
        assert.equal((await next.sandboxes.ended(left, signal)).exitCode, 125);
        assert.equal(await ran(), "ahead\ngiven\n");
        for (const cell of [given, stopped, left, ahead]) await next.sandboxes.remove(cell, signal);
      },
    ),

    all.test(
      "a daemon that dies: a program that waits never has an input that nobody gave, one that runs goes on",
      async () => {
        using folder = tempFolder();
        const first = openRoom(folder.path, engine);
        const start = async (script: string) =>
          await first.sandboxes.start(await askAhead(first.engine, sh(script)), signal);
        const [waiting, running] = [await start("cat; echo ran"), await start("cat; sleep 1; echo ran")];
        await first.sandboxes.give(running, Buffer.from("input\n"), signal);
        await first[Symbol.asyncDispose]();

        const { instanceId } = first;
        await using next = openRoom(folder.path, engine, { instanceId });
        const found = await next.sandboxes.found(signal);
        assert.deepEqual(new Set(found.map(({ id }) => id)), new Set([waiting.id, running.id]));
        const ofWaiting = await next.sandboxes.ended(waiting, signal);
        assert.deepEqual([ofWaiting.exitCode, ofWaiting.output.length], [125, 0]);
        const ofRunning = await next.sandboxes.ended(running, signal);
        assert.deepEqual([ofRunning.exitCode, ofRunning.output.toString()], [0, "input\nran\n"]);
        for (const cell of found) await next.sandboxes.remove(cell, signal);
        await next.sandboxes.purge(signal);
        await until("all of it is gone", async () => (await objectsOf(instanceId)).length === 0);
      },
    ),
  ]);
});

test("an engine that dies: the same, and its daemon waits for it", async () => {
  using folder = tempFolder();
  await using room = openRoom(folder.path, engine);
  const start = async (script: string) =>
    await room.sandboxes.start(await askAhead(room.engine, sh(script)), signal);
  const [waiting, running] = [await start("cat; echo ran"), await start("cat; sleep 2; echo ran")];
  await room.sandboxes.give(running, Buffer.from("input\n"), signal);
  await until("it has its input", async () => (await room.sandboxes.logs(running, signal)).lines.length > 0);
  const ends = Promise.all([room.sandboxes.ended(waiting, signal), room.sandboxes.ended(running, signal)]);
  await engine.kill9();
  await engine.start();
  const [ofWaiting, ofRunning] = await ends;
  assert.deepEqual([ofWaiting.exitCode, ofWaiting.output.length], [125, 0]);
  assert.deepEqual([ofRunning.exitCode, ofRunning.output.toString()], [0, "input\nran\n"]);
  for (const cell of [waiting, running]) await room.sandboxes.remove(cell, signal);
  assert.equal((await room.run(sh("cat"), "again")).text, "again");
});
