/** Where simulated nodes get their certificates: each has a key and a certificate of its own. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { Enrolment } from "../../gen/edge/v1/enrolment_pb.ts";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { writeWhole } from "../../src/base/files.ts";
import { newKeyPem, signingRequest } from "../../src/daemon/identity/request.ts";
import { openAuthority } from "../../src/hub/enrolment/index.ts";
import { readToken } from "../../src/wire/token.ts";
import { newIdentity } from "../../test/fakes/node.ts";
import { type HubDoor, transportTo } from "./door.ts";

export interface Identity {
  nodeId: string;
  keyPem: string;
  certificatePem: string;
}

/** In bulk by the authority of a hub that was made for this, or one by one as any node enrols. */
export type Source = { authorityFolder: string } | { hub: HubDoor };

/** Enrolments at once: a signature costs the hub some milliseconds. */
const atOnce = 4;
/** Longer than any run. */
const validMs = 30 * 24 * 3_600_000;

/** Names of nodes whose authority is the tool's own. */
export function nodeIdOf(index: number): string {
  return `n-fleet-${index}`;
}

/** Identities of nodes `from` to below `to`; `progress` is told now and then how many there are. */
export async function identitiesFor(
  source: Source,
  from: number,
  to: number,
  progress: (done: number) => void,
): Promise<Identity[]> {
  if ("authorityFolder" in source) return await issued(source.authorityFolder, from, to, progress);
  const enrolled: Identity[] = [];
  const enrol = enroller(source.hub);
  let left = to - from;
  const caller = async () => {
    while (left-- > 0) {
      enrolled.push(await enrol());
      progress(enrolled.length);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
  return enrolled;
}

/** What was issued once is kept beside the authority, for the next run on the same folder. */
async function issued(
  folder: string,
  from: number,
  to: number,
  progress: (done: number) => void,
): Promise<Identity[]> {
  const file = join(folder, `issued-${from}-${to}.json`);
  const kept = await readFile(file, "utf8").catch(() => undefined);
  if (kept !== undefined) return JSON.parse(kept) as Identity[]; // As written below.
  const authority = await openAuthority({ folder, trustDomain: "", now: Date.now });
  const all: Identity[] = [];
  for (let index = from; index < to; index++) {
    const { nodeId, keyPem, certificatePem } = await newIdentity(authority, nodeIdOf(index), undefined, {
      validMs,
    });
    all.push({ nodeId, keyPem, certificatePem });
    progress(all.length);
  }
  await writeWhole(file, JSON.stringify(all), 0o600);
  return all;
}

/** Enrols one node after another, each with a token of its own, as an operator and an installer would. */
function enroller(door: HubDoor): () => Promise<Identity> {
  const transport = transportTo(door);
  const fleet = createClient(Fleet, transport);
  const enrolment = createClient(Enrolment, transport);
  return async () => {
    const { token } = await fleet.createEnrolmentToken({ note: "simulated" });
    const { id, secret } = readToken(token);
    const keyPem = await newKeyPem();
    const csrDer = signingRequest(keyPem, "simulated");
    const request = { tokenId: id, tokenSecret: secret, csrDer, hostName: "simulated" };
    const { nodeId, certificatePem } = await enrolment.enroll(request);
    return { nodeId, keyPem, certificatePem };
  };
}
