import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * The name of the variable by which the test runner says where its fresh build is: what ships is what is tested, and it starts in
 * half the time. A file that is run alone runs the sources.
 */
export const builtProgramVariable = "TEST_PROGRAM_OF_THE_RUN";

/** Our programs. */
export const orchestrator =
  process.env[builtProgramVariable] ?? new URL("../../src/orchestrator.ts", import.meta.url).pathname;

/** How long a program of ours may take to end when asked politely, also on a busy machine. */
const stopTimeoutMs = 30_000;
/** How long a command that ends on its own may take. */
const runTimeoutMs = 120_000;

export interface Program extends AsyncDisposable {
  /** Starts it; returns at once. */
  start(): void;
  /** SIGTERM, and waits for its end. Fails when it has to be killed. */
  stop(): Promise<void>;
  /** SIGKILL, and waits for its end. */
  kill9(): Promise<void>;
  /** Waits until it ends on its own; its exit code. */
  ended(): Promise<number | null>;
  signal(name: NodeJS.Signals): void;
  /** Of the process that runs, or ran last; 0 before the first. */
  readonly pid: number;
  /** All that it has written, of all its lives. */
  output(): string;
}

export interface ProgramOptions {
  env: Record<string, string>;
  /** What is run: `orchestrator`, if nothing else is given. */
  entry?: string;
  /** Words in front of `node`, as in `["ip", "netns", "exec", "plant"]`. */
  under?: readonly string[];
  /** Words for Node itself. */
  node?: readonly string[];
}

/** Words before a program that sees other files in place of those of the machine, by path. */
export function seeing(instead: Readonly<Record<string, string>>): string[] {
  const mounts = Object.entries(instead).map(([path, other]) => `mount --bind ${other} ${path}`);
  return ["unshare", "--mount", "sh", "-c", [...mounts, 'exec "$@"'].join(" && "), "sh"];
}

/** One of our programs as a process of its own. */
export function program(
  args: string[],
  { env, entry = orchestrator, under = [], node = [] }: ProgramOptions,
): Program {
  let child: ChildProcess | undefined;
  let output = "";
  const running = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const exit = async (): Promise<number | null> => {
    if (child && running()) await once(child, "exit");
    return child?.exitCode ?? null;
  };
  return {
    start() {
      const [command = process.execPath, ...rest] = [...under, process.execPath, ...node, entry, ...args];
      child = spawn(command, rest, {
        env: { ...bareEnv(), ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on("data", (text: Buffer) => {
          output += text.toString();
        });
      }
    },
    async stop() {
      if (!running()) return;
      child?.kill("SIGTERM");
      const polite = await Promise.race([
        exit().then(() => true),
        sleep(stopTimeoutMs, false, { ref: false }),
      ]);
      if (polite) return;
      child?.kill("SIGKILL");
      await exit();
      throw new Error(
        `${args.join(" ")} did not end within ${stopTimeoutMs} ms of SIGTERM:\n${output.slice(-3000)}`,
      );
    },
    async kill9() {
      if (running()) child?.kill("SIGKILL");
      await exit();
    },
    ended: exit,
    signal: (name) => void child?.kill(name),
    get pid() {
      return child?.pid ?? 0;
    },
    output: () => output,
    async [Symbol.asyncDispose]() {
      if (running()) child?.kill("SIGKILL");
      await exit();
    },
  };
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs one of our commands to its end. */
export async function runOnce(args: string[], options: ProgramOptions & { stdin?: string }): Promise<Ran> {
  const { env, entry = orchestrator, under = [] } = options;
  const [command = process.execPath, ...rest] = [...under, process.execPath, entry, ...args];
  const child = spawn(command, rest, {
    env: { ...bareEnv(), ...env },
  });
  const ran = { code: -1, stdout: "", stderr: "" };
  child.stdout.on("data", (text: Buffer) => {
    ran.stdout += text.toString();
  });
  child.stderr.on("data", (text: Buffer) => {
    ran.stderr += text.toString();
  });
  child.stdin.end(options.stdin ?? "");
  // A command that should have refused and serves instead must not hold up the whole suite.
  const late = setTimeout(() => child.kill("SIGKILL"), runTimeoutMs);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(late);
  return { ...ran, code: code ?? -1 };
}

/** Nothing of whoever runs the tests, but where Node keeps what it compiled (tools/test.ts). */
function bareEnv(): Record<string, string> {
  const { PATH = "", NODE_COMPILE_CACHE } = process.env;
  return { PATH, HOME: "/nonexistent", ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }) };
}
