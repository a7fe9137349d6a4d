import { failure } from "../../base/failure.ts";
import { programs } from "./init/programs.ts";

/** The program that is the first process of every cell: see init/init.c. @throws {Failure} unsupported: not on this machine. */
export function firstProcess(machine: string = process.arch): Buffer {
  const program = programs[machine];
  if (program !== undefined) return Buffer.from(program, "base64");
  const known = Object.keys(programs).join(" and ");
  throw failure("unsupported", `agents cannot run on ${machine} machines: there are cells for ${known} only`);
}

/** A task's input, as the first process of its cell takes it: nothing of it counts before all of it has come. */
export function framed(input: Uint8Array): Buffer {
  const head = Buffer.from("cell\0\0\0\0");
  head.writeUInt32LE(input.length, 4);
  return Buffer.concat([head, input]);
}

/** How a cell ends whose program never had anything of its input, and what its first process writes to standard error then. */
export const noInputCode = 125;
export const noInputLine =
  "orchestrator: its input did not come whole: it is ended without having had any of it";

/** Which folder in memory was full at the end, if that is what a line of the first process says. */
export function fullFolder(line: string): string | undefined {
  return /^orchestrator: (\/\S+) was full$/.exec(line)?.[1];
}
