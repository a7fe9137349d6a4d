import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { numberText } from "../../wire/device-path.ts";
import { run } from "../namespaces/index.ts";
import { type Passage, splitProgram, withPassages } from "./device-program.ts";
import type { Group, Rule } from "./group.ts";
import { objectFile } from "./object-file.ts";

/** A program that decides about the devices of a group. */
interface Attached {
  readonly folder: string;
  readonly id: number;
  readonly mode: "multi" | "override";
  readonly passages: readonly Passage[];
  /** As the engine made it. */
  readonly rest: Buffer;
}

/** By what the kernel shows whose it is. */
const name = "edge_devices";

/**
 * A control group of version 2: the engine, and systemd beside it, attach programs in the kernel's own language, each of which must
 * say yes. Each is replaced by one that lets our devices through and then is the same. The new one is attached before the old
 * one goes, so that never more is allowed than either of them does.
 */
export function groupOfVersion2(folders: readonly string[], signal: AbortSignal): Group {
  return {
    rules: async () => rulesOf(await attachedTo(folders, signal)),
    change: async (which, number, access) => {
      for (const program of await attachedTo(folders, signal)) {
        const others = program.passages.filter((one) => numberText(one.number) !== numberText(number));
        const passages = which === "allow" ? [...others, { number, access }] : others;
        await replace(program, withPassages(passages, program.rest), signal);
      }
    },
  };
}

/** What every program lets through by us. A group without any program may use everything. */
function rulesOf(programs: readonly Attached[]): Rule[] {
  const [first, ...others] = programs;
  if (!first) return [{ kind: "a", major: "*", minor: "*", access: "rwm" }];
  const text = ({ number, access }: Passage) => `${numberText(number)} ${access}`;
  return first.passages
    .filter((one) => others.every(({ passages }) => passages.some((other) => text(other) === text(one))))
    .map(({ number, access }) => {
      return { kind: number.kind, major: String(number.major), minor: String(number.minor), access };
    });
}

const shownSchema = v.array(v.object({ id: v.number(), attach_type: v.string(), attach_flags: v.string() }));

async function attachedTo(folders: readonly string[], signal: AbortSignal): Promise<Attached[]> {
  const doing = "see which devices its container may use";
  const found: Attached[] = [];
  for (const folder of folders) {
    const said = await run({}, "bpftool", ["-j", "cgroup", "show", folder], { signal, doing });
    const shown = v.parse(shownSchema, JSON.parse(said.trim() || "[]"));
    for (const { id, attach_type, attach_flags } of shown) {
      if (!attach_type.endsWith("device")) continue;
      const program = await within(async (own) => {
        const file = join(own, "program");
        await run({}, "bpftool", ["prog", "dump", "xlated", "id", String(id), "file", file], {
          signal,
          doing,
        });
        return await readFile(file);
      });
      const mode = attach_flags === "multi" ? "multi" : "override";
      found.push({ folder, id, mode, ...splitProgram(program) });
    }
  }
  return found;
}

/** Loads it where nothing stays of the way there, also when netmon is killed. */
const script = `set -e
mount -t bpf bpf "$1"
bpftool prog load "$2" "$1/it" type cgroup/dev
bpftool cgroup attach "$3" device pinned "$1/it" "$4"`;

async function replace({ folder, id, mode }: Attached, program: Buffer, signal: AbortSignal): Promise<void> {
  const doing = "let its container use a device, or no more";
  await within(async (own) => {
    const file = join(own, "object");
    await writeFile(file, objectFile(program, name));
    await within(async (place) => {
      const args = ["--mount", "sh", "-c", script, "sh", place, file, folder, mode];
      await run({}, "unshare", args, { signal, doing });
    });
  });
  // Where there can be one only, the new one has taken its place.
  if (mode === "override") return;
  await run({}, "bpftool", ["cgroup", "detach", folder, "device", "id", String(id)], { signal, doing });
}

/** Does something with a folder that is gone afterwards. */
async function within<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "netmon-")).catch((cause: unknown) => {
    throw failure("unavailable", `nothing can be written in ${tmpdir()}`, { cause });
  });
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
