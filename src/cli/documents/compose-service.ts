import { RestartMode, StartCondition } from "../../../gen/edge/v1/workloads_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { nearest } from "../../base/nearest.ts";
import { devicesFrom, gpusFrom } from "./compose-devices.ts";
import { healthFrom } from "./compose-health.ts";
import { limitsFrom, type SpecInit } from "./compose-limits.ts";
import { type declaredNetworks, vnicsFrom } from "./compose-networks.ts";
import { portsFrom } from "./compose-ports.ts";
import { fineWhenOff, refused } from "./compose-refused.ts";
import { storageFrom, tmpfsFrom } from "./compose-storage.ts";
import {
  below,
  bytesOf,
  durationMs,
  keysOf,
  pairsOf,
  type Refuse,
  textOf,
  textsOf,
  wholeOf,
  wordsOf,
} from "./compose-values.ts";

/** What a service can refer to. */
export interface Project {
  env: Readonly<Record<string, string | undefined>>;
  volumes: ReadonlySet<string>;
  networks: ReturnType<typeof declaredNetworks>;
  /** The runtime that a service becomes; undefined when there is no such service. */
  runtimeOf: (service: string) => string | undefined;
}

/** What a key of a service means for a runtime. */
type Means = (value: unknown, refuse: Refuse, project: Project) => SpecInit;

/** The keys that have a meaning here. Those of limits are read together, since two of them may say the same. */
const taken: Readonly<Record<string, Means>> = {
  image: (value, refuse) => ({ image: textOf(value) ?? text(value, refuse) }),
  container_name: (value, refuse) => ({ name: textOf(value) ?? text(value, refuse) }),
  command: (value, refuse) => ({ command: argumentsOf(value, refuse) }),
  entrypoint: (value, refuse) => ({ entrypoint: argumentsOf(value, refuse) }),
  environment: (value, refuse, { env }) => ({
    // One without a value has that of whoever applies the file, and is left out when he has none.
    env: pairsOf(value, refuse).flatMap(([name, given]) => {
      const known = given ?? env[name];
      return known === undefined ? [] : { name, value: known };
    }),
  }),
  labels: (value, refuse) => ({
    labels: pairsOf(value, refuse).map(([key, given]) => ({ key, value: given ?? "" })),
  }),
  ports: (value, refuse) => ({ ports: portsFrom(value, refuse) }),
  volumes: (value, refuse, { volumes }) => storageFrom(value, volumes, refuse),
  tmpfs: (value, refuse) => ({ tmpfs: tmpfsFrom(value, refuse) }),
  shm_size: (value, refuse) => ({ tmpfs: [{ path: "/dev/shm", sizeBytes: bytesOf(value, refuse) ?? 0n }] }),
  networks: (value, refuse, { networks }) => ({ vnics: vnicsFrom(value, networks, refuse) }),
  devices: (value, refuse) => ({ devices: devicesFrom(value, refuse) }),
  gpus: (value, refuse) => gpusFrom(value, refuse),
  healthcheck: (value, refuse) => ({ health: healthFrom(value, refuse) }),
  restart: (value, refuse) => ({ restart: restartOf(value, refuse) }),
  depends_on: (value, refuse, project) => ({ after: afterOf(value, refuse, project) }),
  stop_grace_period: (value, refuse) => ({ stopGraceMs: Math.max(1, durationMs(value, refuse) ?? 1) }),
  cap_add: (value, refuse) => ({
    capabilities: textsOf(value, refuse).map((name) => name.toUpperCase().replace(/^CAP_/, "")),
  }),
  ulimits: (value, refuse) => ({ ulimits: ulimitsOf(value, refuse) }),
  logging: (value, refuse) => logOf(value, refuse),
  // Good where they ask for what is done anyway.
  stop_signal: only(["SIGTERM", "15"], "is not given: programs are ended with SIGTERM"),
  pull_policy: only(
    ["missing", "if_not_present"],
    "is not kept: apply with --pull to ask the registry again",
  ),
  scale: only(["1"], refused.scale ?? ""),
  profiles: () => ({}), // They were looked at before.
};

/** The runtime that a service means: what it says, and Compose's own defaults where ours are others. */
export function specFrom(service: string, value: unknown, project: Project, refuse: Refuse): SpecInit {
  const spec: SpecInit = { name: service, restart: RestartMode.NEVER };
  if (!(value instanceof Map)) {
    refuse(`is ${evidence(value)}; keys with values are needed`);
    return spec;
  }
  if (!value.has("image")) refuse("needs an image");
  for (const [given, one] of value) {
    const key = String(given);
    if (key.startsWith("x-") || limitsFrom.keys.includes(key) || one === null) continue;
    const means = Object.hasOwn(taken, key) ? taken[key] : undefined;
    const at = below(refuse, key);
    if (means) add(spec, means(one, at, project));
    else if (!(fineWhenOff.includes(key) && (one === false || one === "false"))) at(whyNot(key));
  }
  return ownVolumeOf(add(spec, limitsFrom(value, refuse)));
}

function whyNot(key: string): string {
  const why = Object.hasOwn(refused, key) ? refused[key] : undefined;
  if (why !== undefined) return why;
  const meant = nearest(key, [...Object.keys(taken), ...limitsFrom.keys, ...Object.keys(refused)]);
  return `is not known${meant === undefined ? ": leave it out" : `; did you mean ${meant}?`}`;
}

/** Lists that several keys fill are joined. */
function add(spec: SpecInit, more: SpecInit): SpecInit {
  const tmpfs = [...(spec.tmpfs ?? []), ...(more.tmpfs ?? [])];
  return Object.assign(spec, more, tmpfs.length > 0 && { tmpfs });
}

/** A runtime has a volume of its own at `/data`: a service that mounts one just there means that. */
function ownVolumeOf(spec: SpecInit): SpecInit {
  const volumes = spec.volumes?.filter(({ path, readOnly }) => path !== "/data" || readOnly);
  return volumes ? { ...spec, volumes } : spec;
}

function text(value: unknown, refuse: Refuse): string {
  refuse(`is ${evidence(value)}; a text is needed`);
  return "";
}

function argumentsOf(value: unknown, refuse: Refuse): string[] {
  const line = textOf(value);
  const words = line === undefined ? textsOf(value, refuse) : wordsOf(line);
  if (words === undefined) refuse("has a quote that is never closed");
  else if (words.length === 0) refuse("is empty: leave it out, and the image's own counts");
  return words ?? [];
}

function only(good: readonly string[], why: string): Means {
  return (value, refuse) => {
    if (!good.includes(textOf(value) ?? "")) refuse(why);
    return {};
  };
}

function restartOf(value: unknown, refuse: Refuse): RestartMode {
  const word = textOf(value) ?? "";
  if (word === "no" || word === "false") return RestartMode.NEVER;
  if (word === "always" || word === "unless-stopped") return RestartMode.ALWAYS;
  if (word === "on-failure") return RestartMode.ON_FAILURE;
  const isCounted = word.startsWith("on-failure:");
  refuse(
    isCounted
      ? "counts attempts, and they are not counted here: say on-failure; pauses grow to 5 minutes"
      : `${evidence(value)} is not taken; there are no, always, unless-stopped, on-failure`,
  );
  return RestartMode.UNSPECIFIED;
}

const conditions: Readonly<Record<string, StartCondition>> = {
  service_started: StartCondition.RUNNING,
  service_healthy: StartCondition.HEALTHY,
};

function afterOf(value: unknown, refuse: Refuse, { runtimeOf }: Project): NonNullable<SpecInit["after"]> {
  const named: [string, StartCondition, Refuse][] =
    value instanceof Map
      ? [...value].map(([service, one]) => {
          const at = below(refuse, String(service));
          return [String(service), conditionOf(one, at), at];
        })
      : textsOf(value, refuse).map((service, index) => [
          service,
          StartCondition.RUNNING,
          below(refuse, index),
        ]);
  return named.map(([service, condition, at]) => {
    const runtime = runtimeOf(service);
    if (runtime === undefined) at(`${evidence(service)} is no service of this file`);
    return { runtime: runtime ?? service, condition };
  });
}

function conditionOf(value: unknown, refuse: Refuse): StartCondition {
  const known = ["condition", "required", "restart"] as const;
  const { condition, required = true, restart = false } = keysOf(value, known, refuse);
  if (required !== true) refuse("must be true: a runtime waits for what it is started after", "required");
  if (restart !== false)
    refuse("must be false: a runtime that runs goes on when another is restarted", "restart");
  const found = typeof condition === "string" ? conditions[condition] : undefined;
  if (found === undefined) {
    refuse(
      `${evidence(condition)} is not taken; there are ${Object.keys(conditions).join(", ")}`,
      "condition",
    );
  }
  return found ?? StartCondition.UNSPECIFIED;
}

function ulimitsOf(value: unknown, refuse: Refuse): NonNullable<SpecInit["ulimits"]> {
  if (!(value instanceof Map)) {
    refuse(`is ${evidence(value)}; names with limits are needed`);
    return [];
  }
  return [...value].map(([key, one]) => {
    const at = below(refuse, String(key));
    if (!(one instanceof Map)) {
      const both = wholeOf(one, at) ?? 0n;
      return { name: String(key), soft: both, hard: both };
    }
    const { soft, hard } = keysOf(one, ["soft", "hard"], at);
    return { name: String(key), soft: wholeOf(soft, at) ?? 0n, hard: wholeOf(hard, at) ?? 0n };
  });
}

function logOf(value: unknown, refuse: Refuse): SpecInit {
  const { driver = "json-file", options } = keysOf(value, ["driver", "options"], refuse);
  if (driver !== "json-file") {
    refuse(
      `${evidence(driver)} is not taken: logs are kept as json-file, and read with \`orchestrator runtime logs\``,
      "driver",
    );
  }
  if (options === undefined || options === null) return {};
  const at = below(refuse, "options");
  const { "max-size": size, "max-file": files } = keysOf(options, ["max-size", "max-file"], at);
  const fileBytes = size === undefined ? 0n : bytesOf(size, below(at, "max-size"), 1000);
  const kept = files === undefined ? 0n : wholeOf(files, below(at, "max-file"));
  return { log: { fileBytes: fileBytes ?? 0n, files: Number(kept ?? 0n) } };
}
