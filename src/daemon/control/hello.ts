import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Hello, HelloSchema } from "../../../gen/edge/v1/control_pb.ts";
import { capabilities } from "../../wire/commands.ts";
import { certificatesOf } from "../../wire/judge.ts";
import { protocol } from "../../wire/limits.ts";
import { spkiSha256 } from "../../wire/tls.ts";
import type { Identity } from "../identity/index.ts";
import type { Sources } from "./outbox.ts";

/** Who speaks. */
export interface Speaker extends Sources {
  /** Hash of all wishes, now. */
  wishesHash: () => string;
  /** Of this machine and this program. */
  about: { version: string; hostName: string; bootId: string; instanceId: string };
}

/** What one attempt has of its own. */
export interface Opening {
  epoch: number;
  /** Attempts since the last Welcome, this one included. */
  attempt: number;
  identity: Identity;
  /** The node's present stream goes on meanwhile. */
  takesOver: boolean;
}

/** The first frame of a stream: who speaks, and where the node left off. */
export function helloOf(speaker: Speaker, { epoch, attempt, identity, takesOver }: Opening): Hello {
  const { about, work, journal, clock, wishesHash, profile } = speaker;
  const { first, last } = journal.range();
  return create(HelloSchema, {
    protocolMin: protocol.min,
    protocolMax: protocol.max,
    daemonVersion: about.version,
    commands: capabilities.map((one) => one.case),
    bootId: about.bootId,
    sessionEpoch: BigInt(epoch),
    lastCommandSequence: BigInt(work.lastSequence),
    journalId: journal.id,
    journalFirstSequence: BigInt(first),
    journalLastSequence: BigInt(last),
    wishesHash: wishesHash(),
    attempt,
    idleIntervalMs: profile?.idleIntervalMs ?? 0,
    sentAt: timestampFromMs(clock.now()),
    hostName: about.hostName,
    instanceId: about.instanceId,
    takesOver,
    trustedRoots: certificatesOf(identity.caPem).map((root) => new Uint8Array(spkiSha256(root))),
  });
}
