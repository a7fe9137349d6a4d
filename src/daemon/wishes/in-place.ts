import { isDeepStrictEqual } from "node:util";
import type { Resources, RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { imageCheckOf, sysctlsOf } from "./container.ts";
import { usualWeight } from "./cpu-shares.ts";

/** What of a wish can differ from the wish before it. `desired` is no part of what is kept of a wish. */
type Field = Exclude<keyof RuntimeSpec, "$typeName" | "$unknown" | "name" | "desired">;

/** Why a change of a field needs another container, as a sentence; undefined when it is made while the program goes on. */
type Needs = (before: RuntimeSpec, after: RuntimeSpec) => string | undefined;

const never: Needs = () => undefined;
const always = (why: string): Needs => {
  return () => why;
};

const atBegin = "a program gets it when it begins";
const madeOf = "the engine makes a container with it, and cannot change it later";

/** Which changes need another container. A field that is not decided here does not compile. */
export const needsContainer: { readonly [F in Field]: Needs } = {
  image: always("a container has one image for good"),
  env: always(atBegin),
  command: always(atBegin),
  entrypoint: always(atBegin),
  profile: always("capabilities, limits and volumes of the profile are those of the container"),
  resources: whyNotLimited,
  ulimits: always(atBegin),
  capabilities: always(atBegin),
  ports: always(madeOf),
  volumePath: always(madeOf),
  volumes: always(madeOf),
  tmpfs: always(madeOf),
  lockPath: always(madeOf),
  gpus: always(madeOf),
  log: always(madeOf),
  // Netmon plugs vNICs and devices in and out while the program runs.
  devices: never,
  vnics: (before, after) =>
    isDeepStrictEqual(sysctlsOf(before), sysctlsOf(after))
      ? undefined
      : "the engine turns IPv6 on or off when it makes a container",
  health: whyNotChecked,
  // What the daemon alone acts upon. The engine's own copies follow with the next container.
  stopGraceMs: never,
  labels: never,
  restart: never,
  after: never,
  maintenance: never,
};

/** The engine takes a limit that is new or different; it has no word for one that is taken away, but for processes. */
function whyNotLimited({ resources: before }: RuntimeSpec, { resources: after }: RuntimeSpec) {
  const isTaken = (is: (of: Resources) => boolean) => before && is(before) && !(after && is(after));
  const taken = [
    isTaken(({ memoryBytes }) => memoryBytes > 0n) && "memory limit",
    isTaken(({ cpuset }) => cpuset !== "") && "set of CPUs",
    isTaken(({ cpuWeight }) => cpuWeight > 0 && cpuWeight !== usualWeight) && "CPU weight",
    isTaken(({ cpuQuotaMillis }) => cpuQuotaMillis > 0) && "CPU quota",
  ].filter((one) => typeof one === "string");
  return taken.length === 0 ? undefined : `the engine cannot take away its ${taken.join(" and ")}`;
}

/** A check that the daemon does is its own affair. Where the engine does the image's, it does it as the container was made. */
function whyNotChecked(before: RuntimeSpec, after: RuntimeSpec): string | undefined {
  const [was, is] = [imageCheckOf(before).Healthcheck, imageCheckOf(after).Healthcheck];
  const isOurs = is?.Test?.[0] === "NONE";
  return isOurs || isDeepStrictEqual(was, is)
    ? undefined
    : "the engine does the image's own check as it was told first";
}
