import { rm } from "node:fs/promises";
import { join } from "node:path";
import { buildAll } from "../build.ts";
import { engineAt, whyNoAnswer } from "./ask-engine.ts";
import { removeOwnEngine, startOwnEngine } from "./own-engine.ts";
import { checkout, folder, type Record, readRecord } from "./place.ts";
import { end } from "./processes.ts";
import { endLeftPrograms, orchestrator, otherStart, startNetmon, startProgram } from "./programs.ts";
import { type Say, stage, Trouble } from "./say.ts";

/** Longer than npm start takes to stop its programs. */
const startEndsMs = 60_000;

/** `npm run clean`: undoes all that npm start made here, and says what it leaves to those who may want it. */
export async function clean(signal: AbortSignal): Promise<void> {
  const record = await readRecord();
  await stage("Programs", async (say) => {
    const other = await otherStart();
    if (other !== undefined) {
      say(`ending npm start (process ${other})`);
      await end(other, startEndsMs);
    }
    await endLeftPrograms();
    say("none runs");
  });
  if (record) await stage("Runtimes and agents", (say) => removeWorkloads(record, say, signal));
  if (record) await stage("Container engine", (say) => removeFromEngine(record, say));
  await stage("Files", async (say) => {
    await rm(folder, { recursive: true, force: true });
    await rm(join(checkout, "dist"), { recursive: true, force: true });
    say(`${folder} and ${checkout}/dist are gone; node_modules and Debian packages stay`);
  });
}

/** By the daemon that made them: it knows what is its own, and removes exactly that. */
async function removeWorkloads({ engine }: Record, say: Say, signal: AbortSignal): Promise<void> {
  try {
    if (engine.isOurs) await startOwnEngine(say);
    await buildAll(); // The daemon may have changed, or its build be gone, since it made them.
    const status = () => orchestrator(["daemon", "status", "--json"]);
    // What runtimes have on LANs is given back by netmon.
    await using _netmon = await startNetmon(signal);
    await using _daemon = await startProgram("daemon", status, signal);
    const names = (await orchestrator(["runtime", "list", "--local", "--quiet"])).split("\n").filter(Boolean);
    for (const name of names) {
      await orchestrator(["runtime", "delete", name, "--local", "--yes"], { signal });
      say(`runtime ${name} is gone: its container, network and volume`);
    }
    const agents = (await orchestrator(["agent", "list", "--local", "--quiet"])).split("\n").filter(Boolean);
    for (const name of agents) {
      await orchestrator(["agent", "remove", name, "--local", "--cancel-tasks", "--yes"], { signal });
      say(`agent ${name} is gone, and its containers`);
    }
    if (names.length + agents.length === 0) say("there are none");
  } catch (thrown) {
    if (!(thrown instanceof Trouble)) throw thrown;
    say(thrown.message);
    if (!engine.isOurs) say(`what is left in ${engine.host}: docker ps -a --filter label=edge.runtime`);
  }
}

async function removeFromEngine({ engine, madeImages }: Record, say: Say): Promise<void> {
  if (engine.isOurs) {
    await removeOwnEngine();
    say("the engine of this checkout is stopped and gone, with its images");
    return;
  }
  const isThere = (await whyNoAnswer(engine.host)) === undefined;
  if (isThere) await removeOfCells(engine.host);
  if (madeImages.length === 0 || !isThere) {
    say(`${engine.host} is as it was`);
    return;
  }
  for (const image of madeImages) {
    await engineAt(engine.host).getImage(image).remove({ force: true });
    say(`image ${image} is gone from ${engine.host}`);
  }
}

/** What a daemon makes again when it needs it: the network of cells, and the image of what holds their namespaces. */
async function removeOfCells(host: string): Promise<void> {
  const docker = engineAt(host);
  const [networks, images] = await Promise.all([
    docker.listNetworks({ filters: { label: ["edge.cell"] } }),
    docker.listImages({ filters: { label: ["edge.holder"] } }),
  ]);
  // What another daemon uses now stays: the engine refuses.
  await Promise.allSettled([
    ...networks.map(({ Id }) => docker.getNetwork(Id).remove()),
    ...images.map(({ Id }) => docker.getImage(Id).remove()),
  ]);
}
