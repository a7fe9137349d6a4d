import type { FleetNode } from "../../gen/edge/v1/fleet_pb.ts";
import type { GetNodeResponse } from "../../gen/edge/v1/node_pb.ts";
import { RuntimePhase } from "../../gen/edge/v1/runtimes_pb.ts";
import { Transport } from "../../gen/edge/v1/transport_pb.ts";
import { formatBytes } from "../base/quantity.ts";
import { ago, moment } from "./answer.ts";
import { formatLabels, type LabelText } from "./labels.ts";
import { sheet, table } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** The fleet as a table for people. */
export function tableOfNodes(nodes: readonly FleetNode[], { style, columns }: Terminal, now: number): string {
  const line = {
    title: "LINE",
    paint: (cell: string) => (cell.startsWith("up") ? style.good(cell) : style.bad(cell)),
  };
  // A fleet without labels has no column for them.
  const isLabelled = nodes.some(({ labels }) => labels.length > 0);
  const isShared = nodes.some(({ tenant }) => tenant !== "");
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
      ...(isLabelled ? [{ title: "LABELS" }] : []),
      ...(isShared ? [{ title: "TENANT" }] : []),
      { title: "WARNING" },
    ],
    nodes.map((node) => nodeRow(node, now, { isLabelled, isShared })),
    { columns: columns, bold: style.bold },
  );
}

function nodeRow(
  node: FleetNode,
  now: number,
  { isLabelled, isShared }: { isLabelled: boolean; isShared: boolean },
): string[] {
  const runtimes = node.status?.runtimes ?? [];
  const running = runtimes.filter(({ phase }) => phase === RuntimePhase.RUNNING).length;
  const { sample } = node;
  return [
    node.id,
    node.hostName,
    node.connected ? upBy(node.transport) : "down",
    node.connected ? "now" : ago(node.seenAt, now),
    node.status ? `${running} of ${runtimes.length} run` : "",
    sample ? `${sample.cpuPercent.toFixed(0)}%` : "",
    sample ? formatBytes(sample.memoryUsedBytes) : "",
    String(node.pendingCommands),
    node.daemonVersion,
    ...(isLabelled ? [formatLabels(node.labels)] : []),
    ...(isShared ? [node.tenant] : []),
    node.revokedAt ? `its certificates were revoked at ${moment(node.revokedAt)}` : node.warning,
  ];
}

/** What only the hub knows of a node. */
interface AtHub {
  labels: readonly LabelText[];
  groups: readonly string[];
  tenant: string;
}

/** What a node says of itself, for people, with what its hub knows of it. */
export function describeNode(node: GetNodeResponse, now: number, atHub?: AtHub): string {
  const { inventory, engine, clock } = node;
  const offset = clock?.hubOffsetMs;
  return sheet([
    ["node", node.nodeId || "not enrolled"],
    ["hub", node.hubAddress === "" ? "" : `${node.hubAddress} (${lineOf(node)})`],
    ...(atHub ? ofHub(atHub) : []),
    ["daemon", `${node.daemonVersion} on Node ${node.nodeJsVersion}, up ${ago(node.daemonStartedAt, now)}`],
    [
      "engine",
      engine?.reachable
        ? `${engine.version} (API ${engine.apiVersion}, ${engine.storageDriver}) at ${engine.host}`
        : `not reachable: ${engine?.problem ?? "unknown"}`,
    ],
    ["certificate", certificateOf(node)],
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

/** Of a transport that is not the usual one, its name: something on the way is the reason. */
function upBy(transport: Transport): string {
  return transport === Transport.WEBSOCKET ? "up, websocket" : "up";
}

/** How the line to the hub is, and which way it takes. */
function lineOf({ connected, hubTransport, hubProxy, hubProblem }: GetNodeResponse): string {
  if (!connected) return hubProblem === "" ? "not connected" : `not connected: ${hubProblem}`;
  const by =
    hubTransport === Transport.WEBSOCKET
      ? " by websocket"
      : hubTransport === Transport.GRPC
        ? " by grpc"
        : "";
  return `connected${by}${hubProxy === "" ? "" : ` through the proxy ${hubProxy}`}`;
}

/** A node of no tenant has no line for it, as one in no group. */
function ofHub({ labels, groups, tenant }: AtHub): (readonly [string, string])[] {
  return [
    ["labels", formatLabels(labels)],
    ...(groups.length === 0 ? [] : [["groups", groups.join(", ")] as const]),
    ...(tenant === "" ? [] : [["tenant", tenant] as const]),
  ];
}

function certificateOf({ certificateExpiresAt, certificateRenewsAt }: GetNodeResponse): string {
  if (!certificateExpiresAt) return "";
  const renewal = certificateRenewsAt ? `, renewed from ${moment(certificateRenewsAt)} on` : "";
  return `good until ${moment(certificateExpiresAt)}${renewal}`;
}

function hubClock(offsetMs: bigint): string {
  return offsetMs < 0n ? `, the hub's is ${-offsetMs} ms behind` : `, the hub's is ${offsetMs} ms ahead`;
}
