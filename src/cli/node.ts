import type { Command } from "commander";
import { ListNodesResponseSchema } from "../../gen/edge/v1/fleet_pb.ts";
import {
  GetInterfacesResponseSchema,
  GetNodeResponseSchema,
  ListSerialDevicesResponseSchema,
} from "../../gen/edge/v1/node_pb.ts";
import { isSelected } from "../wire/selector.ts";
import { answer } from "./answer.ts";
import { type Door, withDoor } from "./door.ts";
import { checked } from "./flags.ts";
import { formatLabels, type LabelText, parseSelector } from "./labels.ts";
import { tableOfInterfaces, tableOfRoutes } from "./network-tell.ts";
import { defineLabel } from "./node-label.ts";
import { defineLeaving } from "./node-leave.ts";
import { defineMetrics } from "./node-metrics.ts";
import { describeNode, tableOfNodes } from "./node-tell.ts";
import { defineDaemonUpdate } from "./node-update.ts";
import type { Run } from "./run.ts";
import { printable, rows } from "./table.ts";
import { withNode } from "./target.ts";

/** `orchestrator node ...` */
export function defineNode(noun: Command, run: Run): void {
  noun
    .command("list")
    .description("the nodes of the fleet")
    .option("--selector <key=value,...>", "only those that have these labels", checked(parseSelector), [])
    .action(({ selector }: { selector: LabelText[] }) => withDoor(run, (door) => list(run, door, selector)));

  noun
    .command("get [node]")
    .description("what a node is: machine, versions, engine, clock")
    .action((asked?: string) =>
      withNode(
        run,
        async (door, target) => {
          const response = await door.ask("getNode", {}, { nodeId: target?.id });
          answer(run, GetNodeResponseSchema, response, () =>
            describeNode(response, run.clock.now(), target?.labels),
          );
        },
        asked,
      ),
    );

  noun
    .command("interfaces [node]")
    .description("the network interfaces of a node, with their addresses, gateways and routes")
    .action((asked?: string) =>
      withNode(
        run,
        async (door, target) => {
          const response = await door.ask("getInterfaces", {}, { nodeId: target?.id });
          const { interfaces } = response;
          answer(
            run,
            GetInterfacesResponseSchema,
            response,
            () => tableOfInterfaces(interfaces, run.terminal) + tableOfRoutes(interfaces, run.terminal),
          );
        },
        asked,
      ),
    );

  noun
    .command("serial [node]")
    .description("the serial ports of a node")
    .action((asked?: string) =>
      withNode(
        run,
        async (door, target) => {
          const response = await door.ask("listSerialDevices", {}, { nodeId: target?.id });
          answer(run, ListSerialDevicesResponseSchema, response, () =>
            rows(
              run.terminal,
              ["PATH", "DRIVER", "USB ID", "BY ID", "BY PATH"],
              response.devices.map(({ path, driver, usbId, byId, byPath }) => [
                path,
                driver,
                usbId,
                byId,
                byPath,
              ]),
              "no serial ports",
            ),
          );
        },
        asked,
      ),
    );

  defineMetrics(noun, run);
  defineLabel(noun, run);

  defineDaemonUpdate(noun, run);
  defineLeaving(noun, run);
}

async function list(run: Run, door: Door, selector: LabelText[]): Promise<void> {
  const response = await door.fleet.listNodes(
    {},
    { signal: run.signal, timeoutMs: run.flags.timeout ?? 30_000 },
  );
  const isEmpty = response.nodes.length === 0;
  response.nodes = response.nodes.filter(({ labels }) => isSelected(labels, selector));
  answer(run, ListNodesResponseSchema, response, () => {
    if (isEmpty) return "the fleet has no nodes yet: `orchestrator hub token create` lets one in\n";
    if (response.nodes.length === 0) return `no node has ${printable(formatLabels(selector))}\n`;
    return tableOfNodes(response.nodes, run.terminal, run.clock.now());
  });
}
