/** What a soak runs on: the hub and the daemon that ship, a few runtimes that write logs, and a link between that can break. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RuntimeProfile } from "../../gen/edge/v1/runtimes_pb.ts";
import { Wishes } from "../../gen/edge/v1/wishes_pb.ts";
import { startEngine } from "../../test/fixtures/engine.ts";
import { scriptImage } from "../../test/fixtures/images.ts";
import { makeWorld, type World } from "../../test/journeys/world.ts";
import { buildAll } from "../build.ts";
import { type Shipped, shippedDaemon, shippedHub } from "../measure/shipped.ts";
import { type Link, openLink } from "./link.ts";
import { folderVariable } from "./watched.ts";

export interface Ground extends AsyncDisposable {
  world: World;
  link: Link;
}

/** Writes ten lines a second, and ends when it is asked to. */
const talkative =
  "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo \"line $n: the press has done its work once more\"; sleep 0.1 & wait $!; done";

export const runtimeNames = ["press-1", "press-2", "press-3"];

const watch = ["--expose-gc", `--import=${new URL("watched.ts", import.meta.url).pathname}`];
const watched = ({ node, env }: Shipped) => ({ node: [...node, ...watch], env });

/** `folder`: an empty one, in which the bundle is built: another build meanwhile must not change what runs here. */
export async function openGround(folder: string): Promise<Ground> {
  await using opened = new AsyncDisposableStack();
  const dist = join(folder, "dist");
  await buildAll(dist);
  const engine = opened.use(await startEngine({ name: "soak" }));
  const world = opened.use(
    await makeWorld({
      engine,
      entry: join(dist, "orchestrator.js"),
      own: { hub: watched(shippedHub()), daemon: watched(shippedDaemon()) },
      env: { [folderVariable]: folder, ORCHESTRATOR_LOG_LEVEL: "error" },
    }),
  );
  await world.startHub();
  await world.enrol();
  const link = opened.use(await openLink(world.linePort));
  await dialThrough(link, join(world.folder, "daemon/identity.json"));
  await world.startDaemon();
  await world.connected();

  const image = await scriptImage(engine);
  const spec = {
    image,
    profile: RuntimeProfile.PLAIN,
    env: [{ name: "DO", value: talkative }],
    stopGraceMs: 2000,
  };
  const runtimes = runtimeNames.map((name) => ({ ...spec, name }));
  const applied = await world.local(Wishes).applyWishes({ runtimes });
  const refused = applied.runtimes.find(({ failure }) => failure);
  if (refused) throw new Error(`${refused.name}: ${refused.failure?.message}`);

  const owned = opened.move();
  return { world, link, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The identity names the addresses of the line: the link's takes the place of the hub's own. */
async function dialThrough(link: Link, file: string): Promise<void> {
  const identity = JSON.parse(await readFile(file, "utf8")) as object;
  await writeFile(file, JSON.stringify({ ...identity, lineAddresses: [link.address] }), { mode: 0o600 });
}
