import type { Command } from "commander";
import { ListNodesResponseSchema, RemoveNodeResponseSchema } from "../../gen/edge/v1/fleet_pb.ts";
import {
  GetInterfacesResponseSchema,
  GetNodeResponseSchema,
  ListSerialDevicesResponseSchema,
} from "../../gen/edge/v1/node_pb.ts";
import { answer } from "./answer.ts";
import { confirmed } from "./confirm.ts";
import { type Door, withDoor } from "./door.ts";
import { tableOfInterfaces, tableOfRoutes } from "./network-tell.ts";
import { defineMetrics } from "./node-metrics.ts";
import { describeNode, tableOfNodes } from "./node-tell.ts";
import type { Run } from "./run.ts";
import { rows } from "./table.ts";
import { withNode } from "./target.ts";

/** `orchestrator node ...` */
export function defineNode(noun: Command, run: Run): void {
  noun
    .command("list")
    .description("the nodes of the fleet")
    .action(() => withDoor(run, (door) => list(run, door)));

  noun
    .command("get [node]")
    .description("what a node is: machine, versions, engine, clock")
    .action((asked?: string) =>
      withNode(
        run,
        async (door, target) => {
          const response = await door.ask("getNode", {}, { nodeId: target?.id });
          answer(run, GetNodeResponseSchema, response, () => describeNode(response, run.clock.now()));
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

  noun
    .command("remove <node>")
    .description("take a node out of the fleet; its workloads go on")
    .option("-y, --yes", "do not ask", false)
    .action((asked: string, { yes }: { yes: boolean }) =>
      withNode(
        run,
        async (door, target) => {
          const id = target?.id ?? "";
          await confirmed(
            run,
            yes,
            `Remove node ${id} (${target?.host}) from the fleet? It must enrol anew to come back.`,
          );
          const response = await door.fleet.removeNode({ id }, { signal: run.signal });
          answer(
            run,
            RemoveNodeResponseSchema,
            response,
            () => `node ${id} is out of the fleet; its workloads go on\n`,
          );
        },
        asked,
      ),
    );
}

async function list(run: Run, door: Door): Promise<void> {
  const response = await door.fleet.listNodes(
    {},
    { signal: run.signal, timeoutMs: run.flags.timeout ?? 30_000 },
  );
  answer(run, ListNodesResponseSchema, response, () =>
    response.nodes.length === 0
      ? "the fleet has no nodes yet: `orchestrator hub token create` lets one in\n"
      : tableOfNodes(response.nodes, run.terminal, run.clock.now()),
  );
}
