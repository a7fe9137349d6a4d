import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { buildSampleImage } from "../../tools/sample-image.ts";
import { sharedEngine } from "../fixtures/engine.ts";

const run = promisify(execFile);

test("the sample's image is made without a registry, runs, answers on its address, and ends when asked", async () => {
  await using engine = await sharedEngine();
  const tag = `orchestrator-test/sample-${process.pid}:1`;
  const said: string[] = [];
  const onProgress = (sentence: string) => said.push(sentence);
  assert.deepEqual(await buildSampleImage(engine.docker, { tag, onProgress }), { tag, made: true });
  await using cleaning = new AsyncDisposableStack();
  cleaning.defer(() => engine.docker.getImage(tag).remove({ force: true }));

  const layers = async () => (await engine.docker.getImage(tag).inspect()).RootFS.Layers;
  const firstLayers = await layers();
  assert.deepEqual(await buildSampleImage(engine.docker, { tag, onProgress }), { tag, made: false });
  assert.match(said.at(-1) ?? "", /up to date/);
  await engine.docker.getImage(tag).remove();
  assert.deepEqual(await buildSampleImage(engine.docker, { tag }), { tag, made: true });
  assert.deepEqual(await layers(), firstLayers, "the same content must give the same layer");

  const container = await engine.docker.createContainer({ Image: tag });
  cleaning.defer(() => container.remove({ force: true, v: true }));
  await container.start();
  const inspected = await container.inspect();
  assert.ok(inspected.Config.Healthcheck?.Test?.includes("--health"));
  const url = `https://${inspected.NetworkSettings.Networks.bridge?.IPAddress}:8443/api/version`;
  assert.match(await untilAnswering(engine.netns, url), /"version":"v4/);

  const health = await container.exec({ Cmd: ["node", "/app/openplc-sample.js", "--health"] });
  // The engine leaves the connection open, also of what it detached; it would keep this process.
  (await health.start({ Detach: true })).destroy();
  const deadline = performance.now() + 60_000;
  let exitCode: number | null = null;
  while (exitCode === null && performance.now() < deadline) {
    await sleep(20);
    ({ ExitCode: exitCode } = await health.inspect());
  }
  assert.equal(exitCode, 0);

  await container.stop({ t: 10 });
  assert.equal(
    (await container.inspect()).State.ExitCode,
    0,
    "killed, or failed, instead of ending by itself",
  );
});

/** The answer, asked from inside the engine's network; the server needs a moment after its container started. */
async function untilAnswering(netns: string, url: string): Promise<string> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      return (await run("nsenter", [`--net=/run/netns/${netns}`, "curl", "-sSk", "--max-time", "5", url]))
        .stdout;
    } catch (cause) {
      if (performance.now() > deadline) throw cause;
      await sleep(50);
    }
  }
}
