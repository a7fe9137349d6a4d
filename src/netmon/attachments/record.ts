import { equals } from "@bufbuild/protobuf";
import { VnicChangeKind as Kind, VnicStatusSchema } from "../../../gen/edge/v1/vnics_pb.ts";
import type { Standing } from "./situation.ts";
import { lifeOf, type Tended } from "./tended.ts";
import { type Change, changesBetween, type Reasons, statusOf } from "./told.ts";
import type { Tools } from "./tools.ts";

/** Writes down how an owner's vNICs are now and, in the same commit, what happened to them since this was done last. */
export function record(
  tended: Tended,
  { standings, reasons }: { standings: readonly Standing[]; reasons: ReadonlyMap<string, Reasons> },
  tools: Tools,
): void {
  for (const standing of standings) recordVnic(tended, standing, reasons.get(standing.vnic.name), tools);
  const wanted = new Set(tended.attachment.vnics.map(({ name }) => name));
  for (const [name, { link }] of tended.told) if (!wanted.has(name)) recordGone(tended, name, link, tools);
}

function recordVnic(tended: Tended, standing: Standing, reasons: Reasons = new Map(), tools: Tools): void {
  const { owner, runtime } = tended.attachment;
  const { name } = standing.vnic;
  const before = tended.told.get(name);
  const lease = tended.vnics.get(name)?.lease?.lease;
  const status = statusOf(standing, { lease, before: before?.status, now: tools.clock.now() });
  const link =
    standing.linkOn === 0 || !tended.netns ? "" : `${standing.linkOn}@${lifeOf(tended.netns.owner)}`;
  if (before && before.link === link && equals(VnicStatusSchema, before.status, status)) return;
  const after = { status, link };
  tools.store.atomically(() => {
    tools.store.keepTold(owner, name, after);
    append(tended, changesBetween(before, after, { standing, reasons, runtime }), tools);
  });
  tended.told.set(name, after);
  tools.changed();
}

/** A vNIC that is not wanted any more; its link is gone. */
function recordGone(tended: Tended, name: string, link: string, tools: Tools): void {
  const { owner, runtime } = tended.attachment;
  const change = { runtime, vnic: name, kind: Kind.DETACHED };
  tools.store.atomically(() => {
    tools.store.forgetVnic(owner, name);
    append(tended, link === "" ? [] : [{ change, reason: `${name} is not wanted any more` }], tools);
  });
  tended.told.delete(name);
  tended.vnics.delete(name);
  tools.changed();
}

function append({ attachment, requestId }: Tended, changes: readonly Change[], { events }: Tools): void {
  for (const one of changes) events.append({ ...one, owner: attachment.owner, requestId });
}
