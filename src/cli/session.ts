import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  AppendMessagesRequestSchema,
  CreateSessionRequestSchema,
  GetSessionResponseSchema,
  ListSessionsResponseSchema,
  MessageRole,
  SessionState,
} from "../../gen/edge/v1/sessions_pb.ts";
import { answer } from "./answer.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import { confirmed } from "./confirm.ts";
import { collect, duration, oneOf, whole } from "./flags.ts";
import { type LabelText, parseLabel } from "./labels.ts";
import type { Run } from "./run.ts";
import { said } from "./said.ts";
import { defineSessionExport } from "./session-export.ts";
import { describeSession, messageInWords, tableOfSessions } from "./session-tell.ts";
import { withNode } from "./target.ts";

/** What a message may be: `SessionMessage.content` says the same. */
const maxMessageBytes = 256 << 10;

const roles = {
  ...{ system: MessageRole.SYSTEM, user: MessageRole.USER },
  ...{ assistant: MessageRole.ASSISTANT, tool: MessageRole.TOOL },
} as const;

const states = {
  ...{ active: SessionState.ACTIVE, idle: SessionState.IDLE },
  ...{ closing: SessionState.CLOSING, closed: SessionState.CLOSED },
} as const;

interface CreateFlags extends WaitFlag {
  owner: string;
  title: string;
  closeAfter: number;
  label: LabelText[];
}

interface ListFlags {
  agent: string;
  owner: string;
  state: SessionState[];
  limit: number;
  quiet: boolean;
}

interface AppendFlags extends WaitFlag {
  role: MessageRole;
  tool: string;
  toolCallId: string;
}

/** `orchestrator session ...` */
export function defineSession(noun: Command, run: Run): void {
  waiting(noun.command("create <agent>"))
    .description("begin a session with an agent, and print its id")
    .option("--owner <owner>", "whose it is; yours when not given", "")
    .option("--title <text>", "what it is about, for people", "")
    .option(
      "--close-after <duration>",
      "close it when nothing comes for so long; session.timeout when not given",
      duration,
      0,
    )
    .option("--label <key=value>", "label of the session; may be given often", collect(parseLabel), [])
    .addHelpText(
      "after",
      '\nExample: orchestrator session create poet --title "a rhyme for Ada" --close-after 5m',
    )
    .action((agent: string, { owner, title, closeAfter, label, wait }: CreateFlags) =>
      withNode(run, async (door, target) => {
        const about = { agent, owner, title, timeoutMs: BigInt(closeAfter), labels: label };
        const request = create(CreateSessionRequestSchema, about);
        await change(run, door, target, "createSession", request, wait, ({ session }) => `${session?.id}\n`);
      }),
    );

  noun
    .command("list")
    .description("the sessions of a node, newest activity first")
    .option("--agent <agent>", "only with this agent", "")
    .option("--owner <owner>", "only of this owner", "")
    .option("--state <state>", "only in this state; may be given often", collect(oneOf(states)), [])
    .option("--limit <count>", "at most this many", whole(1, 1000), 100)
    .option("-q, --quiet", "print ids only, one a line", false)
    .action(({ quiet, state, ...asked }: ListFlags) =>
      withNode(run, async (door, target) => {
        const response = await door.ask("listSessions", { ...asked, states: state }, { nodeId: target?.id });
        const { sessions } = response;
        answer(run, ListSessionsResponseSchema, response, () =>
          quiet
            ? sessions.map(({ id }) => `${id}\n`).join("")
            : tableOfSessions(sessions, run.terminal, run.clock.now()),
        );
      }),
    );

  noun
    .command("get <session>")
    .description("one session with its newest messages, or those after a place")
    .option("--last <count>", "at most so many messages", whole(1, 1000), 20)
    .option("--after <sequence>", "the first messages after this place", whole(0, 999_999_999))
    .action((id: string, { last, after }: { last: number; after?: number }) =>
      withNode(run, async (door, target) => {
        const page = { afterSequence: BigInt(after ?? 0), limit: last, newest: after === undefined };
        const response = await door.ask("getSession", { id, ...page }, { nodeId: target?.id });
        answer(run, GetSessionResponseSchema, response, () =>
          [describeSession(response.session, run.clock.now()), ...response.messages.map(messageInWords)].join(
            "",
          ),
        );
      }),
    );

  waiting(noun.command("append <session> [text]"))
    .description("add a message; without a text, what is piped in")
    .option("--role <role>", "who says it: system, user, assistant or tool", oneOf(roles), MessageRole.USER)
    .option("--tool <name>", "the tool, when one says it", "")
    .option("--tool-call-id <id>", "what ties an answer of a tool to its question", "")
    .addHelpText("after", "\nExample: orchestrator session append cmd-5647dafe --role user < question.txt")
    .action(async (sessionId: string, text: string | undefined, flags: AppendFlags) => {
      const { wait, ...by } = flags;
      const content = await said(run, text, maxMessageBytes);
      const request = create(AppendMessagesRequestSchema, { sessionId, messages: [{ ...by, content }] });
      await withNode(run, async (door, target) => {
        await change(run, door, target, "appendMessages", request, wait, ({ session }) => {
          return `message ${session?.messages} of session ${session?.id}\n`;
        });
      });
    });

  waiting(noun.command("close <session>"))
    .description("close a session: it can be read, and takes nothing more")
    .option("--reason <text>", "why, for others", "")
    .action((id: string, { wait, reason }: WaitFlag & { reason: string }) =>
      withNode(run, async (door, target) => {
        await change(run, door, target, "closeSession", { id, reason }, wait, ({ session }) => {
          if (session?.state === SessionState.CLOSED) return `session ${id} is closed\n`;
          return `session ${id} is closing: it is closed when the tasks that use it have ended, or in 30s\n`;
        });
      }),
    );

  waiting(noun.command("delete <session>"))
    .description("forget a closed session with its messages")
    .option("-y, --yes", "do not ask", false)
    .action((id: string, { wait, yes }: WaitFlag & { yes: boolean }) =>
      withNode(run, async (door, target) => {
        await confirmed(run, yes, `Forget session ${id} and all of its messages?`);
        await change(run, door, target, "deleteSession", { id }, wait, () => `session ${id} is forgotten\n`);
      }),
    );

  defineSessionExport(noun, run);
}
