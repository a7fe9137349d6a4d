import type Docker from "dockerode";
import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { label } from "../../wire/labels.ts";
import type { Engine } from "./engine.ts";
import { runtimeNamed } from "./names.ts";

/** What can change the answer to "does it run, with all it needs". Nothing is concluded from an event but to look again. */
const filters: Docker.GetEventsOptions["filters"] = {
  type: ["container", "network", "volume"],
  event: ["create", "start", "die", "destroy", "oom", "pause", "unpause", "health_status", "disconnect"],
};

export interface EventsOptions {
  engine: Engine;
  instanceId: string;
  clock: Clock;
  random: () => number;
  /**
   * Called with the runtime of which something may have changed; without a name after each connect, because nobody tells what
   * happened in between.
   */
  wake: (runtime?: string) => void;
}

/** Follows the engine's events for as long as the signal lets it. An engine that is away is asked again and again. */
export async function followEvents(options: EventsOptions, signal: AbortSignal): Promise<void> {
  const { engine, clock, random, wake } = options;
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      const stream = await engine.call("follow its events", signal, (docker, abortSignal) =>
        docker.getEvents({ filters, abortSignal } as Docker.GetEventsOptions),
      );
      attempt = 0;
      wake();
      for await (const line of linesOf(stream)) {
        const runtime = runtimeOf(line, options.instanceId);
        if (runtime !== undefined) wake(runtime);
      }
    } catch {
      // Who looks at the engine tells that it is away, and why; here it only means to try again.
    }
    wake();
    await clock
      .sleep(backoffMs(Math.max(attempt, 1), { firstMs: 500, lastMs: 10_000, random }), signal)
      .catch(() => {});
  }
}

async function* linesOf(stream: AsyncIterable<unknown>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = `${rest}${String(chunk)}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines.filter((line) => line.trim() !== "");
  }
}

/** Whose object an event is about; undefined when it is none of ours. Containers carry labels, all have our names. */
export function runtimeOf(line: string, instanceId: string): string | undefined {
  const { Actor = {} } = JSON.parse(line) as { Actor?: { ID?: string; Attributes?: Record<string, string> } };
  const { ID = "", Attributes = {} } = Actor;
  if (Attributes[label.instance] === instanceId) return Attributes[label.runtime];
  // A volume has nothing but its name, and that is its id.
  return runtimeNamed(Attributes.name ?? "", instanceId) ?? runtimeNamed(ID, instanceId);
}
