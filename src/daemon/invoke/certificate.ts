import { create } from "@bufbuild/protobuf";
import { CertificateChangeKind, CertificateChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import { failure } from "../../base/failure.ts";
import type { Sql } from "../../base/sql.ts";
import type { Journal } from "../journal/index.ts";
import type { Pin, Pins, PortOf } from "./store.ts";

/** What becomes of a certificate that was seen, and whether that is news. */
export interface Judgement {
  isTrusted: boolean;
  change: CertificateChangeKind | undefined;
}

/** The first one is trusted, then only that one, unless the caller knows better. The same refusal is news once. */
export function judge(seen: string, pin: Pin | undefined, trustNew: boolean): Judgement {
  if (pin === undefined) return { isTrusted: true, change: CertificateChangeKind.PINNED };
  if (pin.sha256 === seen) return { isTrusted: true, change: undefined };
  if (trustNew) return { isTrusted: true, change: CertificateChangeKind.REPLACED };
  const isNews = pin.refused !== seen;
  return { isTrusted: false, change: isNews ? CertificateChangeKind.REFUSED : undefined };
}

const reasons: Partial<Record<CertificateChangeKind, string>> = {
  [CertificateChangeKind.PINNED]: "the runtime was asked over TLS for the first time",
  [CertificateChangeKind.REFUSED]: "the runtime shows another certificate than before",
  [CertificateChangeKind.REPLACED]: "the caller trusts the new certificate",
};

/** Where certificates are kept, and told. */
export interface Notary {
  sql: Sql;
  pins: Pins;
  journal: Journal;
  /** Whether there is a runtime of this name. */
  exists: (runtime: string) => boolean;
}

/**
 * Lets a certificate pass or not, and keeps and tells what is new, in one commit. Call it before anything is sent.
 * @throws {Failure} conflict: it is another one than before.
 */
export function checkCertificate(
  { sql, pins, journal, exists }: Notary,
  at: PortOf,
  { seen, trustNew, commandId }: { seen: string; trustNew: boolean; commandId: string },
): void {
  const pin = pins.get(at);
  const { isTrusted, change } = judge(seen, pin, trustNew);
  if (change !== undefined) {
    sql.transaction(() => {
      pins.put(at, isTrusted ? { sha256: seen, refused: "" } : { sha256: pin?.sha256 ?? "", refused: seen });
      pins.forgetAllBut(exists);
      const { runtime, port } = at;
      const expectedSha256 = pin?.sha256 ?? "";
      const value = create(CertificateChangeSchema, {
        runtime,
        port,
        kind: change,
        sha256: seen,
        expectedSha256,
      });
      journal.record({ case: "certificate", value }, { reason: reasons[change] ?? "", commandId });
    });
  }
  if (isTrusted) return;
  throw failure(
    "conflict",
    `port ${at.port} of runtime ${at.runtime} shows the certificate ${seen}, and ${pin?.sha256} was expected: nothing was sent. ` +
      "If its container was made anew this is to be expected: say --trust-new-certificate (trust_new_certificate)",
    { word: "certificate" },
  );
}
