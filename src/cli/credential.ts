import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { ListCredentialsResponseSchema, SetOnly } from "../../gen/edge/v1/credentials_pb.ts";
import { answer } from "./answer.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import { confirmed } from "./confirm.ts";
import { setInWords, tableOfCredentials } from "./credential-tell.ts";
import type { Door } from "./door.ts";
import { collect, duration } from "./flags.ts";
import { type LabelText, parseLabel } from "./labels.ts";
import type { Run } from "./run.ts";
import { seal } from "./seal.ts";
import { readSecretValue, type SecretFlags } from "./secret-input.ts";
import { type Target, withNode } from "./target.ts";

interface SetFlags extends WaitFlag, SecretFlags {
  description?: string;
  expiresIn?: number;
  label: LabelText[];
}

/** `orchestrator credential ...` */
export function defineCredential(noun: Command, run: Run): void {
  const set = async (name: string, flags: SetFlags, only: SetOnly) =>
    withNode(run, async (door, target) => {
      const sealed = await sealedValue(run, door, target, { name, ...flags });
      const { description = "", expiresIn, label, wait } = flags;
      const end = expiresIn === undefined ? {} : { expiresAt: timestampFromMs(run.clock.now() + expiresIn) };
      const labels = label.map(({ key, value }) => ({ $typeName: "edge.v1.Label" as const, key, value }));
      const request = { name, sealed, description, labels, only, ...end };
      await change(run, door, target, "setCredential", request, wait, setInWords);
    });

  valued(waiting(noun.command("set <credential>")))
    .description(
      "keep a secret, or replace its value; it is sealed to the node's vault before it leaves this program",
    )
    .option("--description <text>", "what it is for")
    .option("--expires-in <duration>", "lend it no more after this time, as in 90d", duration)
    .option("--label <key=value>", "a label; may be given often", collect(parseLabel), [])
    .addHelpText(
      "after",
      "\nExamples:\n  orchestrator credential set openai --from-file key.txt\n  pass show mqtt | orchestrator credential set mqtt --expires-in 90d\n",
    )
    .action((name: string, flags: SetFlags) => set(name, flags, SetOnly.UNSPECIFIED));

  valued(waiting(noun.command("rotate <credential>")))
    .description("replace the value of a secret; cells that are lent it see the new one at once")
    .option("--expires-in <duration>", "lend it no more after this time, as in 90d", duration)
    .addHelpText("after", "\nExample: orchestrator credential rotate openai --from-file new-key.txt\n")
    .action((name: string, flags: Omit<SetFlags, "label">) =>
      set(name, { ...flags, label: [] }, SetOnly.REPLACE),
    );

  noun
    .command("list")
    .description("the secrets of a node, without their values")
    .action(() =>
      withNode(run, async (door, target) => {
        const response = await door.ask("listCredentials", {}, { nodeId: target?.id });
        const { credentials } = response;
        answer(run, ListCredentialsResponseSchema, response, () => tableOfCredentials(credentials, run));
      }),
    );

  waiting(noun.command("remove <credential>"))
    .description("remove a secret, from cells that are lent it, too")
    .option("--force", "although an agent's manifest names it", false)
    .option("-y, --yes", "do not ask", false)
    .addHelpText("after", "\nExample: orchestrator credential remove openai --yes\n")
    .action((name: string, { wait, force, yes }: WaitFlag & { force: boolean; yes: boolean }) =>
      withNode(run, async (door, target) => {
        await confirmed(run, yes, `Remove credential ${name}${target ? ` on node ${target.id}` : ""}?`);
        const told = () => `credential ${name} is removed\n`;
        await change(run, door, target, "removeCredential", { name, force }, wait, told);
      }),
    );

  valued(noun.command("seal <credential>"))
    .description(
      "seal a value and print the request of SetCredential as JSON, for other programs; nothing is kept",
    )
    .addHelpText(
      "after",
      "\nExample: orchestrator credential seal openai --from-file key.txt > request.json\n",
    )
    .action((name: string, flags: SecretFlags) =>
      withNode(run, async (door, target) => {
        const sealed = await sealedValue(run, door, target, { name, ...flags });
        run.terminal.out(`${JSON.stringify({ name, sealed }, null, 2)}\n`);
      }),
    );

  waiting(noun.command("rotate-key"))
    .description(
      "encrypt the node's vault with a new key, from credentials.key_source; values stay as they are",
    )
    .addHelpText("after", "\nExample: orchestrator credential rotate-key\n")
    .action(({ wait }: WaitFlag) =>
      withNode(run, async (door, target) => {
        const told = ({ credentials: count }: { credentials: number }) =>
          `the vault has a new key; it holds ${count} credential${count === 1 ? "" : "s"}\n`;
        await change(run, door, target, "rotateVaultKey", {}, wait, told);
      }),
    );
}

/** Gives a verb the flags that say where a value comes from. */
function valued(command: Command): Command {
  return command
    .option(
      "--from-file <path>",
      "file with the value; standard input when not given, without echo at a terminal",
    )
    .option("--exact", "keep the line break at the end of a single line", false);
}

async function sealedValue(
  run: Run,
  door: Door,
  target: Target,
  { name, ...flags }: SecretFlags & { name: string },
): Promise<string> {
  const { jwk } = await door.ask("getSealingKey", {}, { nodeId: target?.id });
  const value = await readSecretValue(run, flags);
  try {
    return await seal(value, name, jwk);
  } finally {
    value.fill(0);
  }
}
