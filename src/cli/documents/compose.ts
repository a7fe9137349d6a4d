import { create } from "@bufbuild/protobuf";
import { RuntimeProfile, type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { type FieldViolation, invalidFields } from "../../base/failure.ts";
import { nearest } from "../../base/nearest.ts";
import type { Path, YamlDocument } from "../../base/yaml-documents.ts";
import { type Environment, interpolated } from "./compose-interpolate.ts";
import { declaredNetworks } from "./compose-networks.ts";
import { refusedAtTop } from "./compose-refused.ts";
import { type Project, specFrom } from "./compose-service.ts";
import { declaredVolumes } from "./compose-storage.ts";
import { below, type Refuse, textOf, textsOf } from "./compose-values.ts";
import { checkRuntime, type Wished } from "./wished.ts";

/** Whether a document is a Compose file. */
export function isCompose(value: unknown): boolean {
  return value instanceof Map && value.has("services") && !value.has("kind");
}

interface Reading {
  /** For its variables. */
  env: Environment;
  /** Where a path stands, for people. */
  placeOf: (path: Path, field: string) => string;
}

/** What says nothing about any runtime. */
const silent: readonly string[] = ["services", "volumes", "networks", "version", "name"];

/**
 * The runtimes that the services of a Compose file mean, each of profile PLAIN. A key that has no meaning here is refused by its
 * name: what somebody relies on must not be left out in silence.
 * @throws {Failure} invalid: all that is refused, each with its line and what to do instead.
 */
export function wishesFromCompose(
  { value: raw }: YamlDocument,
  { env, placeOf }: Reading,
): Wished<RuntimeSpec>[] {
  const violations: FieldViolation[] = [];
  const refuseAt = (path: Path, message: string) => {
    violations.push({ field: placeOf(path, path.join(".")), message });
    return undefined;
  };
  const refuse: Refuse = (message, ...path) => refuseAt(path, message);
  const file = interpolated(raw, env, refuseAt);
  const top = file instanceof Map ? file : new Map<unknown, unknown>();
  for (const key of [...top.keys()].map(String)) refuseUnknown(key, below(refuse, key));
  const services = servicesOf(top.get("services"), env, below(refuse, "services"));
  const project: Project = {
    env,
    volumes: declaredVolumes(top.get("volumes"), below(refuse, "volumes")),
    networks: declaredNetworks(top.get("networks"), below(refuse, "networks")),
    runtimeOf: (service) => services.get(service)?.runtime,
  };
  const wishes = [...services].map(([service, { value }]): Wished<RuntimeSpec> => {
    const init = specFrom(service, value, project, below(refuse, "services", service));
    const spec = create(RuntimeSpecSchema, { ...init, profile: RuntimeProfile.PLAIN });
    const at = ["services", service];
    const place = (field: string) =>
      placeOf([...at, ...keyOf(field)], [...at, field.replace(/^spec\.?/, "")].join("."));
    return { spec, place };
  });
  refuseShared(services, below(refuse, "services"));
  if (violations.length > 0) throw invalidFields(violations);
  for (const wish of wishes) checkRuntime(wish);
  return wishes;
}

function refuseUnknown(key: string, refuse: Refuse): void {
  if (silent.includes(key) || key.startsWith("x-")) return;
  const why = Object.hasOwn(refusedAtTop, key) ? refusedAtTop[key] : undefined;
  const meant = nearest(key, silent);
  refuse(why ?? `is not known${meant === undefined ? ": leave it out" : `; did you mean ${meant}?`}`);
}

interface Service {
  runtime: string;
  value: unknown;
}

/** The services that are meant: those of a profile only when `COMPOSE_PROFILES` names it, as with Compose itself. */
function servicesOf(value: unknown, env: Environment, refuse: Refuse): Map<string, Service> {
  if (!(value instanceof Map) || value.size === 0) {
    refuse(`is ${value instanceof Map ? "empty" : evidence(value)}; services are needed`);
    return new Map();
  }
  const active = (env.COMPOSE_PROFILES ?? "").split(",").map((one) => one.trim());
  const found = new Map<string, Service>();
  for (const [key, one] of value) {
    const service = String(key);
    const of = one instanceof Map ? (one as Map<unknown, unknown>) : new Map<unknown, unknown>();
    const profiles = of.has("profiles")
      ? textsOf(of.get("profiles"), below(refuse, service, "profiles"))
      : [];
    const isMeant =
      profiles.length === 0 || profiles.some((each) => active.includes(each) || active.includes("*"));
    if (isMeant)
      found.set(service, { runtime: textOf(of.get("container_name")) ?? service, value: one as unknown });
  }
  return found;
}

/** Services of one Compose project share volumes; runtimes do not, and each would have an empty one of its own. */
function refuseShared(services: ReadonlyMap<string, Service>, refuse: Refuse): void {
  const first = new Map<string, string>();
  for (const [service, { value }] of services) {
    const volumes = value instanceof Map ? (value.get("volumes") as unknown) : undefined;
    for (const [index, one] of (Array.isArray(volumes) ? volumes : []).entries()) {
      const source = one instanceof Map ? textOf(one.get("source")) : textOf(one)?.split(":")[0];
      if (source === undefined || /^[./~]/.test(source)) continue;
      const other = first.get(source) ?? service;
      first.set(source, other);
      if (other !== service) {
        const message = `${evidence(source)} is that of service ${other}, too, and a volume belongs to one runtime`;
        refuse(message, service, "volumes", index);
      }
    }
  }
}

/** The key of a service from which a field of a spec comes: what the contract refuses is told where it stands. */
function keyOf(field: string): Path {
  const [, name = "", index] = /^spec\.(\w+)(?:\[(\d+)\])?/.exec(field) ?? [];
  const key = keys[name];
  return key === undefined ? [] : [key, ...(index === undefined ? [] : [Number(index)])];
}

const keys: Readonly<Record<string, string>> = {
  ...{ image: "image", env: "environment", ports: "ports", labels: "labels", command: "command" },
  ...{ entrypoint: "entrypoint", volumes: "volumes", tmpfs: "tmpfs", ulimits: "ulimits", vnics: "networks" },
  ...{
    capabilities: "cap_add",
    log: "logging",
    health: "healthcheck",
    after: "depends_on",
    devices: "devices",
  },
  ...{ gpus: "gpus", stop_grace_ms: "stop_grace_period", restart: "restart" },
};
