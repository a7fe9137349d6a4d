import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type RuntimeStatus, RuntimeStatusSchema } from "../../../gen/edge/v1/control_pb.ts";
import {
  DesiredState,
  type Runtime,
  RuntimeSchema,
  type RuntimeSpec,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import { nothing, type Observed } from "../engine/index.ts";
import { devicesOf, type Probation, vnicsOf, type Wish } from "../wishes/index.ts";
import { type Known, phaseOf } from "./phase.ts";
import { type Ground, theContainer } from "./plan.ts";
import { healthOf } from "./wellbeing.ts";

/** A runtime as the contract tells it. What the engine knows is told as it was seen, and left out while it cannot be asked. */
export function toRuntime(wish: Wish, seen: Observed | undefined, known: Known, ground: Ground): Runtime {
  const container = shown(wish, seen, ground);
  const exitCode =
    container && container.finishedAt !== "" ? (container.exitCode ?? wish.exitCode) : wish.exitCode;
  return create(RuntimeSchema, {
    spec: shownSpec(wish),
    ...phaseOf(wish, container, known),
    containerId: container?.id ?? "",
    imageId: container?.imageId ?? "",
    addresses: (container?.networks ?? [])
      .filter(({ address }) => address !== "")
      .map(({ name, address, mac }) => ({ network: name, address, mac })),
    createdAt: timestampFromMs(wish.createdAt),
    ...(container?.startedAt && { startedAt: timestampFromMs(Date.parse(container.startedAt)) }),
    restarts: wish.restarts,
    ...(exitCode !== undefined && { exitCode }),
    specHash: wish.specHash,
    vnics: vnicsOf(wish, known.lan),
    devices: devicesOf(wish, known.lan),
    oomKills: wish.oomKills,
    ...healthOf(known.judged, container),
    imageDigest: wish.imageDigest,
    ...(wish.probation && { probation: probationOf(wish, wish.probation) }),
    locks: [...known.locks],
  });
}

/** Its wish as somebody would write it: that it runs need not be said. */
function shownSpec({ spec, desired }: Wish): RuntimeSpec {
  return desired === "stopped" ? { ...spec, desired: DesiredState.STOPPED } : spec;
}

function probationOf({ probationUsedMs }: Wish, { commandId, limitMs, previous }: Probation) {
  const leftMs = Math.max(0, limitMs - probationUsedMs);
  return { commandId, leftMs, previousImage: previous.spec.image };
}

/** A runtime in short. */
export function toStatus(
  wish: Wish,
  seen: Observed | undefined,
  known: Known,
  ground: Ground,
): RuntimeStatus {
  const { name, restarts, spec } = wish;
  const container = shown(wish, seen, ground);
  const phase = phaseOf(wish, container, known);
  const { health } = healthOf(known.judged, container);
  const vnics = vnicsOf(wish, known.lan).map((vnic) => ({
    ...{ name: vnic.name, phase: vnic.phase, reason: vnic.reason, addresses: vnic.addresses },
  }));
  return create(RuntimeStatusSchema, {
    name,
    restarts,
    image: spec.image,
    health,
    ...phase,
    vnics,
    devices: devicesOf(wish, known.lan),
    locks: [...known.locks],
  });
}

/** The container that counts, or one that is about to be replaced. */
export function shown(wish: Wish, { containers } = nothing, ground: Ground) {
  return theContainer(wish, { ...nothing, containers }, ground) ?? containers[0];
}
