import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { ListNodesResponseSchema } from "../../gen/edge/v1/fleet_pb.ts";
import {
  GetInterfacesResponseSchema,
  GetNodeResponseSchema,
  ListSerialDevicesResponseSchema,
} from "../../gen/edge/v1/node_pb.ts";
import { answer } from "./answer.ts";
import { type Door, withDoor } from "./door.ts";
import { isForMany, type ManyFlags, nodesOf, selectorText } from "./many-nodes.ts";
import { tableOfInterfaces, tableOfRoutes } from "./network-tell.ts";
import { defineLabel, defineTenant } from "./node-label.ts";
import { defineLeaving } from "./node-leave.ts";
import { defineMetrics } from "./node-metrics.ts";
import { defineRevoke } from "./node-revoke.ts";
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
    .option(
      "--selector <selector>",
      "only those with these labels, as in site=graz,ring!=canary",
      selectorText,
    )
    .option("--group <node-group>", "only those of a group")
    .action((flags: ManyFlags) => withDoor(run, (door) => list(run, door, flags)));

  noun
    .command("get [node]")
    .description("what a node is: machine, versions, engine, clock")
    .action((asked?: string) =>
      withNode(
        run,
        async (door, target) => {
          const response = await door.ask("getNode", {}, { nodeId: target?.id });
          answer(run, GetNodeResponseSchema, response, () => describeNode(response, run.clock.now(), target));
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
  defineTenant(noun, run);

  defineDaemonUpdate(noun, run);
  defineRevoke(noun, run);
  defineLeaving(noun, run);
}

async function list(run: Run, door: Door, flags: ManyFlags): Promise<void> {
  const nodes = await nodesOf(run, door, flags);
  const response = create(ListNodesResponseSchema, { nodes });
  answer(run, ListNodesResponseSchema, response, () => {
    if (nodes.length > 0) return tableOfNodes(nodes, run.terminal, run.clock.now());
    if (!isForMany(flags)) return "the fleet has no nodes yet: `orchestrator hub token create` lets one in\n";
    return `no node has ${printable(flags.selector ?? `the group ${flags.group}`)}\n`;
  });
}
