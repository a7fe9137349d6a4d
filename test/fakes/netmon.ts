/**
 * A netmon that plugs nothing in: a real server on a unix socket, which keeps attachments, tells of them and of a picture, and
 * refuses what it is told to refuse. What it promises is in `netmon.proto`; suites that run on it run on the real one, too.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Device, DevicePhase, DeviceStatusSchema } from "../../gen/edge/v1/devices_pb.ts";
import {
  type Attachment,
  type AttachmentEvent,
  AttachmentEventSchema,
  AttachmentStatusSchema,
  type AttachRequest,
  AttachResponseSchema,
  type DetachRequest,
  DetachResponseSchema,
  GetNetworkResponseSchema,
  NetMon,
  NetworkPictureSchema,
  type WatchAttachmentsRequest,
  WatchAttachmentsResponseSchema,
  WatchNetworkResponseSchema,
} from "../../gen/edge/v1/netmon_pb.ts";
import {
  type Vnic,
  VnicChangeKind,
  type VnicChangeSchema,
  VnicPhase,
  VnicStatusSchema,
} from "../../gen/edge/v1/vnics_pb.ts";
import { Changes } from "../../src/base/changes.ts";
import { failure } from "../../src/base/failure.ts";
import { aborted } from "../../src/base/tasks.ts";
import { type CallContext, streamHandler, unaryHandler } from "../../src/wire/grpc.ts";
import { HealthBoard } from "../../src/wire/health.ts";
import { openSocketServer } from "../../src/wire/socket-server.ts";

/** What a netmon has on its disk. */
export interface Kept {
  attachments: Map<string, Attachment>;
  events: AttachmentEvent[];
}

export interface FakeNetmon extends AsyncDisposable {
  readonly kept: Kept;
  /** Addresses without prefix that other machines have, and the MACs of those. */
  readonly taken: Map<string, string>;
  /** Whether the parents have a carrier. */
  hasCarrier: boolean;
  /** How often somebody asked to attach. */
  readonly attached: Attachment[];
  /** Something happened to an attachment by itself. */
  tell(owner: string, change: MessageInitShape<typeof VnicChangeSchema>, requestId?: string): void;
  /** Something is different, of which there is no event. */
  changed(): void;
}

/** Opens it on what an earlier one left, if there was one. */
export async function fakeNetmon(
  path: string,
  kept: Kept = { attachments: new Map(), events: [] },
): Promise<FakeNetmon> {
  const changes = new Changes();
  const lastSequence = () => kept.events.at(-1)?.sequence ?? 0n;
  const statusOf = (vnic: Vnic) =>
    create(VnicStatusSchema, {
      ...{ name: vnic.name, mac: vnic.mac, parent: vnic.parent },
      phase: fake.hasCarrier ? VnicPhase.UP : VnicPhase.NO_CARRIER,
      reason: fake.hasCarrier ? "it is up" : `${vnic.parent} has no carrier`,
      addresses: vnic.address === "" ? [] : [vnic.address],
    });

  const deviceOf = ({ nodePath, path }: Device) =>
    create(DeviceStatusSchema, { nodePath, path: path || nodePath, phase: DevicePhase.PRESENT });

  const fake: FakeNetmon = {
    ...{ kept, taken: new Map(), hasCarrier: true, attached: [], changed: () => changes.notify() },
    tell(owner, change, requestId = "") {
      const sequence = lastSequence() + 1n;
      const at = timestampFromMs(Date.now());
      const event = { sequence, at, owner, change, reason: "it just happened", requestId };
      kept.events.push(create(AttachmentEventSchema, event));
      changes.notify();
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
    },
  };

  const attach = ({ attachment, requestId }: AttachRequest) => {
    if (!attachment) throw failure("invalid", "attachment: is required");
    fake.attached.push(attachment);
    for (const { address } of attachment.vnics) {
      const [host = ""] = address.split("/");
      const mac = fake.taken.get(host);
      if (mac !== undefined) throw failure("conflict", `${mac} has ${host} already`);
    }
    const { owner, runtime, vnics, devices } = attachment;
    if (!kept.attachments.has(owner)) {
      kept.attachments.set(owner, attachment);
      for (const { name: vnic } of vnics) {
        fake.tell(owner, { runtime, vnic, kind: VnicChangeKind.ATTACHED }, requestId);
      }
    }
    kept.attachments.set(owner, attachment);
    changes.notify();
    return create(AttachResponseSchema, { vnics: vnics.map(statusOf), devices: devices.map(deviceOf) });
  };

  const detach = ({ owner, requestId }: DetachRequest) => {
    const attachment = kept.attachments.get(owner);
    kept.attachments.delete(owner);
    for (const { name: vnic } of attachment?.vnics ?? []) {
      fake.tell(
        owner,
        { runtime: attachment?.runtime ?? "", vnic, kind: VnicChangeKind.DETACHED },
        requestId,
      );
    }
    return create(DetachResponseSchema, { detached: attachment !== undefined });
  };

  async function* watchAttachments({ afterSequence }: WatchAttachmentsRequest, { signal }: CallContext) {
    let after = afterSequence ?? lastSequence();
    for await (const _ of changes.wakes(signal)) {
      const events = kept.events.filter(({ sequence }) => sequence > after);
      after = events.at(-1)?.sequence ?? after;
      const attachments = [...kept.attachments.values()].map(({ owner, containerId, vnics, devices }) =>
        create(AttachmentStatusSchema, {
          ...{ owner, containerId, vnics: vnics.map(statusOf) },
          devices: devices.map(deviceOf),
        }),
      );
      yield create(WatchAttachmentsResponseSchema, { attachments, events, lastSequence: lastSequence() });
    }
  }

  const picture = create(NetworkPictureSchema, {
    generation: 1n,
    interfaces: [{ name: "eth0", index: 2, carrier: true, routes: [{ destination: "10.77.0.0/24" }] }],
  });
  async function* watchNetwork(_: unknown, { signal }: CallContext) {
    yield create(WatchNetworkResponseSchema, { picture, changed: ["eth0"] });
    await aborted(signal);
  }

  const methods = {
    ...{ attach: unaryHandler(attach), detach: unaryHandler(detach) },
    ...{ watchAttachments: streamHandler(watchAttachments), watchNetwork: streamHandler(watchNetwork) },
    getNetwork: unaryHandler(() => create(GetNetworkResponseSchema, { picture })),
    probeParent: unaryHandler(() => {
      throw failure("unavailable", "nobody is asked here");
    }),
  };
  const services = [{ service: NetMon, methods }];
  const server = await openSocketServer({
    path,
    mode: 0o600,
    services,
    health: new HealthBoard([NetMon.typeName]),
  });
  return fake;
}
