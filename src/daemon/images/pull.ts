import type { Clock } from "../../base/clock.ts";
import { type Engine, EngineFailure, fullReference, saidInStream, translated } from "../engine/index.ts";
import { PullCount, type PullLine, type PullProgress } from "./pull-progress.ts";
import { type Credentials, registryOf } from "./registry-credentials.ts";

export interface PullOptions {
  clock: Clock;
  signal: AbortSignal;
  /** Told how far it is, as often as the engine tells. */
  onProgress: (progress: PullProgress) => void;
  /** A pull of which nothing was heard for so long is given up, and tried again while its command lasts. */
  silenceMs: number;
  /** Who the registry is asked as; nobody when undefined. */
  credentials: Credentials | undefined;
  /** Where the credentials would be, for people. */
  credentialsFile: string;
}

/**
 * Pulls an image. Cancelling ends it in the engine too, which may notice only with the next bytes of the registry. A layer
 * whose connection breaks is taken up again by the engine where it broke; of a pull that is given up, engines with the
 * containerd image store keep the layers that are complete.
 * @throws {Failure} not_found, denied, unavailable: as the registry or the way to it says, and who it was asked as.
 */
export async function pull(engine: Engine, image: string, options: PullOptions): Promise<void> {
  const { signal, onProgress, clock, silenceMs, credentials } = options;
  const silence = new AbortController();
  const stop = AbortSignal.any([signal, silence.signal]);
  let heardAt = clock.elapsed();
  const watching = watchSilence(clock, () => heardAt + silenceMs, stop).then(
    () => silence.abort(),
    () => {}, // The pull ended first.
  );
  const count = new PullCount();
  try {
    // The engine answers at once when the registry does, so the whole time until then counts as silence.
    const lines = await engine.call(
      `pull ${image}`,
      stop,
      (docker, abortSignal) =>
        docker.pull(fullReference(image), { authconfig: credentials?.auth, abortSignal }),
      2 * silenceMs,
    );
    for await (const line of jsonLines(lines)) {
      heardAt = clock.elapsed();
      if (line.error !== undefined) throw saidInStream(line.error, `pull ${image}`);
      const progress = count.take(line, heardAt);
      if (progress) onProgress(progress);
    }
  } catch (thrown) {
    signal.throwIfAborted();
    if (silence.signal.aborted) {
      const sentence = `the registry ${registryOf(image)} sent nothing of ${image} for ${silenceMs / 1000} s`;
      throw new EngineFailure("unavailable", sentence, { retry: "later", status: 500 });
    }
    throw withAsker(translated(thrown, `pull ${image}`, engine.host), image, options);
  } finally {
    silence.abort();
    await watching;
  }
}

/** The failure with the registry and who it was asked as, and without any secret, whoever repeated it. */
function withAsker(
  thrown: unknown,
  image: string,
  { credentials, credentialsFile }: Pick<PullOptions, "credentials" | "credentialsFile">,
): unknown {
  if (!(thrown instanceof EngineFailure) || thrown.status === undefined) return thrown;
  const { kind, retry, status } = thrown;
  const asked = credentials
    ? `with the entry ${JSON.stringify(credentials.entry)} of ${credentialsFile}`
    : `without credentials, since ${credentialsFile} has no entry for it`;
  const isOfRegistry = kind === "denied" || kind === "not_found" || kind === "unavailable";
  const message = isOfRegistry
    ? `${thrown.message} (registry ${registryOf(image)}, asked ${asked})`
    : thrown.message;
  const { secrets = [] } = credentials ?? {};
  const told = secrets.reduce((text, secret) => text.replaceAll(secret, "[redacted]"), message);
  // Without the cause, which the log would write as it came.
  return new EngineFailure(kind, told, { retry, status });
}

/** Resolves when the moment that `until` tells has passed; it may move while we wait. */
async function watchSilence(clock: Clock, until: () => number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const restMs = until() - clock.elapsed();
    if (restMs <= 0) return;
    await clock.sleep(restMs, signal);
  }
}

/** A line longer than this is not progress of a pull. */
const maxLine = 1 << 20;

async function* jsonLines(stream: AsyncIterable<unknown>): AsyncGenerator<PullLine> {
  let rest = "";
  for await (const chunk of stream) {
    rest += String(chunk);
    if (rest.length > maxLine) throw new Error("the engine's progress has a line over a megabyte");
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as PullLine;
  }
  if (rest.trim() !== "") yield JSON.parse(rest) as PullLine;
}
