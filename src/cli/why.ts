import type { Command } from "commander";
import { EventSchema } from "../../gen/edge/v1/events_pb.ts";
import { AttachmentEventSchema } from "../../gen/edge/v1/netmon_pb.ts";
import { GetRuntimeResponseSchema, type Runtime, RuntimePhase } from "../../gen/edge/v1/runtimes_pb.ts";
import { Failure } from "../base/failure.ts";
import { answerLine, word } from "./answer.ts";
import { attachmentEventLine } from "./attachments-tell.ts";
import type { Door } from "./door.ts";
import { eventLine, runtimeOf } from "./events-tell.ts";
import { whole } from "./flags.ts";
import { findNetmon, watchNetmon } from "./netmon.ts";
import type { Run } from "./run.ts";
import { healthOf } from "./runtime-tell.ts";
import { printable } from "./table.ts";
import { type Target, withNode } from "./target.ts";
import { vnicReasons } from "./vnic-tell.ts";

/** Of all that happened on the node, how much is looked through for what concerns the runtime. */
const looked = 5_000;

interface WhyFlags {
  last: number;
}

/** `orchestrator why <runtime>` */
export function defineWhy(program: Command, run: Run): void {
  program
    .command("why <runtime>")
    .description("why a runtime and its vNICs are as they are, and what happened to them")
    .option("--last <count>", "at most this many of the newest events", whole(0, looked), 20)
    .action((name: string, { last }: WhyFlags) =>
      withNode(run, async (door, target) => {
        const response = await door.ask("getRuntime", { name }, { nodeId: target?.id });
        const events = await happened(run, door, target, name);
        answerLine(run, GetRuntimeResponseSchema, response, () => reasonsOf(response.runtime));
        for (const tell of events.slice(Math.max(0, events.length - last))) tell();
        if (target === undefined) {
          run.terminal.err("only the hub knows what else happened: ask it, without --local\n");
        }
      }),
    );
}

function reasonsOf(runtime: Runtime | undefined): string {
  if (!runtime) return "";
  const { phase: at } = runtime;
  const state = at === RuntimePhase.CRASH_LOOP ? "in a crash loop" : word(RuntimePhase, at);
  const reason = runtime.reason === "" ? "" : `: ${runtime.reason}`;
  const phase = printable(`runtime ${runtime.spec?.name} is ${state}${reason}`);
  const health = healthOf(runtime) === "" ? [] : [printable(`  its program is ${healthOf(runtime)}`)];
  return `${[phase, ...health, ...vnicReasons(runtime).map((line) => `  ${line}`)].join("\n")}\n`;
}

/** Says one thing that happened. */
type Tell = () => void;

/** What happened to a runtime, oldest first: all of it from the hub, of its vNICs only from this machine's netmon. */
async function happened(run: Run, door: Door, target: Target, name: string): Promise<Tell[]> {
  if (target === undefined) return await fromNetmon(run, name);
  const told: Tell[] = [];
  const request = { nodeId: target.id, last: looked, stopWhenCaughtUp: true };
  for await (const { event } of door.fleet.watchEvents(request, { signal: run.signal })) {
    if (event && runtimeOf(event) === name) {
      told.push(() => answerLine(run, EventSchema, event, () => eventLine(event)));
    }
  }
  return told;
}

async function fromNetmon(run: Run, name: string): Promise<Tell[]> {
  const told: Tell[] = [];
  try {
    await watchNetmon(
      run,
      await findNetmon(run),
      // 0 would be those from now on only.
      (client) => client.watchAttachments({ afterSequence: 0n }, { signal: run.signal }),
      ({ events, lastSequence }) => {
        for (const event of events.filter(({ change }) => change?.runtime === name)) {
          told.push(() => answerLine(run, AttachmentEventSchema, event, () => attachmentEventLine(event)));
        }
        return (events.at(-1)?.sequence ?? lastSequence) >= lastSequence;
      },
    );
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    run.terminal.err(`what happened to vNICs is not known: ${printable(thrown.message)}\n`);
  }
  return told;
}
