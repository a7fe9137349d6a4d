import type { Clock } from "../../base/clock.ts";
import type { Engine } from "./engine.ts";
import { EngineFailure, saidInStream, translated } from "./engine-failures.ts";
import { fullReference } from "./names.ts";

/** A pull of which nothing was heard for so long is given up, and tried again while its command lasts. */
export const silenceMs = 60_000;

interface Line {
  status?: string;
  id?: string;
  error?: string;
  progressDetail?: { current?: number; total?: number };
}

export interface PullOptions {
  clock: Clock;
  signal: AbortSignal;
  /** Told the bytes that arrived and the bytes that are known of, as often as the engine tells; the total grows. */
  onProgress: (doneBytes: number, totalBytes: number) => void;
  silenceMs?: number;
}

/**
 * Pulls an image. Cancelling ends it in the engine too; layers that are complete are kept there and not pulled again.
 * @throws {Failure} not_found, denied, unavailable: as the registry or the way to it says.
 */
export async function pull(engine: Engine, image: string, options: PullOptions): Promise<void> {
  const { signal, onProgress, clock } = options;
  const silence = new AbortController();
  const stop = AbortSignal.any([signal, silence.signal]);
  const allowedMs = options.silenceMs ?? silenceMs;
  let heardAt = clock.elapsed();
  const watching = watchSilence(clock, () => heardAt + allowedMs, stop).then(
    () => silence.abort(),
    () => {}, // The pull ended first.
  );
  const layers = new Map<string, { done: number; total: number }>();
  try {
    // The engine answers at once when the registry does, so the whole time until then counts as silence.
    const lines = await engine.call(
      `pull ${image}`,
      stop,
      (docker, abortSignal) => docker.pull(fullReference(image), { abortSignal }),
      2 * allowedMs,
    );
    for await (const line of jsonLines(lines)) {
      heardAt = clock.elapsed();
      if (line.error !== undefined) throw saidInStream(line.error, `pull ${image}`);
      if (count(layers, line)) onProgress(...sum(layers));
    }
  } catch (thrown) {
    signal.throwIfAborted();
    if (silence.signal.aborted) {
      const sentence = `the registry of ${image} sent nothing for ${allowedMs / 1000} s`;
      throw new EngineFailure("unavailable", sentence, { retry: "later", status: 500, cause: thrown });
    }
    throw translated(thrown, `pull ${image}`, engine.host);
  } finally {
    silence.abort();
    await watching;
  }
}

/** Resolves when the moment that `until` tells has passed; it may move while we wait. */
async function watchSilence(clock: Clock, until: () => number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const restMs = until() - clock.elapsed();
    if (restMs <= 0) return;
    await clock.sleep(restMs, signal);
  }
}

/** Takes up what a line says of a layer, and says whether it did. */
function count(
  layers: Map<string, { done: number; total: number }>,
  { id, status, progressDetail }: Line,
): boolean {
  if (id === undefined) return false;
  const known = layers.get(id);
  const { current, total } = progressDetail ?? {};
  if (status === "Downloading" && current !== undefined) {
    layers.set(id, { done: current, total: Math.max(total ?? 0, current) });
    return true;
  }
  if (known && (status === "Download complete" || status === "Pull complete") && known.done < known.total) {
    layers.set(id, { done: known.total, total: known.total });
    return true;
  }
  return false;
}

function sum(layers: Map<string, { done: number; total: number }>): [number, number] {
  let [done, total] = [0, 0];
  for (const layer of layers.values()) {
    done += layer.done;
    total += layer.total;
  }
  return [done, total];
}

/** A line longer than this is not progress of a pull. */
const maxLine = 1 << 20;

async function* jsonLines(stream: AsyncIterable<unknown>): AsyncGenerator<Line> {
  let rest = "";
  for await (const chunk of stream) {
    rest += String(chunk);
    if (rest.length > maxLine) throw new Error("the engine's progress has a line over a megabyte");
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as Line;
  }
  if (rest.trim() !== "") yield JSON.parse(rest) as Line;
}
