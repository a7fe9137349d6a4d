import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { failure } from "../../base/failure.ts";
import { complaintOf, type Ending, notThere } from "./complaint.ts";

/** Where something is done: in the network namespace that the path leads to, or in netmon's own. */
export interface Place {
  readonly netns?: string;
}

/** Leads to netmon's own network namespace, from any process of netmon's. */
export const ownNamespace = `/proc/${process.pid}/ns/net`;

export interface RunOptions {
  /** What the program reads; without it, nothing. */
  readonly input?: string;
  /** What is being done, to begin the sentence of a failure: `make lan0 upon eth0`. Without it, the program's words. */
  readonly doing?: string;
  readonly signal: AbortSignal;
}

/**
 * Runs a program to its end and returns what it printed.
 * @throws {Failure} what the kernel or the program complains of, as `complaintOf` reads it.
 */
export async function run(
  place: Place,
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<string> {
  const ending = await attempt(place, program, args, options);
  if (ending.code === 0) return ending.stdout;
  const { doing = `run \`${[program, ...args].join(" ")}\`` } = options;
  const { kind, sentence } = complaintOf(program, ending);
  throw failure(kind, `cannot ${doing}: ${sentence}`);
}

/** The kernel answers at once, a station of the LAN within seconds; a machine that is swapping may take its time. */
const timeoutMs = 10_000;
/** A thousand links are a megabyte. */
const maxBuffer = 64 << 20;

/** Runs a program to its end, however it ends. @throws {Failure} unavailable: it did not end by itself. */
export async function attempt(
  { netns }: Place,
  program: string,
  args: readonly string[],
  { input = "", signal }: RunOptions,
): Promise<Ending> {
  const words = netns === undefined ? [program, ...args] : ["nsenter", `--net=${netns}`, program, ...args];
  const [first = program, ...rest] = words;
  try {
    const running = promisify(execFile)(first, rest, { signal, maxBuffer, timeout: timeoutMs });
    // A program that ended before it read all says so by its ending.
    running.child.stdin?.on("error", () => {}).end(input);
    const { stdout, stderr } = await running;
    return { code: 0, stdout, stderr };
  } catch (thrown) {
    signal.throwIfAborted();
    return endingOf(thrown, first);
  }
}

function endingOf(thrown: unknown, program: string): Ending {
  if (!(thrown instanceof Error) || !("code" in thrown)) throw thrown;
  const { code } = thrown;
  const [stdout, stderr] = ["stdout", "stderr"].map((key) => String(Reflect.get(thrown, key) ?? ""));
  if (code === "ENOENT") return { code: notThere, stdout: "", stderr: `${program}: not found` };
  if (typeof code === "number") return { code, stdout: stdout ?? "", stderr: stderr ?? "" };
  throw failure("unavailable", `${program} gave no answer within ${timeoutMs / 1_000} s`, { cause: thrown });
}
