import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { SessionMessageSchema, SessionSchema } from "../../gen/edge/v1/sessions_pb.ts";
import type { Run } from "./run.ts";
import { withNode } from "./target.ts";

/** `orchestrator session export` */
export function defineSessionExport(noun: Command, run: Run): void {
  noun
    .command("export <session>")
    .description("print a session as JSON lines: the session first, then all of its messages, oldest first")
    .addHelpText("after", "\nExample: orchestrator session export cmd-5647dafe > talk.jsonl")
    .action((id: string) =>
      withNode(run, async (door, target) => {
        let afterSequence = 0n;
        for (;;) {
          const page = { id, afterSequence, limit: 1_000, newest: false };
          const { session, messages } = await door.ask("getSession", page, { nodeId: target?.id });
          if (session && afterSequence === 0n) run.terminal.out(line("session", SessionSchema, session));
          const last = messages.at(-1);
          if (!last) return;
          run.terminal.out(messages.map((one) => line("message", SessionMessageSchema, one)).join(""));
          afterSequence = last.sequence;
        }
      }),
    );
}

/** What it is, and the contract's own JSON of it. */
function line<D extends DescMessage>(what: string, schema: D, message: MessageShape<D>): string {
  return `${JSON.stringify({ [what]: toJson(schema, message) })}\n`;
}
