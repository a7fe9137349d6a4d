import { basename } from "node:path";
import * as v from "valibot";
import { failure } from "../base/failure.ts";
import { formatDuration } from "../base/quantity.ts";
import { readPayload } from "./payload.ts";
import { plcState, startPlc } from "./plc-core.ts";
import type { PlcSession } from "./plc-session.ts";
import { ProgressLine } from "./progress.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";

/** A request with its form around the file must fit into a frame of the line; more is for a channel, once there are some. */
const maxFileBytes = 950 << 10;
/** How long a build is waited for; on small boards it takes minutes. In milliseconds, as are the pauses between looks. */
const buildMs = { most: 15 * 60_000, pause: 500 };
/** How long a new program may take to be started by the runtime itself, in milliseconds. */
const selfStartMs = 5_000;
/** Lines of a build's log that a person sees when it failed. */
const shownLines = 20;

const uploadShape = v.object({ UploadFileFail: v.string(), CompilationStatus: v.optional(v.string()) });
const buildShape = v.object({
  status: v.string(),
  logs: v.optional(v.array(v.string()), []),
  exit_code: v.optional(v.nullable(v.number())),
});

/** How a build ended. */
export interface Built {
  status: string;
  logs: string[];
  tookMs: number;
}

/** The bytes of a program. @throws {Failure} not_found, exhausted. */
export async function readProgram(path: string, { cwd }: Pick<Run, "cwd">): Promise<File> {
  const bytes = await readPayload(path, { cwd, maxBytes: maxFileBytes });
  return new File([bytes], basename(path), { type: "application/zip" });
}

/**
 * Uploads a program, waits until it is built and runs. Progress and, when it fails, the end of the build's log go to
 * standard error. @throws {Failure} conflict: another build is under way, or this one failed.
 */
export async function uploadProgram(run: Run, plc: PlcSession, program: File): Promise<Built> {
  using line = new ProgressLine(run);
  line.show("uploading ...", `uploading ${printable(program.name)}`);
  const form = new FormData();
  form.set("file", program);
  const { UploadFileFail: refusal } = await plc.ask(uploadShape, {
    ...{ method: "POST", path: "/api/upload-file" },
    body: await encoded(form),
  });
  if (refusal !== "") throw failure("conflict", `runtime ${plc.runtime} takes no program now: ${refusal}`);
  const built = await buildToEnd(run, plc, line);
  line.show("starting ...", "starting");
  await running(run, plc);
  return built;
}

async function buildToEnd(run: Run, plc: PlcSession, line: ProgressLine): Promise<Built> {
  const { clock, signal, terminal } = run;
  const startedAt = clock.elapsed();
  for (;;) {
    const {
      status,
      logs,
      exit_code: exitCode,
    } = await plc.ask(buildShape, { path: "/api/compilation-status" });
    const tookMs = clock.elapsed() - startedAt;
    // A clean-up after a failed build may say SUCCESS; its exit code still tells.
    const hasFailed = status === "FAILED" || (status === "SUCCESS" && (exitCode ?? 0) !== 0);
    if (hasFailed) {
      line[Symbol.dispose]();
      for (const one of logs.slice(-shownLines)) terminal.err(`${printable(one.trimEnd())}\n`);
      throw failure(
        "conflict",
        `runtime ${plc.runtime} could not build the program; what ran before may have been stopped`,
      );
    }
    if (status === "SUCCESS") return { status, logs, tookMs };
    const phase = printable(status.toLowerCase());
    line.show(`${phase} ... ${formatDuration(tookMs)}  ${printable(logs.at(-1)?.trimEnd() ?? "")}`, phase);
    if (tookMs > buildMs.most) {
      throw failure(
        "deadline",
        `the build is not done after ${formatDuration(tookMs)}: look at it with \`plc status\``,
      );
    }
    await clock.sleep(buildMs.pause, signal);
  }
}

/** The runtime starts what it has built by itself; one that does not is asked to. */
async function running({ clock, signal }: Run, plc: PlcSession): Promise<void> {
  const startedAt = clock.elapsed();
  while (clock.elapsed() - startedAt < selfStartMs) {
    if ((await plcState(plc)) === "RUNNING") return;
    await clock.sleep(buildMs.pause, signal);
  }
  await startPlc(plc);
}

/** A form as the platform encodes it. */
async function encoded(form: FormData): Promise<{ type: string; bytes: Uint8Array }> {
  const whole = new Response(form);
  return { type: whole.headers.get("content-type") ?? "", bytes: await whole.bytes() };
}
