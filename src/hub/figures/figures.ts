import { RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import { Counts, type Figure, gauge } from "../../wire/figures.ts";
import type { Bus } from "../bus/index.ts";
import { commandFacts } from "../commands/index.ts";
import type { ServerCertificate } from "../enrolment/index.ts";
import type { Fleet } from "../fleet/index.ts";
import { type Line, lineFacts } from "../line/index.ts";
import { reportFacts } from "../reports/index.ts";
import type { Store } from "../store/index.ts";

export interface Rooms {
  store: Store;
  bus: Pick<Bus, "problem">;
  fleet: Pick<Fleet, "totals">;
  line: Pick<Line, "connected">;
  certificate: Pick<ServerCertificate, "current">;
}

const rejectCodes = new Map<RejectCode, string>(
  Object.entries(RejectCode).flatMap(([name, code]) =>
    typeof code === "number" && code > 0 ? [[code, name.toLowerCase()] as const] : [],
  ),
);
/** From a node next door to one behind a bad radio link, and commands that pull an image. In seconds. */
const commandBounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];

/** All figures of the hub. They count from this call on. */
export function figuresOf({ store, bus, fleet, line, certificate }: Rooms): Figure[] {
  const streams = new Counts("event", ["arrived", "welcomed", "lost"]);
  const rejects = new Counts("code", [...rejectCodes.values()]);
  const reports = new Counts("kind", ["event", "result"]);
  lineFacts.hear((fact) => {
    if (fact.stream === "rejected") rejects.add(rejectCodes.get(fact.code) ?? "other");
    else streams.add(fact.stream);
  });
  reportFacts.hear(({ events, results }) => {
    reports.add("event", events);
    reports.add("result", results);
  });
  return [
    gauge("orchestrator_hub_lines", "Nodes whose line is up at this hub.", () => line.connected),
    gauge("orchestrator_hub_nodes", "Nodes in the fleet.", () => fleet.totals().nodes),
    gauge(
      "orchestrator_hub_nodes_connected",
      "Nodes whose line is up, here or at another replica.",
      () => fleet.totals().connected,
    ),
    gauge(
      "orchestrator_hub_nodes_warned",
      "Nodes that somebody should look at: see node list.",
      () => fleet.totals().warned,
    ),
    gauge(
      "orchestrator_hub_node_certificates_expiring",
      "Nodes whose certificate ends within a week, or has ended.",
      () => fleet.totals().expiring,
    ),
    streams.figure(
      "orchestrator_hub_streams_total",
      "Streams of nodes: arrived after their handshake, welcomed, and lost after their welcome.",
    ),
    rejects.figure(
      "orchestrator_hub_rejects_total",
      "Streams that were refused, by the code that the node was told.",
    ),
    gauge(
      "orchestrator_hub_commands_pending",
      "Commands without a result.",
      () => fleet.totals().pendingCommands,
    ),
    {
      kind: "histogram",
      name: "orchestrator_hub_command_seconds",
      help: "Time from the queueing of a command until its result is on the hub's disk, waiting for the node included.",
      labels: ["outcome"],
      bounds: commandBounds,
      follow: (took) =>
        void commandFacts.hear(({ seconds, isFailure }) =>
          took(seconds, { outcome: isFailure ? "failed" : "done" }),
        ),
    },
    reports.figure("orchestrator_hub_reports_total", "Reports of nodes that came onto the disk, each once."),
    {
      kind: "counter",
      name: "orchestrator_hub_store_commits_total",
      help: "Commits of the store.",
      read: () => [{ value: store.commits }],
    },
    gauge("orchestrator_hub_store_failing", "1 while the store cannot be written.", () =>
      store.problem ? 1 : 0,
    ),
    gauge("orchestrator_hub_bus_failing", "1 while replicas do not hear of one another.", () =>
      bus.problem ? 1 : 0,
    ),
    gauge(
      "orchestrator_hub_certificate_expiry_timestamp_seconds",
      "When the hub's own certificate ends.",
      () => certificate.current.expiresAt / 1000,
    ),
  ];
}
