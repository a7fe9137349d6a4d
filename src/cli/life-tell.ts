import type { Runtime } from "../../gen/edge/v1/runtimes_pb.ts";
import { type HealthCheck, RestartMode, StartCondition } from "../../gen/edge/v1/workloads_pb.ts";
import { word } from "./answer.ts";

/** How a runtime's life is kept, as rows of a sheet: what is said of it, and nothing that is usual. */
export function lifeRows({ spec }: Runtime): [string, string][] {
  if (!spec) return [];
  const rows: [string, string][] = [
    ["check", spec.health ? checkOf(spec.health) : ""],
    ["restart", spec.restart === RestartMode.UNSPECIFIED ? "" : word(RestartMode, spec.restart)],
    ["after", spec.after.map(({ runtime, condition }) => `${runtime}${isHealthy(condition)}`).join(", ")],
  ];
  return rows.filter(([, text]) => text !== "");
}

function isHealthy(condition: StartCondition): string {
  return condition === StartCondition.HEALTHY ? " (healthy)" : "";
}

function checkOf({ disabled, http, tcp, exec, restarts }: HealthCheck): string {
  const what = http
    ? `${http.https ? "https" : "http"}:${http.port}${http.path || "/"}`
    : tcp
      ? `tcp:${tcp.port}`
      : (exec?.command.join(" ") ?? (disabled ? "none" : "the image's own"));
  return restarts ? `${what}, restarted when it fails` : what;
}
