import { create } from "@bufbuild/protobuf";
import {
  type AllowEgressRequest,
  AllowEgressResponseSchema,
  AttachmentSchema,
  type AttachRequest,
  AttachResponseSchema,
  DeniedEgressSchema,
  type DetachRequest,
  DetachRequestSchema,
  DetachResponseSchema,
  GetNetworkResponseSchema,
  type GuardEgressRequest,
  GuardEgressResponseSchema,
  NetMon,
  type ProbeParentRequest,
  type ReadDeniedEgressRequest,
  ReadDeniedEgressRequestSchema,
  ReadDeniedEgressResponseSchema,
  type WatchAttachmentsRequest,
  type WatchAttachmentsResponse,
  WatchAttachmentsResponseSchema,
  type WatchNetworkRequest,
  type WatchNetworkResponse,
} from "../../gen/edge/v1/netmon_pb.ts";
import type { Clock } from "../base/clock.ts";
import { type CallContext, streamHandler, unaryHandler } from "../wire/grpc.ts";
import type { HealthBoard } from "../wire/health.ts";
import { openSocketServer } from "../wire/socket-server.ts";
import { validate } from "../wire/validation.ts";
import { version } from "../wire/version.ts";
import type { Attachments } from "./attachments/index.ts";
import type { Egress } from "./egress/index.ts";
import { type Network, type Picture, pictureMessage, toldSince } from "./picture/index.ts";
import { probeParent } from "./probe-parent.ts";

/** What the door needs of the network. */
type Watched = Pick<Network, "picture" | "changes" | "runId">;

export interface Rooms {
  network: Watched;
  attachments: Attachments;
  egress: Egress;
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** Who owns the socket and its group may ask; nobody else can connect. */
const socketMode = 0o660;

/** Serves `edge.v1.NetMon`. @throws {Failure} as `openSocketServer` does. */
export function openDoor(path: string, rooms: Rooms, health: HealthBoard): Promise<AsyncDisposable> {
  const { network, attachments, egress, clock, random } = rooms;
  const methods = {
    getNetwork: unaryHandler(() =>
      create(GetNetworkResponseSchema, { picture: pictureMessage(network.picture, network.runId), version }),
    ),
    watchNetwork: streamHandler((request: WatchNetworkRequest, { signal }: CallContext) =>
      watchNetwork(network, request, signal),
    ),
    attach: unaryHandler(async (request: AttachRequest, { signal }: CallContext) => {
      const { requestId, attachment = create(AttachmentSchema) } = request;
      return create(AttachResponseSchema, await attachments.attach(attachment, requestId, signal));
    }),
    detach: unaryHandler(async (request: DetachRequest) => {
      validate(DetachRequestSchema, request);
      return create(DetachResponseSchema, {
        detached: await attachments.detach(request.owner, request.requestId),
      });
    }),
    watchAttachments: streamHandler((request: WatchAttachmentsRequest, { signal }: CallContext) =>
      watchAttachments(attachments, request, { clock, signal }),
    ),
    probeParent: unaryHandler(({ parent }: ProbeParentRequest, { signal }: CallContext) =>
      probeParent(parent, { picture: network.picture, random }, signal),
    ),
    guardEgress: unaryHandler(async (request: GuardEgressRequest, { signal }: CallContext) => {
      await egress.guard(request, signal);
      return create(GuardEgressResponseSchema);
    }),
    allowEgress: unaryHandler(async (request: AllowEgressRequest, { signal }: CallContext) => {
      await egress.allow(request, signal);
      return create(AllowEgressResponseSchema);
    }),
    readDeniedEgress: unaryHandler((request: ReadDeniedEgressRequest, { signal }: CallContext) =>
      readDenied(egress, request, signal),
    ),
  };
  return openSocketServer({ path, mode: socketMode, services: [{ service: NetMon, methods }], health });
}

/** What is read is cleared: nothing may be lost on the way out. */
async function readDenied(egress: Egress, request: ReadDeniedEgressRequest, signal: AbortSignal) {
  validate(ReadDeniedEgressRequestSchema, request);
  const answer = create(ReadDeniedEgressResponseSchema);
  for (const containerId of request.containerIds) {
    const { denied, hasEnded } = await egress.read(containerId, signal);
    if (hasEnded) answer.ended.push(containerId);
    const told = denied.map(({ count, ...one }) => ({ ...one, containerId, count: BigInt(count) }));
    answer.denied.push(...told.map((one) => create(DeniedEgressSchema, one)));
  }
  return answer;
}

/** What a watcher that was here before says it has. */
type Known = Pick<WatchNetworkRequest, "knownRunId" | "knownGeneration">;

/**
 * The picture now, then the difference whenever there is another one. A reader that is slow misses those in between, and gets
 * the newest whole.
 */
export async function* watchNetwork(
  network: Watched,
  { knownRunId, knownGeneration }: Known,
  signal: AbortSignal,
): AsyncGenerator<WatchNetworkResponse, void> {
  let told: Picture | undefined;
  for await (const _ of network.changes.wakes(signal)) {
    const { picture, runId } = network;
    if (picture === told) continue; // It is only seen again, or no longer.
    const has = knownRunId === runId && knownGeneration === BigInt(picture.generation);
    const before = told ?? (has ? picture : undefined);
    told = picture;
    yield toldSince(before, picture, runId);
  }
}

/** Events that are told at once. */
const batch = 1_000;
/** What changes within this time is told together, in milliseconds. */
const coalesceMs = 50;

/** All attachments now, then whenever one is different, with what happened since in order and without a gap. */
export async function* watchAttachments(
  attachments: Pick<Attachments, "changes" | "looked" | "statuses" | "eventsAfter" | "lastSequence">,
  { afterSequence }: WatchAttachmentsRequest,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): AsyncGenerator<WatchAttachmentsResponse, void> {
  await attachments.looked(signal);
  let told = afterSequence === undefined ? attachments.lastSequence : Number(afterSequence);
  for await (const _ of attachments.changes.wakes(signal)) {
    for (let isMore = true; isMore; ) {
      const events = attachments.eventsAfter(told, batch);
      told = Number(events.at(-1)?.sequence ?? told);
      isMore = events.length === batch;
      const lastSequence = BigInt(attachments.lastSequence);
      yield create(WatchAttachmentsResponseSchema, {
        attachments: attachments.statuses(),
        events,
        lastSequence,
      });
    }
    await clock.sleep(coalesceMs, signal);
  }
}
