import type { Command } from "commander";
import type { AgentSpec } from "../../gen/edge/v1/agents_pb.ts";
import { CheckPolicyResponseSchema } from "../../gen/edge/v1/policy_pb.ts";
import { failure } from "../base/failure.ts";
import { answerLine } from "./answer.ts";
import { changed, type WaitFlag, waiting } from "./change.ts";
import { readWishes, toldByPlace, type Wished } from "./documents/index.ts";
import type { Door } from "./door.ts";
import { verdict } from "./policy-tell.ts";
import type { Run } from "./run.ts";
import { type Target, withNode } from "./target.ts";

interface DeployFlags extends WaitFlag {
  file: string[];
  dryRun: boolean;
}

/** `orchestrator agent deploy` */
export function defineDeploy(noun: Command, run: Run): void {
  waiting(noun.command("deploy"))
    .description(
      "deploy the agents that files describe, each as a new version if it differs from the current one",
    )
    .requiredOption(
      "-f, --file <path>",
      "YAML or JSON file, a folder of them, or - for what is piped in; may be given often",
      (path: string, before: string[] | undefined) => [...(before ?? []), path], // A default would make the flag optional.
    )
    .option("--dry-run", "ask the node's policy only, and do nothing", false)
    .addHelpText("after", "\nExample: orchestrator agent deploy -f greeter.yaml")
    .action(async ({ file, dryRun, wait }: DeployFlags) => {
      const { agents, runtimes } = await readWishes(file, run);
      const [runtime] = runtimes;
      if (runtime) {
        const where = runtime.place("kind");
        throw failure(
          "invalid",
          `${where}: is Runtime; here are agents only, and \`orchestrator apply\` takes both`,
        );
      }
      await withNode(run, async (door, target) => {
        if (dryRun) await check(run, door, target, agents);
        else for (const agent of agents) await deploy(run, door, target, agent, wait);
      });
    });
}

async function deploy(
  run: Run,
  door: Door,
  target: Target,
  { spec, place }: Wished<AgentSpec>,
  wait: boolean,
): Promise<void> {
  const tell = (version: number | undefined, isNew: boolean) =>
    `agent ${spec.name}: version ${version} ${isNew ? "is deployed" : "was there already, just like this"}\n`;
  await toldByPlace(place, () =>
    changed(run, door, target, "deployAgent", { spec }, wait, (response) =>
      tell(response.agent?.current?.version, response.changed),
    ),
  );
}

/** Whether its image is there, and what it is lent, is asked at the deploy only. */
async function check(
  run: Run,
  door: Door,
  target: Target,
  agents: readonly Wished<AgentSpec>[],
): Promise<void> {
  const denied: string[] = [];
  for (const { spec, place } of agents) {
    const request = { subject: { case: "agent" as const, value: spec } };
    const response = await toldByPlace(
      (field) => place(field.replace(/^agent\b/, "spec")),
      () => door.ask("checkPolicy", request, { nodeId: target?.id }),
    );
    answerLine(run, CheckPolicyResponseSchema, response, () => verdict(`agent ${spec.name}`, response));
    if (!response.allowed) denied.push(spec.name);
  }
  if (denied.length > 0) throw failure("denied", `the node's policy does not allow ${denied.join(", ")}`);
}
