import { toJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  type AuditCheckpoint,
  AuditEntrySchema,
  AuditKind,
  ListAuditResponseSchema,
  VerifyAuditResponseSchema,
} from "../../gen/edge/v1/audit_pb.ts";
import { answer } from "./answer.ts";
import { tableOfAudit, tellVerified } from "./audit-tell.ts";
import { Spoken } from "./complain.ts";
import type { Door } from "./door.ts";
import { duration, oneOf, whole } from "./flags.ts";
import type { Run } from "./run.ts";
import { type Target, withNode } from "./target.ts";

const kinds = {
  ...{ command: AuditKind.COMMAND, result: AuditKind.RESULT, denial: AuditKind.DENIAL },
  ...{ credential: AuditKind.CREDENTIAL, configuration: AuditKind.CONFIGURATION, task: AuditKind.TASK },
  ...{ incident: AuditKind.INCIDENT, checkpoint: AuditKind.CHECKPOINT },
} as const;

interface ListFlags {
  last: number;
  after?: number;
  kind?: AuditKind;
  about: string;
  actor: string;
  since?: number;
}

/** Entries in one page of an export. */
const page = 1_000;
/** Checkpoints that a node takes to check: `VerifyAuditRequest` says the same. The newest hold all before them. */
const mostCheckpoints = 1_000;

/** `orchestrator audit ...` */
export function defineAudit(noun: Command, run: Run): void {
  noun
    .command("list")
    .description("who asked a node for what, what was decided, and what came of it")
    .option("--last <count>", "the newest this many", whole(1, 1_000), 50)
    .option("--after <entry>", "the first this many after this entry instead", whole(1, 999_999_999))
    .option("--kind <kind>", `only of this kind: ${Object.keys(kinds).join(", ")}`, oneOf(kinds))
    .option("--about <subject>", "only what is about this, as in agent/greeter", "")
    .option("--actor <actor>", "only what this one caused, as in operator/alice", "")
    .option("--since <duration>", "only of so long ago until now, as in 2h", duration)
    .addHelpText("after", "\nExample: orchestrator audit list --kind denial --since 24h")
    .action((flags: ListFlags) =>
      withNode(run, async (door, target) => {
        const request = requestOf(flags, run.clock.now());
        const response = await door.ask("listAudit", request, { nodeId: target?.id });
        answer(run, ListAuditResponseSchema, response, () => tableOfAudit(response.entries, run.terminal));
      }),
    );

  noun
    .command("verify")
    .description(
      "check a node's whole audit trail, with the checkpoints that the hub keeps; exits with 1 when something was changed",
    )
    .addHelpText("after", "\nExample: orchestrator audit verify --node press-hall")
    .action(() =>
      withNode(run, async (door, target) => {
        const checkpoints = await checkpointsOfHub(run, door, target);
        const response = await door.ask("verifyAudit", { checkpoints }, { nodeId: target?.id });
        answer(run, VerifyAuditResponseSchema, response, () => tellVerified(response, checkpoints.length));
        if (!response.intact) throw new Spoken();
      }),
    );

  noun
    .command("export")
    .description("print the whole trail, or what came after an entry, as JSON lines")
    .option("--after <entry>", "only what came after this entry", whole(1, 999_999_999), 0)
    .addHelpText("after", "\nExample: orchestrator audit export > press-hall.jsonl")
    .action(({ after }: { after: number }) =>
      withNode(run, async (door, target) => {
        let afterSequence = BigInt(after);
        for (;;) {
          const request = { ...everything, afterSequence, limit: page };
          const { entries, lastSequence } = await door.ask("listAudit", request, { nodeId: target?.id });
          for (const entry of entries)
            run.terminal.out(`${JSON.stringify(toJson(AuditEntrySchema, entry))}\n`);
          if (lastSequence === afterSequence) return;
          afterSequence = lastSequence;
        }
      }),
    );
}

const everything = { afterSequence: 0n, limit: 0, kinds: [], subject: "", actor: "", newest: false };

function requestOf({ last, after, kind, about, actor, since }: ListFlags, now: number) {
  return {
    ...{ ...everything, limit: last, subject: about, actor },
    ...{ afterSequence: BigInt(after ?? 0), newest: after === undefined },
    kinds: kind === undefined ? [] : [kind],
    ...(since !== undefined && { since: timestampFromMs(now - since) }),
  };
}

/** The checkpoints of a node among the events that the hub keeps, newest last; none at the local door. */
async function checkpointsOfHub({ signal }: Run, door: Door, target: Target): Promise<AuditCheckpoint[]> {
  if (door.kind === "local" || !target) return [];
  const found: AuditCheckpoint[] = [];
  // From the first event that the hub has: a checkpoint is old where nothing happened since.
  const request = { nodeId: target.id, afterPosition: 1n, last: 0, stopWhenCaughtUp: true };
  for await (const { event } of door.fleet.watchEvents(request, { signal })) {
    if (event?.fact.case === "auditCheckpoint") found.push(event.fact.value);
    if (found.length > mostCheckpoints) found.shift();
  }
  return found;
}
