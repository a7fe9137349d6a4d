/** Specs that nobody would write. */
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { anyMessage, type Hints } from "../../fixtures/random-message.ts";

const paths = [
  "/",
  "/data",
  "/data/x",
  "/run",
  "/run/x",
  "/var/run",
  "/var/run/runtime",
  "/etc/passwd",
  "/proc/1",
];

/** What the rules allow and is wrong all the same, or is right and would hardly be hit on. */
const hints: Hints = {
  "RuntimeSpec.image": ["busybox", "ghcr.io/owner/plc:4", "Busy Box", "a@sha256:0"],
  "Resources.cpuset": ["0", "0-1,3", "3-1", "0-", "999999999999999999999"],
  "Label.key": ["edge.instance"],
  "RuntimeSpec.capabilities": ["NET_RAW", "SYS_NICE", "ALL", "SYS_ADMIN", "CAP_X"],
  "Device.node_path": [
    "/dev/full",
    "/dev/mem",
    "/dev/serial/by-id/../../mem",
    "/dev/serial/by-id/none",
    "/etc/shadow",
  ],
  "MaintenanceWindow.cron": ["0 2 * * 6", "* * * * *", "0 0 30 2 *", "61 * * * *", "0 0 L * *", "@reboot"],
  "MaintenanceWindow.time_zone": ["Europe/Berlin", "UTC", "Europe/Atlantis", "../etc/passwd"],
  volume_path: paths,
  lock_path: paths,
  path: [...paths, "/dev/shm", "/dev/mem", "/a/../b", "//a", "/a/", "relative", "/a:ro"],
};

/** Any spec that can come over the wire. */
export const randomSpec: fc.Arbitrary<RuntimeSpec> = anyMessage(RuntimeSpecSchema, hints);

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
