import type { Command } from "commander";
import { SetNodeLabelsResponseSchema, SetNodeTenantResponseSchema } from "../../gen/edge/v1/fleet_pb.ts";
import { answer } from "./answer.ts";
import { checked } from "./flags.ts";
import { formatLabels, type LabelText, parseLabel } from "./labels.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import { withNode } from "./target.ts";

/** What one word of the command line asks: `site=graz` sets, `site-` removes. */
type Change = { set: LabelText } | { remove: string };

/** `orchestrator node label` */
export function defineLabel(noun: Command, run: Run): void {
  noun
    .command("label <node>")
    .description("give a node labels, by which rollouts select it")
    .argument(
      "<labels...>",
      "key=value sets a label, key- removes it",
      (text: string, before: Change[] | undefined) => [...(before ?? []), checked(parseChange)(text)],
    )
    .addHelpText("after", "\nExample:\n  orchestrator node label press-hall-7 site=graz line=2 canary-")
    .action((asked: string, changes: Change[]) =>
      withNode(
        run,
        async (door, target) => {
          const set = changes.flatMap((change) => ("set" in change ? [change.set] : []));
          const remove = changes.flatMap((change) => ("remove" in change ? [change.remove] : []));
          const request = { id: target?.id ?? "", set, remove };
          const response = await door.fleet.setNodeLabels(request, { signal: run.signal });
          answer(run, SetNodeLabelsResponseSchema, response, () => {
            const labels = formatLabels(response.node?.labels ?? []);
            return `node ${request.id} has ${labels === "" ? "no labels" : printable(labels)}\n`;
          });
        },
        asked,
      ),
    );
}

/** `orchestrator node tenant` */
export function defineTenant(noun: Command, run: Run): void {
  noun
    .command("tenant <node> [tenant]")
    .description("give a node to a tenant, or, without one, to none")
    .action((asked: string, tenant: string | undefined = "") =>
      withNode(
        run,
        async (door, target) => {
          const response = await door.fleet.setNodeTenant(
            { id: target?.id ?? "", tenant },
            { signal: run.signal },
          );
          answer(run, SetNodeTenantResponseSchema, response, () =>
            tenant === ""
              ? `node ${target?.id} belongs to no tenant\n`
              : `node ${target?.id} belongs to ${tenant}\n`,
          );
        },
        asked,
      ),
    );
}

/** @throws {Failure} invalid. */
function parseChange(text: string): Change {
  if (/^[^=]+-$/.test(text)) return { remove: text.slice(0, -1) };
  return { set: parseLabel(text) };
}
