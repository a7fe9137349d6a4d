import { type Runtime, RuntimePhase } from "../../gen/edge/v1/runtimes_pb.ts";
import { Health } from "../../gen/edge/v1/workloads_pb.ts";
import { ago, moment, word } from "./answer.ts";
import { containerRows } from "./container-tell.ts";
import { deviceRows } from "./device-tell.ts";
import { lifeRows } from "./life-tell.ts";
import { lockRows } from "./lock-tell.ts";
import { sheet, table } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { vnicsInShort } from "./vnic-tell.ts";

/** Runtimes as a table for people. */
export function tableOfRuntimes(
  runtimes: readonly Runtime[],
  { style, columns }: Terminal,
  now: number,
): string {
  const phaseColumn = {
    title: "PHASE",
    paint: (cell: string) =>
      cell.startsWith("running")
        ? style.good(cell)
        : /^(failed|crash|unhealthy)/.test(cell)
          ? style.bad(cell)
          : cell,
  };
  return table(
    [
      { title: "NAME" },
      phaseColumn,
      { title: "UP" },
      { title: "RESTARTS", right: true },
      { title: "VNICS" },
      { title: "PORTS" },
      { title: "IMAGE" },
      { title: "REASON" },
    ],
    runtimes.map((runtime) => [
      runtime.spec?.name ?? "",
      // What runs and does not work is what an operator looks for.
      `${runtime.health === Health.UNHEALTHY ? "unhealthy" : word(RuntimePhase, runtime.phase)}${lockMark(runtime)}`,
      runtime.phase === RuntimePhase.RUNNING ? ago(runtime.startedAt, now) : "",
      String(runtime.restarts),
      vnicsInShort(runtime),
      portsOf(runtime),
      runtime.spec?.image ?? "",
      runtime.reason,
    ]),
    { columns, bold: style.bold },
  );
}

function lockMark({ locks }: Runtime): string {
  return locks.length === 0 ? "" : ", locked";
}

/** What became of a command: `done`, or why it does not run though the command is over. */
export function saidOf(runtime: Runtime | undefined, done: string): string {
  const { phase, reason } = runtime ?? {};
  if (phase !== RuntimePhase.WAITING && phase !== RuntimePhase.ENDED) return done;
  return `is ${word(RuntimePhase, phase)}: ${reason}`;
}

/** How healthy it is and what the last check said; empty where nobody checks. */
export function healthOf({ health, healthReason }: Runtime): string {
  if (health === Health.UNSPECIFIED) return "";
  return [word(Health, health), healthReason].filter((part) => part !== "").join(": ");
}

function probationOf({ probation }: Runtime): string {
  if (!probation) return "";
  const { leftMs, previousImage, commandId } = probation;
  return `on probation for ${Math.ceil(leftMs / 1000)} s yet; before it: ${previousImage} (command ${commandId})`;
}

/** One runtime for people, with everything that is known of it. */
export function describeRuntime(runtime: Runtime | undefined): string {
  const spec = runtime?.spec;
  if (!runtime || !spec) return "";
  return sheet([
    ["name", spec.name],
    ["phase", word(RuntimePhase, runtime.phase)],
    ["reason", runtime.reason],
    ["health", healthOf(runtime)],
    ["update", probationOf(runtime)],
    ...lifeRows(runtime),
    ...lockRows(runtime),
    ["image", spec.image],
    ["digest", runtime.imageDigest],
    ["image id", runtime.imageId],
    ["container", runtime.containerId.slice(0, 12)],
    [
      "addresses",
      runtime.addresses.map(({ network, address, mac }) => `${address} (${network}, ${mac})`).join(", "),
    ],
    ["vnics", vnicsInShort(runtime)],
    ...deviceRows(runtime),
    ["ports", portsOf(runtime)],
    ...containerRows(runtime),
    ["env", spec.env.map((one) => one.name).join(", ")],
    ["labels", spec.labels.map(({ key, value }) => `${key}=${value}`).join(", ")],
    ["created", moment(runtime.createdAt)],
    ["started", moment(runtime.startedAt)],
    ["restarts", String(runtime.restarts)],
    ["exit code", runtime.exitCode === undefined ? "" : String(runtime.exitCode)],
  ]);
}

function portsOf({ spec }: Runtime): string {
  return (spec?.ports ?? [])
    .map(({ nodePort, runtimePort }) => `127.0.0.1:${nodePort}->${runtimePort}`)
    .join(", ");
}
