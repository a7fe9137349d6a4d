import type Docker from "dockerode";
import type { Engine, ObservedContainer } from "../engine/index.ts";

/** What an engine says that finds, when it starts, that a container is gone with which it was running. Programs may end so, too. */
const unseen = 255;

/**
 * A container with the code of its last end as somebody saw it: undefined when nobody did, as in a power cut. The engine has
 * forgotten the code when the container runs again; then its list of what happened lately is asked, as it is about one that it
 * may have made up.
 */
export async function withExitCode(
  engine: Engine,
  seen: ObservedContainer,
  signal: AbortSignal,
): Promise<ObservedContainer> {
  if (seen.exitCode !== undefined && seen.exitCode !== unseen) return seen;
  return { ...seen, exitCode: await exitCodeOf(engine, seen, signal) };
}

/** From the engine's list of what happened lately; undefined when it is not in there, as after a restart of the engine. */
async function exitCodeOf(
  engine: Engine,
  { id, finishedAt }: Pick<ObservedContainer, "id" | "finishedAt">,
  signal: AbortSignal,
): Promise<number | undefined> {
  const filters: Docker.GetEventsOptions["filters"] = { container: [id], event: ["die"] };
  // A list that ends with this moment is told at once; one that does not is waited for.
  const times = { since: Math.floor(Date.parse(finishedAt) / 1000), until: Date.now() / 1000 };
  const said = await engine.call("tell how a container ended", signal, async (docker, abortSignal) => {
    const options = { ...times, filters, abortSignal } as Docker.GetEventsOptions;
    let text = "";
    for await (const chunk of await docker.getEvents(options)) text += String(chunk);
    return text;
  });
  return [...said.matchAll(/"exitCode":"(\d+)"/g)].map(([, code]) => Number(code)).at(-1);
}
