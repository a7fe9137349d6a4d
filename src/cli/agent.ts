import type { Command } from "commander";
import { GetAgentResponseSchema, ListAgentsResponseSchema } from "../../gen/edge/v1/agents_pb.ts";
import { failure } from "../base/failure.ts";
import { defineDeploy } from "./agent-deploy.ts";
import { describeAgent, tableOfAgents } from "./agent-tell.ts";
import { answer } from "./answer.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import { confirmed } from "./confirm.ts";
import { whole } from "./flags.ts";
import type { Run } from "./run.ts";
import { withNode } from "./target.ts";
import { printTaskLog, type TaskLogFlags, withLogFlags } from "./task-logs.ts";
import { stateInWords } from "./task-tell.ts";

/** `orchestrator agent ...` */
export function defineAgent(noun: Command, run: Run): void {
  defineDeploy(noun, run);

  noun
    .command("list")
    .description("the agents of a node")
    .option("-q, --quiet", "print names only, one a line", false)
    .action(({ quiet }: { quiet: boolean }) =>
      withNode(run, async (door, target) => {
        const response = await door.ask("listAgents", {}, { nodeId: target?.id });
        const { agents } = response;
        answer(run, ListAgentsResponseSchema, response, () =>
          quiet ? agents.map(({ name }) => `${name}\n`).join("") : tableOfAgents(agents, run.terminal),
        );
      }),
    );

  noun
    .command("get <agent>")
    .description("one agent, with everything that is known of it, and its versions")
    .action((name: string) =>
      withNode(run, async (door, target) => {
        const response = await door.ask("getAgent", { name }, { nodeId: target?.id });
        answer(run, GetAgentResponseSchema, response, () => describeAgent(response.agent, run.terminal));
      }),
    );

  withLogFlags(noun.command("logs <agent>"))
    .description("what the newest task of an agent wrote; `task logs` shows that of any")
    .action((name: string, flags: TaskLogFlags) =>
      withNode(run, async (door, target) => {
        const request = { agent: name, states: [], parentId: "", limit: 1, beforeId: "" };
        const { tasks } = await door.ask("listTasks", request, { nodeId: target?.id });
        const [task] = tasks;
        if (!task)
          throw failure(
            "not_found",
            `agent ${name} has no task: \`orchestrator task execute ${name}\` makes one`,
          );
        if (!run.flags.json) run.terminal.err(`task ${task.id} ${stateInWords(task)}\n`);
        await printTaskLog(run, door, target, task.id, flags);
      }),
    );

  waiting(noun.command("rollback <agent>"))
    .description("make an earlier version the current one")
    .option(
      "--to <version>",
      "which (also --version); the one before the current one when not given",
      whole(1, 999_999_999),
      0,
    )
    .addHelpText("after", "\nExample: orchestrator agent rollback greeter --to 3")
    .action((name: string, { wait, to }: WaitFlag & { to: number }) =>
      withNode(run, async (door, target) => {
        await change(run, door, target, "rollbackAgent", { name, version: to }, wait, ({ agent }) => {
          return `agent ${name}: version ${agent?.current?.version} is the current one\n`;
        });
      }),
    );

  waiting(noun.command("remove <agent>"))
    .description("remove an agent with all of its versions; its tasks stay to be read")
    .option("--cancel-tasks", "cancel its tasks that are not finished", false)
    .option("-y, --yes", "do not ask", false)
    .action((name: string, { wait, cancelTasks, yes }: WaitFlag & { cancelTasks: boolean; yes: boolean }) =>
      withNode(run, async (door, target) => {
        const tasks = cancelTasks ? ", and cancel its tasks" : "";
        await confirmed(run, yes, `Remove agent ${name}${target ? ` on node ${target.id}` : ""}${tasks}?`);
        await change(run, door, target, "removeAgent", { name, cancelTasks }, wait, ({ cancelled }) => {
          return `agent ${name} is removed${cancelled > 0 ? `, and ${cancelled} of its tasks cancelled` : ""}\n`;
        });
      }),
    );
}
