import { failure } from "../../base/failure.ts";
import { programs } from "./init/programs.ts";

/** The program that is the first process of every cell: see init/init.c. @throws {Failure} unsupported: not on this machine. */
export function firstProcess(machine: string = process.arch): Buffer {
  const program = programs[machine];
  if (program !== undefined) return Buffer.from(program, "base64");
  const known = Object.keys(programs).join(" and ");
  throw failure("unsupported", `agents cannot run on ${machine} machines: there are cells for ${known} only`);
}

/** How many bytes a secret between us and the first process of one cell has. */
export const secretBytes = 8;

/**
 * What the first process is told before anything else: when it starts the program, which never learns the secret.
 * @param isAhead at once. Otherwise with its input: it never runs when that does not come whole.
 */
export function opening(secret: Uint8Array, { isAhead }: { isAhead: boolean }): Buffer {
  return Buffer.concat([Buffer.from(isAhead ? "warm" : "cold"), secret]);
}

/** A task's input, as the first process takes it: nothing of it counts before all of it has come. */
export function framed(input: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(input.length);
  return Buffer.concat([head, input]);
}

/** How a cell ends whose program never had anything of its input, and what its first process writes to standard error then. */
export const noInputCode = 125;
export const noInputLine =
  "orchestrator: its input did not come whole: it is ended without having had any of it";

/** How the first process begins what it says in the end. */
const endMark = "orchestrator-end ";

/** Whether a line looks like one of the first process that is for us only; with its secret, whether it is one. */
export function isEndLine(line: string, secret?: Uint8Array): boolean {
  return line.startsWith(secret ? headOf(secret) : endMark);
}

function headOf(secret: Uint8Array): string {
  return `${endMark}${Buffer.from(secret).toString("hex")} `;
}

/** What the kernel counted of a cell in all, and what was full in the end. */
export interface Counted {
  cpuMs: number;
  memoryPeakBytes: number;
  /** Times that a process was killed for want of memory. */
  oomKills: number;
  /** Times that a process could not be made. */
  pidsRefused: number;
  /** File systems in memory. */
  full: string[];
}

/** What the first process said in the end, of all lines that the cell wrote to its standard error. */
export function countedIn(lines: readonly string[], secret: Uint8Array): Counted {
  const counted: Counted = { cpuMs: 0, memoryPeakBytes: 0, oomKills: 0, pidsRefused: 0, full: [] };
  const head = headOf(secret);
  for (const line of lines.filter((one) => one.startsWith(head))) {
    const [what = "", ...words] = line.slice(head.length).trim().split(" ");
    const [first = ""] = words;
    const figure = (name: string) => Number(words[words.indexOf(name) + 1] ?? 0);
    if (what === "full") counted.full.push(first);
    else if (what.endsWith("/cpuacct.usage")) counted.cpuMs = Math.round(Number(first) / 1e6);
    else if (what.endsWith("/cpu.stat")) counted.cpuMs = Math.round(figure("usage_usec") / 1e3);
    else if (what.endsWith("/pids.events")) counted.pidsRefused = figure("max");
    else if (/memory\.(oom_control|events)$/.test(what)) counted.oomKills = figure("oom_kill");
    else if (/memory\.(peak|max_usage_in_bytes)$/.test(what)) counted.memoryPeakBytes = Number(first);
  }
  return counted;
}
