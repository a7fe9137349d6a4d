import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { RuntimeSpecSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { type HealthCheckSchema, RestartMode, StartCondition } from "../../gen/edge/v1/workloads_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";
import { checked, collect } from "./flags.ts";

/** Flags that say how a runtime's life is kept. */
export interface LifeFlags {
  restart?: keyof typeof restartModes;
  health?: MessageInitShape<typeof HealthCheckSchema>;
  after: { runtime: string; condition: StartCondition }[];
}

/** Their names as commander keeps them. */
export const lifeFlagNames: readonly (keyof LifeFlags)[] = ["restart", "health", "after"];

const restartModes = {
  always: RestartMode.ALWAYS,
  "on-failure": RestartMode.ON_FAILURE,
  never: RestartMode.NEVER,
} as const;

/** Adds them to a command. How often a check is made and what it does is for a file to say. */
export function withLifeFlags(command: Command): Command {
  return command
    .addOption(
      command
        .createOption("--restart <mode>", "what is done when its program ends; always when not given")
        .choices(Object.keys(restartModes)),
    )
    .option(
      "--health <check>",
      "https:8443/api/version, http:8080, tcp:502 or none; the profile's when not given",
      checked(parseHealth),
    )
    .option(
      "--after <runtime[:healthy]>",
      "runtime of the node that runs, or is healthy, before it is started; may be given often",
      collect(parseAfter),
      [],
    );
}

/** What the flags say, as a part of a spec. */
export function fromLifeFlags({ restart, health, after }: LifeFlags) {
  return {
    restart: restart === undefined ? RestartMode.UNSPECIFIED : restartModes[restart],
    ...(health && { health }),
    after,
  } satisfies MessageInitShape<typeof RuntimeSpecSchema>;
}

function parseHealth(text: string): MessageInitShape<typeof HealthCheckSchema> {
  if (text === "none") return { disabled: true };
  const [, scheme, digits, path = ""] = /^(https?|tcp):(\d{1,5})(\/.*)?$/.exec(text) ?? [];
  if (scheme === undefined || (scheme === "tcp" && path !== "")) {
    throw failure(
      "invalid",
      `${evidence(text)} must be as https:8443/api/version, http:8080, tcp:502 or none`,
    );
  }
  const port = Number(digits);
  return scheme === "tcp" ? { tcp: { port } } : { http: { port, path, https: scheme === "https" } };
}

function parseAfter(text: string): LifeFlags["after"][number] {
  const [, runtime, condition] = /^([^:]+)(?::(running|healthy))?$/.exec(text) ?? [];
  if (runtime === undefined)
    throw failure("invalid", "it must be a runtime's name, as in broker or broker:healthy");
  return {
    runtime,
    condition: condition === "healthy" ? StartCondition.HEALTHY : StartCondition.UNSPECIFIED,
  };
}
