import { X509Certificate } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Authority, RootSchema } from "../../../gen/edge/v1/authority_pb.ts";
import { spkiSha256 } from "../../wire/tls.ts";
import type { KeptRoot } from "../enrolment/index.ts";
import { actorOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

/** Ids of nodes that an answer names. */
const namedLimit = 1000;

/** The fleet's roots, for admins. */
export function authorityService({ roots, fleet, log }: Rooms): ServiceImpl<typeof Authority> {
  const ids = () => fleet.list().map(({ id }) => id);
  return {
    async listRoots() {
      const newest = await roots.holders.count(ids());
      return { roots: (await roots.list()).map((root) => told(root, newest)) };
    },

    async rotateRoot(_, context) {
      const root = await roots.rotate();
      log.warn({ root: root.id, actor: actorOf(context) }, "a new root was made");
      return { root: told(root, 0) };
    },

    async retireRoot({ id, force }, context) {
      const { root, leftBehind } = await roots.retire(id, { fleet: ids(), force });
      log.warn(
        { root: id, actor: actorOf(context), leftBehind: leftBehind.slice(0, namedLimit) },
        "a root was retired",
      );
      return { root: told(root, 0), leftBehind: leftBehind.slice(0, namedLimit) };
    },
  };

  /** `newest`: nodes that hold certificates of the newest root. */
  function told(root: KeptRoot, newest: number): MessageInitShape<typeof RootSchema> {
    const certificate = new X509Certificate(root.certificatePem);
    const signsNodes = roots.issuing.id === root.id;
    const signsHub = roots.trusted.at(-1)?.id === root.id;
    return {
      ...{ id: root.id, certificatePem: root.certificatePem, signsNodes, signsHub },
      sha256: new Uint8Array(spkiSha256(certificate)),
      madeAt: timestampFromMs(root.madeAt),
      expiresAt: timestampFromDate(certificate.validToDate),
      ...(root.retiredAt !== undefined && { retiredAt: timestampFromMs(root.retiredAt) }),
      nodes: signsNodes ? newest : signsHub ? fleet.size - newest : 0,
    };
  }
}
