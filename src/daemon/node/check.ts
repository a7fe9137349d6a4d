import { execFile } from "node:child_process";
import { create } from "@bufbuild/protobuf";
import { type Finding, FindingLevel, FindingSchema } from "../../../gen/edge/v1/findings_pb.ts";
import { failure } from "../../base/failure.ts";

/** Where the doctor runs, and whom it finds there. */
export interface Surgery {
  /** The command line of this very program, as far as its first argument; empty where nobody knows it. */
  program: readonly string[];
  dataDir: string;
  socket: string;
  env: NodeJS.ProcessEnv;
}

/** The doctor takes 5 s; the rest is for a machine that has much to do. */
const limitMs = 10_000;
const maxBytes = 1 << 20;

const levels: Readonly<Record<string, FindingLevel>> = {
  ok: FindingLevel.OK,
  unknown: FindingLevel.UNKNOWN,
  warn: FindingLevel.WARN,
  fail: FindingLevel.FAIL,
};

/**
 * Has `orchestrator doctor` look at this machine, as a program of its own: it has the daemon's rights, and what it starts and holds
 * in memory is gone when it ends. Who asks while it looks gets what it finds.
 */
export function doctorAt(surgery: Surgery): () => Promise<Finding[]> {
  let looking: Promise<Finding[]> | undefined;
  return async () => {
    looking ??= look(surgery).finally(() => {
      looking = undefined;
    });
    return await looking;
  };
}

async function look({ program, dataDir, socket, env }: Surgery): Promise<Finding[]> {
  const [file, ...args] = program;
  if (file === undefined) throw failure("unavailable", "this daemon does not know where its program is");
  const told = await output(file, [...args, "doctor", "--json", "--offline"], {
    ...env,
    ORCHESTRATOR_DAEMON_DATA_DIR: dataDir,
    ORCHESTRATOR_DAEMON_SOCKET: socket,
  });
  try {
    return findingsIn(JSON.parse(told));
  } catch (cause) {
    throw failure("unavailable", "the doctor of this node did not end with findings", { cause });
  }
}

/** What the program writes. That it exits with 1, because something fails, is no failure of its own. */
function output(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve) => {
    execFile(file, args, { env, timeout: limitMs, maxBuffer: maxBytes }, (_error, stdout) => resolve(stdout));
  });
}

/** What `doctor --json` prints. @throws {Error} it is something else. */
export function findingsIn(told: unknown): Finding[] {
  const { findings } = told as { findings: Record<keyof Finding, unknown>[] }; // Anything else throws below.
  return findings.map((one) =>
    create(FindingSchema, {
      check: String(one.check),
      level: levels[String(one.level)] ?? FindingLevel.UNKNOWN,
      says: String(one.says),
      why: String(one.why),
      next: String(one.next),
    }),
  );
}
