import type Docker from "dockerode";
import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { label } from "../../wire/labels.ts";
import type { Engine } from "./engine.ts";
import { objectName } from "./names.ts";

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
  /** Called when something of ours may have changed, and after each connect: nobody tells what happened in between. */
  wake: () => void;
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
      for await (const chunk of stream) if (isOurs(String(chunk), options.instanceId)) wake();
    } catch {
      // Who looks at the engine tells that it is away, and why; here it only means to try again.
    }
    wake();
    await clock
      .sleep(backoffMs(Math.max(attempt, 1), { firstMs: 500, lastMs: 10_000, random }), signal)
      .catch(() => {});
  }
}

/** Containers carry our label; networks and volumes only their names. A piece of a line is taken for ours. */
function isOurs(text: string, instanceId: string): boolean {
  return text.includes(objectName(instanceId, "")) || text.includes(`"${label.instance}":"${instanceId}"`);
}
