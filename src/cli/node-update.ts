import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { create, equals } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  type DaemonUpdate,
  DaemonUpdateSchema,
  DaemonUpdateState,
  GetDaemonUpdateResponseSchema,
  type UpdateDaemonResponse,
} from "../../gen/edge/v1/updates_pb.ts";
import { failure } from "../base/failure.ts";
import { answer } from "./answer.ts";
import { changed, type WaitFlag, waiting } from "./change.ts";
import { daemonUpdateInWords, describeDaemonUpdate } from "./daemon-update-tell.ts";
import type { Door } from "./door.ts";
import { duration } from "./flags.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import { type Target, withNode } from "./target.ts";

interface UpdateFlags extends WaitFlag {
  bundle?: string;
  sha256?: string;
  probation?: number;
}

/** A daemon is away while versions take turns: it is asked again so often, and for so long since it was there, in milliseconds. */
const askAgainMs = 500;
const patienceMs = 180_000;

/** `orchestrator node update` */
export function defineDaemonUpdate(noun: Command, run: Run): void {
  waiting(noun.command("update [node]"))
    .description(
      "try another version of a node's daemon, and keep it when it proves itself; or say what runs",
    )
    .option("--bundle <where>", "the bundle: an https:// address, or a file of the node")
    .option("--sha256 <hash>", "of the bundle; not needed with --local and a file")
    .option("--probation <duration>", "time for the new version to prove itself; 2m when not given", duration)
    .addHelpText(
      "after",
      `
The new version must be let in by the hub and see every runtime running that ran before. If it does not, the present one
goes on. Runtimes are not touched. Without --bundle it says what runs, and how the last update went.

Examples:
  orchestrator node update press-hall-7 --bundle https://releases.example.com/orchestrator-agent-linux-x64.tar.gz --sha256 3f5a...
  orchestrator node update --local --bundle ./orchestrator-agent-linux-x64.tar.gz
  orchestrator node update press-hall-7`,
    )
    .action((asked: string | undefined, flags: UpdateFlags) =>
      withNode(
        run,
        async (door, target) => {
          if (flags.bundle === undefined) await tell(run, door, target);
          else await update(run, door, target, { ...flags, bundle: flags.bundle });
        },
        asked,
      ),
    );
}

async function tell(run: Run, door: Door, target: Target): Promise<void> {
  const response = await door.ask("getDaemonUpdate", {}, { nodeId: target?.id });
  answer(run, GetDaemonUpdateResponseSchema, response, () => describeDaemonUpdate(response));
}

async function update(
  run: Run,
  door: Door,
  target: Target,
  { bundle: given, sha256: hash, probation = 0, wait }: UpdateFlags & { bundle: string },
): Promise<void> {
  const isHere = target === undefined && !given.startsWith("https://");
  const bundle = isHere ? resolve(given) : given;
  const sha256 = hash ?? (isHere ? await hashOf(bundle) : undefined);
  if (sha256 === undefined) {
    throw failure("invalid", "say which bundle it must be with --sha256: `sha256sum FILE` prints it");
  }
  const request = { bundle, sha256, probationMs: probation };
  const inWords = ({ fromVersion, version }: UpdateDaemonResponse) =>
    `daemon ${printable(version)} proved itself and runs in place of ${printable(fromVersion)}\n`;
  const before = target === undefined ? (await door.ask("getDaemonUpdate", {})).last : undefined;
  try {
    await changed(run, door, target, "updateDaemon", request, wait, inWords);
  } catch (thrown) {
    if (target !== undefined) throw thrown;
    // At its own socket, the daemon that was asked is gone before the answer: whichever comes after it knows.
    await followed(run, door, before, thrown);
  }
}

/** Asks whatever daemon there is until the trial is over. One that was never begun is what was thrown. */
async function followed(
  run: Run,
  door: Door,
  before: DaemonUpdate | undefined,
  thrown: unknown,
): Promise<void> {
  const { clock, signal } = run;
  for (
    let asked = clock.elapsed();
    clock.elapsed() - asked < patienceMs;
    await clock.sleep(askAgainMs, signal)
  ) {
    const response = await door.ask("getDaemonUpdate", {}).catch(() => undefined);
    if (!response) continue;
    const { last } = response;
    if (last?.state === DaemonUpdateState.TRYING) {
      asked = clock.elapsed();
      continue;
    }
    if (!last || equals(DaemonUpdateSchema, last, before ?? create(DaemonUpdateSchema))) break;
    if (last.state === DaemonUpdateState.WITHDRAWN) throw failure("unavailable", daemonUpdateInWords(last));
    answer(run, GetDaemonUpdateResponseSchema, response, () => `${daemonUpdateInWords(last)}\n`);
    return;
  }
  throw thrown;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path), hash);
  } catch (cause) {
    throw failure("invalid", `${path} cannot be read: check that it is there`, { cause });
  }
  return hash.digest("hex");
}
