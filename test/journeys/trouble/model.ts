/** What no trouble may change: which runtimes there must be after a command, whatever came in between. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { RuntimeProfile } from "../../../gen/edge/v1/runtimes_pb.ts";
import { RestartMode } from "../../../gen/edge/v1/workloads_pb.ts";

/** What must become of one runtime. */
export interface Should {
  be: "absent" | "running" | "stopped";
  /** Which version of its wish counts. */
  version: number;
}

export type Kind = "create" | "delete" | "stop" | "start" | "restart" | "update" | "update in vain";

/** A version that never becomes healthy: its update must end with the version before. */
const isVain = (kind: Kind) => kind === "update in vain";

/** Commands that succeed on a runtime that is so, and one that must not. */
export function kindsFor({ be }: Should): readonly Kind[] {
  if (be === "absent") return ["create"];
  if (be === "stopped") return ["delete", "start", "restart", "stop"];
  return ["delete", "stop", "restart", "start", "update", "update", "update in vain"];
}

/** What must be after a command. */
export function after(kind: Kind, { be, version }: Should): Should {
  if (kind === "create") return { be: "running", version };
  if (kind === "delete") return { be: "absent", version: version + 1 };
  if (kind === "update") return { be, version: version + 1 };
  if (isVain(kind)) return { be, version };
  return { be: kind === "stop" ? "stopped" : "running", version };
}

/** Whether the command is to succeed. */
export function succeeds(kind: Kind): boolean {
  return !isVain(kind);
}

type Request = NonNullable<Exclude<MessageInitShape<typeof CommandSchema>, { $typeName: string }>["request"]>;

/** The command as it is sent. `script` is an image that does what `DO` says. */
export function requestOf(kind: Kind, name: string, { version }: Should, script: string): Request {
  const specOf = (version: number, isIll: boolean) => ({
    ...{ name, image: script, profile: RuntimeProfile.PLAIN, stopGraceMs: 1000, restart: RestartMode.ALWAYS },
    volumes: [{ name: "kept", path: "/kept" }],
    env: [
      { name: "VERSION", value: String(version) },
      { name: "DO", value: isIll ? "sleep 0.2; exit 3" : runsForEver },
    ],
  });
  if (kind === "create") return { case: "createRuntime", value: { spec: specOf(version, false) } };
  if (kind === "update" || isVain(kind)) {
    const spec = specOf(version + 1, isVain(kind));
    return { case: "updateRuntime", value: { spec, probationMs: 1000 } };
  }
  if (kind === "delete") return { case: "deleteRuntime", value: { name } };
  if (kind === "stop") return { case: "stopRuntime", value: { name } };
  return { case: kind === "start" ? "startRuntime" : "restartRuntime", value: { name } };
}

const runsForEver = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done";
