import type { Command } from "commander";
import {
  GetGroupResponseSchema,
  type Group,
  ListGroupsResponseSchema,
  RemoveGroupResponseSchema,
  SetGroupResponseSchema,
} from "../../gen/edge/v1/groups_pb.ts";
import { ago, answer, moment } from "./answer.ts";
import { withDoor } from "./door.ts";
import { selectorText } from "./many-nodes.ts";
import type { Run } from "./run.ts";
import { printable, rows, sheet } from "./table.ts";

/** `orchestrator group ...` */
export function defineGroup(noun: Command, run: Run): void {
  noun.addHelpText(
    "after",
    "\nA group is used wherever a selector is: orchestrator apply -f plant.yaml --group canaries",
  );

  noun
    .command("set <node-group>")
    .description("give a selector a name, or a name another selector")
    .argument("<selector>", "as in site=graz,ring!=canary,line in (1,2),gpu,!spare", selectorText)
    .action((name: string, selector: string) =>
      withDoor(run, async (door) => {
        const response = await door.groups.setGroup({ name, selector }, { signal: run.signal });
        answer(run, SetGroupResponseSchema, response, () => `group ${name} means ${count(response.group)}\n`);
      }),
    );

  noun
    .command("list")
    .description("groups, by name")
    .action(() =>
      withDoor(run, async (door) => {
        const response = await door.groups.listGroups({}, { signal: run.signal });
        answer(run, ListGroupsResponseSchema, response, () =>
          rows(
            run.terminal,
            ["NAME", "SELECTOR", "NODES", "SET BY", "AGE"],
            response.groups.map(({ name, selector, nodes, setBy, setAt }) => [
              ...[name, selector, String(nodes), setBy, ago(setAt, run.clock.now())],
            ]),
            "no groups",
          ),
        );
      }),
    );

  noun
    .command("get <node-group>")
    .description("what a group means now")
    .action((name: string) =>
      withDoor(run, async (door) => {
        const response = await door.groups.getGroup({ name }, { signal: run.signal });
        const { group, nodeIds } = response;
        answer(run, GetGroupResponseSchema, response, () =>
          sheet([
            ["name", name],
            ["selector", printable(group?.selector ?? "")],
            ["set", `${moment(group?.setAt)} by ${group?.setBy ?? ""}`],
            ["nodes", nodeIds.length === 0 ? "none now" : nodeIds.join(", ")],
          ]),
        );
      }),
    );

  noun
    .command("remove <node-group>")
    .description("forget a group; rollouts that were begun with it go on")
    .action((name: string) =>
      withDoor(run, async (door) => {
        const response = await door.groups.removeGroup({ name }, { signal: run.signal });
        answer(run, RemoveGroupResponseSchema, response, () => `group ${name} is forgotten\n`);
      }),
    );
}

function count(group: Group | undefined): string {
  const nodes = group?.nodes ?? 0;
  return nodes === 1 ? "1 node now" : `${nodes} nodes now`;
}
