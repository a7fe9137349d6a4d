/** What a program takes of its machine, looked at from outside, and from within after a collection. */
import { readdir, readFile, readlink, rm } from "node:fs/promises";
import type { Program } from "../../test/journeys/program.ts";
import { until } from "../../test/journeys/until.ts";
import { memoryOf } from "../measure/memory.ts";
import { type Held, heldFile } from "./watched.ts";

export interface Sample {
  /** Hours since the first. */
  at: number;
  residentMb: number;
  /** The same after the collection: without what waited for it. */
  keptMb: number;
  heapMb: number;
  /** Of it what V8 compiled. */
  codeMb: number;
  outsideMb: number;
  /** Open files of all kinds, sockets among them. */
  files: number;
  sockets: number;
  open: Record<string, number>;
}

/** Longer than a collection takes in a program that has much to do, in milliseconds. */
const patienceMs = 20_000;

/** Resident memory as it is, then what is held after a collection. */
export async function sampleOf(program: Program, folder: string, at: number): Promise<Sample> {
  const { pid } = program;
  const { residentMb } = await memoryOf(pid);
  const { files, sockets } = await openFiles(pid);
  const { heapBytes, codeBytes, outsideBytes, open } = await heldBy(program, folder);
  const { residentMb: keptMb } = await memoryOf(pid);
  return {
    ...{ at, residentMb, keptMb, files, sockets, open },
    heapMb: heapBytes / 1e6,
    codeMb: codeBytes / 1e6,
    outsideMb: outsideBytes / 1e6,
  };
}

async function heldBy(program: Program, folder: string): Promise<Held> {
  const file = heldFile(folder, program.pid);
  await rm(file, { force: true });
  program.signal("SIGUSR2");
  const text = await until("the program says what it holds", () => readFile(file, "utf8"), patienceMs);
  return JSON.parse(text) as Held; // As watched.ts wrote it.
}

async function openFiles(pid: number): Promise<{ files: number; sockets: number }> {
  const folder = `/proc/${pid}/fd`;
  const targets = await Promise.all(
    (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => "")),
  );
  return {
    files: targets.length,
    sockets: targets.filter((target) => target.startsWith("socket:")).length,
  };
}
