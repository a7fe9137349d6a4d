import type { Event } from "../../../gen/edge/v1/events_pb.ts";
import { EventSchema } from "../../../gen/edge/v1/events_pb.ts";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Counts, type Figure, gauge, type Reading } from "../../wire/figures.ts";
import type { Agents } from "../agents/index.ts";
import { lineFacts } from "../control/index.ts";
import type { Journal } from "../journal/index.ts";
import type { Metrics } from "../metrics/index.ts";
import type { Runtimes } from "../runtimes/index.ts";
import type { Tasks } from "../tasks/index.ts";
import { type Work, workFacts } from "../work/index.ts";

export interface Rooms {
  runtimes: Pick<Runtimes, "status">;
  journal: Pick<Journal, "size">;
  metrics: Pick<Metrics, "latest">;
  work: Pick<Work, "unfinished">;
  agents: Pick<Agents, "list">;
  tasks: Pick<Tasks, "countsOf">;
  /** When the node's certificate ends, wall time in milliseconds; undefined before it has one. */
  certificateExpiresAt: () => number | undefined;
}

/** From a question to a pull over a plant's uplink, in seconds. */
const workBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

const phases = Object.entries(RuntimePhase).flatMap(([name, phase]) =>
  typeof phase === "number" && phase > 0 ? [{ name: name.toLowerCase(), phase }] : [],
);

/** Facts by what the contract calls them, as in `policy_denied`. */
const factNames = new Map(
  EventSchema.oneofs.flatMap(({ fields }) => fields.map((field) => [field.localName, field.name] as const)),
);
const events = new Counts("fact", [...factNames.values()]);

/** Counts an event of this node, whether or not somebody asks for figures. */
export function countEvents({ fact }: Event): void {
  events.add(factNames.get(fact.case ?? "") ?? "other");
}

/** All figures of the daemon. They count from this call on. */
export function figuresOf(rooms: Rooms): Figure[] {
  return [...lineFigures(rooms), ...workFigures(rooms), ...runtimeFigures(rooms), ...agentFigures(rooms)];
}

function lineFigures({ journal, certificateExpiresAt }: Rooms): Figure[] {
  const changes = new Counts("to", ["connecting", "up", "down"]);
  let isUp = 0;
  lineFacts.hear(({ is }) => {
    isUp = is === "up" ? 1 : 0;
    if (is !== "not enrolled") changes.add(is);
  });
  return [
    gauge("orchestrator_line_up", "1 while the line to the hub is up.", () => isUp),
    changes.figure(
      "orchestrator_line_changes_total",
      "Attempts to connect, and how often the line came up and went down.",
    ),
    gauge("orchestrator_journal_entries", "Entries of the journal.", () => journal.size.entries),
    gauge("orchestrator_journal_bytes", "What the entries of the journal take.", () => journal.size.bytes),
    {
      kind: "gauge",
      name: "orchestrator_certificate_expiry_timestamp_seconds",
      help: "When the node's certificate ends; absent before it has one.",
      read: () => {
        const at = certificateExpiresAt();
        return at === undefined ? [] : [{ value: at / 1000 }];
      },
    },
  ];
}

function workFigures({ work }: Rooms): Figure[] {
  return [
    gauge(
      "orchestrator_commands_unfinished",
      "Commands that were accepted and have no result.",
      () => work.unfinished,
    ),
    {
      kind: "histogram",
      name: "orchestrator_command_seconds",
      help: "Time from the acceptance of a command until its result.",
      labels: ["command", "outcome"],
      bounds: workBounds,
      follow: (took) =>
        void workFacts.hear(({ ask, seconds, isFailure }) =>
          took(seconds, { command: ask, outcome: isFailure ? "failed" : "done" }),
        ),
    },
    events.figure("orchestrator_events_total", "Events of this node, by what happened."),
  ];
}

function runtimeFigures({ runtimes, metrics }: Rooms): Figure[] {
  return [
    gauge("orchestrator_engine_reachable", "1 while the container engine answers.", () =>
      runtimes.status().engineReachable ? 1 : 0,
    ),
    {
      kind: "gauge",
      name: "orchestrator_runtimes",
      help: "Runtimes that are wished for, by their phase.",
      labels: ["phase"],
      read: () => {
        const all = runtimes.status().runtimes;
        return phases.map(({ name, phase }) => ({
          labels: { phase: name },
          value: all.filter((one) => one.phase === phase).length,
        }));
      },
    },
    {
      kind: "gauge",
      name: "orchestrator_runtime_running",
      help: "1 for a runtime that runs, 0 for one that does not.",
      labels: ["runtime"],
      read: () => ofEach(({ phase }) => (phase === RuntimePhase.RUNNING ? 1 : 0)),
    },
    {
      kind: "counter",
      name: "orchestrator_runtime_restarts_total",
      help: "How often the node started a runtime again by itself.",
      labels: ["runtime"],
      read: () => ofEach(({ restarts }) => restarts),
    },
    gauge(
      "orchestrator_node_cpu_percent",
      "CPU that the node uses, of one CPU.",
      () => metrics.latest().cpuPercent,
    ),
    gauge("orchestrator_node_memory_used_bytes", "Memory that the node uses, without caches.", () =>
      Number(metrics.latest().memoryUsedBytes),
    ),
    gauge("orchestrator_node_memory_size_bytes", "Memory of the node.", () =>
      Number(metrics.latest().memoryTotalBytes),
    ),
    gauge("orchestrator_node_disk_used_bytes", "Used of the disk that the daemon's state is on.", () =>
      Number(metrics.latest().diskUsedBytes),
    ),
    gauge("orchestrator_node_disk_size_bytes", "Size of the disk that the daemon's state is on.", () =>
      Number(metrics.latest().diskTotalBytes),
    ),
  ];
  function ofEach(read: (one: ReturnType<Runtimes["status"]>["runtimes"][number]) => number): Reading[] {
    return runtimes.status().runtimes.map((one) => ({ labels: { runtime: one.name }, value: read(one) }));
  }
}

function agentFigures({ agents, tasks }: Rooms): Figure[] {
  return [
    {
      kind: "gauge",
      name: "orchestrator_tasks",
      help: "Tasks of each agent that wait or run, and containers of it that wait for one (warm).",
      labels: ["agent", "state"],
      read: () =>
        agents.list().flatMap(({ name }) => {
          const { queued, running, warm } = tasks.countsOf(name);
          return Object.entries({ queued, running, warm }).map(([state, value]) => ({
            labels: { agent: name, state },
            value,
          }));
        }),
    },
  ];
}
