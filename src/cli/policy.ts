import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import {
  CheckPolicyResponseSchema,
  GetPolicyResponseSchema,
  TestPolicyResponseSchema,
} from "../../gen/edge/v1/policy_pb.ts";
import { failure } from "../base/failure.ts";
import { systemCode } from "../base/system-code.ts";
import { answer, answerLine } from "./answer.ts";
import { Spoken } from "./complain.ts";
import { readWishes, toldByPlace } from "./documents/index.ts";
import type { Door } from "./door.ts";
import { describePolicy, tableOfCases, verdict } from "./policy-tell.ts";
import type { Run } from "./run.ts";
import { type Target, withNode } from "./target.ts";

/** `orchestrator policy ...` */
export function definePolicy(noun: Command, run: Run): void {
  noun
    .command("show")
    .description("the policy of a node: profile, lists, quotas and rules, and what is wrong with its file")
    .option("--expressions", "show what each rule denies, instead of what it says", false)
    .addHelpText("after", "\nExample: orchestrator policy show --expressions")
    .action(({ expressions }: { expressions: boolean }) =>
      withNode(run, async (door, target) => {
        const response = await door.ask("getPolicy", {}, { nodeId: target?.id });
        answer(run, GetPolicyResponseSchema, response, () =>
          describePolicy(response, run.terminal, { withExpressions: expressions }),
        );
      }),
    );

  noun
    .command("check")
    .description(
      "what the policy of a node says of wishes, without doing anything; exits with 1 when it denies one",
    )
    .requiredOption(
      "-f, --file <path>",
      "YAML or JSON file of runtimes and agents, a folder of them, or - for what is piped in; may be given often",
      (path: string, before: string[] | undefined) => [...(before ?? []), path], // A default would make the flag optional.
    )
    .addHelpText("after", "\nExample: orchestrator policy check -f greeter.yaml")
    .action(({ file }: { file: string[] }) =>
      withNode(run, (door, target) => check(run, door, target, file)),
    );

  noun
    .command("test")
    .description(
      "try a policy file with the cases that it carries, without putting it in force; exits with 1 when one fails",
    )
    .requiredOption("-f, --file <path>", "the policy file, or - for what is piped in")
    .addHelpText("after", "\nExample: orchestrator policy test -f policy.yaml")
    .action(({ file }: { file: string }) =>
      withNode(run, async (door, target) => {
        const text = await textOf(run, file);
        const response = await door.ask("testPolicy", { text }, { nodeId: target?.id });
        answer(run, TestPolicyResponseSchema, response, () => tableOfCases(response.cases, run.terminal));
        if (response.cases.some(({ passed }) => !passed)) throw new Spoken();
      }),
    );
}

async function check(run: Run, door: Door, target: Target, files: string[]): Promise<void> {
  const { agents, runtimes } = await readWishes(files, run);
  const asked = [
    ...runtimes.map(({ spec, place }) => ({ subject: { case: "runtime", value: spec } as const, place })),
    ...agents.map(({ spec, place }) => ({ subject: { case: "agent", value: spec } as const, place })),
  ];
  let denied = false;
  for (const { subject, place } of asked) {
    const response = await toldByPlace(
      (field) => place(field.replace(/^(?:agent|runtime)\b/, "spec")),
      () => door.ask("checkPolicy", { subject }, { nodeId: target?.id }),
    );
    answerLine(run, CheckPolicyResponseSchema, response, () =>
      verdict(`${subject.case} ${subject.value.name}`, response),
    );
    denied ||= !response.allowed;
  }
  if (denied) throw new Spoken();
}

/** What a policy file may be: `TestPolicyRequest.text` says the same. */
const maxBytes = 256 << 10;

async function textOf(run: Run, file: string): Promise<string> {
  if (file === "-") return (await run.terminal.input(maxBytes, run.signal)).toString();
  try {
    return await readFile(file, { encoding: "utf8", signal: run.signal });
  } catch (cause) {
    const why = systemCode(cause) === "ENOENT" ? "is not there" : "cannot be read";
    throw failure("invalid", `the policy file ${file} ${why}`, { cause });
  }
}
