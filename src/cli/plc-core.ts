import * as v from "valibot";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";
import type { PlcSession } from "./plc-session.ts";

/** What the core of a PLC answers: text such as `STATUS:RUNNING`, and a newline. */
const coreShape = v.object({
  status: v.pipe(
    v.string(),
    v.transform((text) => text.trim()),
  ),
});
const statusShape = v.object({
  ...coreShape.entries,
  timing_stats: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
});

/** `RUNNING`, `STOPPED`, `ERROR`, `EMPTY`, `INIT`, or whatever else it says. */
export async function plcState(plc: PlcSession): Promise<string> {
  return stateIn((await plc.ask(coreShape, { path: "/api/status" })).status);
}

/** The same with the figures of its scan cycle, which are in microseconds but for counts. */
export async function plcFigures(
  plc: PlcSession,
): Promise<{ state: string; timing: Record<string, unknown> }> {
  const { status, timing_stats: timing } = await plc.ask(statusShape, {
    path: "/api/status?include_stats=true",
  });
  return { state: stateIn(status), timing: timing ?? {} };
}

/** Starts the program. One that runs is the same success. */
export async function startPlc(plc: PlcSession): Promise<void> {
  const { status } = await plc.ask(coreShape, { path: "/api/start-plc" });
  if (status === "START:OK" || status === "START:ERROR_ALREADY_RUNNING") return;
  throw failure("conflict", `runtime ${plc.runtime} does not start its program: ${evidence(status)}`);
}

/** Stops the program. One that is stopped is the same success. */
export async function stopPlc(plc: PlcSession): Promise<void> {
  const { status } = await plc.ask(coreShape, { path: "/api/stop-plc" });
  if (status === "STOP:OK" || (await plcState(plc)) === "STOPPED") return;
  throw failure("conflict", `runtime ${plc.runtime} does not stop its program: ${evidence(status)}`);
}

function stateIn(status: string): string {
  return status.replace(/^STATUS:/, "");
}
