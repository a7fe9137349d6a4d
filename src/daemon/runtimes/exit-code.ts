import type Docker from "dockerode";
import type { Engine, ObservedContainer } from "../engine/index.ts";

/**
 * With which code a container ended that runs again: the engine has forgotten it but for its list of what happened lately.
 * Undefined when it is not in there, as after a restart of the engine.
 */
export async function exitCodeOf(
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
