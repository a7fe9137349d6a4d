/** Specs that nobody would write: each field good, at its edge, or wrong. */
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { RuntimeProfile, type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { AddressMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { RestartMode, StartCondition } from "../../../gen/edge/v1/workloads_pb.ts";
import type { SpecInit } from "./life.ts";

const text = fc.oneof(
  fc.string({ maxLength: 40, unit: "binary" }),
  fc.constantFrom("", "\0", "a\0b", "-1", "$(reboot)", "../..", "name", "NAME", "'; DROP TABLE runtimes; --"),
);
const name = fc.oneof({ weight: 4, arbitrary: fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/) }, text);
const path = fc.oneof(
  fc.constantFrom("", "/", "/data", "/data/x", "/run", "/var/run/runtime", "/etc", "/etc/passwd", "/proc/1"),
  fc.constantFrom("/dev/shm", "/dev/mem", "/a/../b", "//a", "/a/", "relative", "/a:ro", "/var/run", "/run/x"),
  text,
);
const int = fc.oneof(fc.integer(), fc.constantFrom(0, 1, 2, 80, 100, 8443, 65_535, 65_536, 4_294_967_295));
const uint = int.map((one) => one >>> 0);
const small = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
/** A value of an enum, or any other number: proto3 lets all through. */
const oneOf = <E extends number>(known: Record<string, string | number>) =>
  fc.oneof(
    fc.constantFrom(...Object.values(known).filter((one) => typeof one === "number")),
    small,
  ) as fc.Arbitrary<E>;
const long = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-1n, 0n, 1n, 4096n, 65_536n, 6_291_456n, 64n << 20n, 1n << 50n),
);
const few = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 4 });
/** Each key is there or not. */
const some = <T>(keys: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(keys, { requiredKeys: [] });

const probe = fc.oneof(
  some({ http: some({ port: uint, path, https: fc.boolean() }) }),
  some({ tcp: some({ port: uint }), exec: some({ command: few(text) }), disabled: fc.boolean() }),
);

const init: fc.Arbitrary<SpecInit> = some({
  name,
  image: fc.oneof(fc.constantFrom("busybox", "ghcr.io/owner/plc:4", "Busy Box", "a@sha256:0", ""), text),
  env: few(some({ name, value: text })),
  resources: some({
    ...{ memoryBytes: long, pidsLimit: long, cpuWeight: uint, cpuQuotaMillis: uint },
    cpuset: fc.oneof(fc.constantFrom("0", "0-1,3", "3-1", "0-", "999999999999999999999"), text),
  }),
  ...{ profile: oneOf<RuntimeProfile>(RuntimeProfile), stopGraceMs: uint, volumePath: path },
  ports: few(some({ nodePort: uint, runtimePort: uint })),
  labels: few(some({ key: fc.oneof(name, fc.constant("edge.instance")), value: text })),
  vnics: few(
    some({
      name,
      parent: name,
      addressMode: oneOf<AddressMode>(AddressMode),
      address: text,
      mac: text,
      vlanId: uint,
    }),
  ),
  ...{ command: few(text), entrypoint: few(text) },
  volumes: few(some({ name, path, readOnly: fc.boolean() })),
  tmpfs: few(some({ path, sizeBytes: long })),
  ulimits: few(
    some({ name: fc.oneof(fc.constantFrom("nofile", "memlock", "rtprio"), text), soft: long, hard: long }),
  ),
  capabilities: few(fc.oneof(fc.constantFrom("NET_RAW", "SYS_NICE", "ALL", "SYS_ADMIN", "CAP_X"), text)),
  log: some({ fileBytes: long, files: uint }),
  restart: oneOf<RestartMode>(RestartMode),
  health: fc
    .tuple(probe, some({ intervalMs: uint, timeoutMs: uint, failures: uint, startPeriodMs: uint }))
    .map(([one, times]) => ({ ...one, ...times })),
  after: few(some({ runtime: name, condition: oneOf<StartCondition>(StartCondition) })),
});

/** Any spec that can come over the wire. */
export const randomSpec: fc.Arbitrary<RuntimeSpec> = init.map((one) => create(RuntimeSpecSchema, one));

/** A spec whose every field is good by itself and as usual; what a test changes of it is the only thing that may be wrong. */
export function mixed(base: RuntimeSpec, fields: number): fc.Arbitrary<RuntimeSpec> {
  return fc
    .tuple(randomSpec, fc.subarray([...RuntimeSpecSchema.fields], { minLength: 1, maxLength: fields }))
    .map(([random, taken]) => {
      const kept = Object.fromEntries(
        RuntimeSpecSchema.fields.map(({ localName }) => {
          const from = taken.some((one) => one.localName === localName) ? random : base;
          return [localName, from[localName as keyof RuntimeSpec]];
        }),
      );
      return create(RuntimeSpecSchema, kept);
    });
}
