import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  type FleetNode,
  ListNodesResponseSchema,
  RemoveNodeResponseSchema,
} from "../../gen/edge/v1/fleet_pb.ts";
import {
  GetInterfacesResponseSchema,
  GetMetricsResponseSchema,
  type GetNodeResponse,
  GetNodeResponseSchema,
  ListSerialDevicesResponseSchema,
} from "../../gen/edge/v1/node_pb.ts";
import { RuntimePhase } from "../../gen/edge/v1/runtimes_pb.ts";
import { ago, answer, moment } from "./answer.ts";
import { confirmed } from "./confirm.ts";
import { type Door, withDoor } from "./door.ts";
import { duration, whole } from "./flags.ts";
import { formatBytes, formatDuration } from "./quantity.ts";
import type { Run } from "./run.ts";
import { sheet, table } from "./table.ts";
import { findTarget, type Target } from "./target.ts";

interface MetricsFlags {
  runtime?: string;
  since: number;
  points: number;
}

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
      withNode(run, asked, async (door, target) => {
        const response = await door.ask("getNode", {}, { nodeId: target?.id });
        answer(run, GetNodeResponseSchema, response, () => describeNode(response, run.clock.now()));
      }),
    );

  noun
    .command("interfaces [node]")
    .description("the network interfaces of a node")
    .action((asked?: string) =>
      withNode(run, asked, async (door, target) => {
        const response = await door.ask("getInterfaces", {}, { nodeId: target?.id });
        answer(run, GetInterfacesResponseSchema, response, () =>
          rows(
            run,
            ["NAME", "KIND", "STATE", "MAC", "MTU", "SPEED", "ADDRESSES", "GATEWAYS"],
            response.interfaces.map((one) => [
              one.name,
              one.kind,
              one.carrier ? one.operstate : `${one.operstate}, no carrier`,
              one.mac,
              String(one.mtu),
              one.speedMbps === 0 ? "" : `${one.speedMbps} Mbit/s`,
              one.addresses.join(", "),
              one.gateways.join(", "),
            ]),
            "no network interfaces",
          ),
        );
      }),
    );

  noun
    .command("serial [node]")
    .description("the serial ports of a node")
    .action((asked?: string) =>
      withNode(run, asked, async (door, target) => {
        const response = await door.ask("listSerialDevices", {}, { nodeId: target?.id });
        answer(run, ListSerialDevicesResponseSchema, response, () =>
          rows(
            run,
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
      }),
    );

  noun
    .command("metrics [node]")
    .description("CPU, memory, disk and network of a node or of one of its runtimes")
    .option("--runtime <runtime>", "of this runtime instead of the node")
    .option("--since <duration>", "how far back, as in 15m, 24h or 7d", duration, 3_600_000)
    .option("--points <count>", "at most this many lines; finer samples are averaged", whole(1, 10_000), 20)
    .action((asked: string | undefined, flags: MetricsFlags) =>
      withNode(run, asked, (door, target) => metrics(run, door, target, flags)),
    );

  noun
    .command("remove <node>")
    .description("take a node out of the fleet; its workloads go on")
    .option("-y, --yes", "do not ask", false)
    .action((asked: string, { yes }: { yes: boolean }) =>
      withNode(run, asked, async (door, target) => {
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
      }),
    );
}

async function list(run: Run, door: Door): Promise<void> {
  const response = await door.fleet.listNodes(
    {},
    { signal: run.signal, timeoutMs: run.flags.timeout ?? 30_000 },
  );
  const { style } = run.terminal;
  const now = run.clock.now();
  answer(run, ListNodesResponseSchema, response, () => {
    if (response.nodes.length === 0) {
      return "the fleet has no nodes yet: `orchestrator hub token create` lets one in\n";
    }
    const line = {
      title: "LINE",
      paint: (cell: string) => (cell.startsWith("up") ? style.good(cell) : style.bad(cell)),
    };
    return table(
      [
        { title: "ID" },
        { title: "HOST" },
        line,
        { title: "SEEN" },
        { title: "RUNTIMES" },
        { title: "CPU", right: true },
        { title: "MEMORY", right: true },
        { title: "QUEUE", right: true },
        { title: "VERSION" },
        { title: "WARNING" },
      ],
      response.nodes.map((node) => nodeRow(node, now)),
      { columns: run.terminal.columns, bold: style.bold },
    );
  });
}

function nodeRow(node: FleetNode, now: number): string[] {
  const runtimes = node.status?.runtimes ?? [];
  const running = runtimes.filter(({ phase }) => phase === RuntimePhase.RUNNING).length;
  const { sample } = node;
  return [
    node.id,
    node.hostName,
    node.connected ? "up" : "down",
    node.connected ? "now" : ago(node.seenAt, now),
    node.status ? `${running} of ${runtimes.length} run` : "",
    sample ? `${sample.cpuPercent.toFixed(0)}%` : "",
    sample ? formatBytes(sample.memoryUsedBytes) : "",
    String(node.pendingCommands),
    node.daemonVersion,
    node.warning,
  ];
}

/** What a node says of itself, for people. */
export function describeNode(node: GetNodeResponse, now: number): string {
  const { inventory, engine, clock } = node;
  const offset = clock?.hubOffsetMs;
  return sheet([
    ["node", node.nodeId || "not enrolled"],
    [
      "hub",
      node.hubAddress === "" ? "" : `${node.hubAddress} (${node.connected ? "connected" : "not connected"})`,
    ],
    ["daemon", `${node.daemonVersion} on Node ${node.nodeJsVersion}, up ${ago(node.daemonStartedAt, now)}`],
    [
      "engine",
      engine?.reachable
        ? `${engine.version} (API ${engine.apiVersion}, ${engine.storageDriver}) at ${engine.host}`
        : `not reachable: ${engine?.problem ?? "unknown"}`,
    ],
    ["host", inventory?.hostName ?? ""],
    [
      "system",
      `${inventory?.operatingSystem ?? ""}, kernel ${inventory?.kernel ?? ""}, ${inventory?.architecture ?? ""}`,
    ],
    ["machine", inventory?.systemModel ?? ""],
    ["cpu", `${inventory?.cpuCount ?? 0} x ${inventory?.cpuModel ?? ""}`],
    ["memory", formatBytes(inventory?.memoryBytes ?? 0n)],
    ["disk", formatBytes(inventory?.diskBytes ?? 0n)],
    ["booted", moment(inventory?.bootedAt)],
    ["clock", moment(clock?.now) + (offset === undefined ? "" : hubClock(offset))],
  ]);
}

function hubClock(offsetMs: bigint): string {
  return offsetMs < 0n ? `, the hub's is ${-offsetMs} ms behind` : `, the hub's is ${offsetMs} ms ahead`;
}

async function metrics(
  run: Run,
  door: Door,
  target: Target,
  { runtime, since, points }: MetricsFlags,
): Promise<void> {
  const now = run.clock.now();
  const request = {
    runtime: runtime ?? "",
    since: timestampFromMs(now - since),
    until: timestampFromMs(now),
    maxPoints: points,
  };
  const response = await door.ask("getMetrics", request, { nodeId: target?.id });
  answer(run, GetMetricsResponseSchema, response, () => {
    const rate = (bytes: bigint | undefined) => `${formatBytes(bytes ?? 0n)}/s`;
    const lines = response.points.map(({ at, sample }) => [
      moment(at),
      `${(sample?.cpuPercent ?? 0).toFixed(1)}%`,
      formatBytes(sample?.memoryUsedBytes ?? 0n),
      sample?.diskUsedBytes ? formatBytes(sample.diskUsedBytes) : "",
      rate(sample?.networkReceivedBytesPerSecond),
      rate(sample?.networkSentBytesPerSecond),
      formatDuration(Number(sample?.uptimeSeconds ?? 0n) * 1000),
    ]);
    const titles = ["AT", "CPU", "MEMORY", "DISK", "RECEIVED", "SENT", "UP"];
    const text = rows(run, titles, lines, "no samples in this time", true);
    return lines.length === 0
      ? text
      : `${text}each line stands for ${formatDuration(response.resolutionMs)}\n`;
  });
}

function rows({ terminal }: Run, titles: string[], lines: string[][], none: string, right = false): string {
  if (lines.length === 0) return `${none}\n`;
  const columns = titles.map((title, index) => ({ title, right: right && index > 0 }));
  return table(columns, lines, { columns: terminal.columns, bold: terminal.style.bold });
}

function withNode(
  run: Run,
  asked: string | undefined,
  work: (door: Door, target: Target) => Promise<void>,
): Promise<void> {
  return withDoor(
    run,
    async (door) => await work(door, await findTarget(run, door, asked ?? run.flags.node)),
  );
}
