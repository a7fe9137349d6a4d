import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Enrolment } from "../../../gen/edge/v1/enrolment_pb.ts";
import { Failure } from "../../base/failure.ts";
import { enrol } from "../enrolment/index.ts";
import { Attempts } from "./attempts.ts";
import { addressOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

/** How nodes get in. Nobody is known yet here: the token in the request is what lets them in. */
export function enrolmentService({ enrolment, addresses, clock, log }: Rooms): ServiceImpl<typeof Enrolment> {
  const refused = new Attempts(clock);
  return {
    async enroll(request, context) {
      const address = addressOf(context);
      refused.check(address);
      try {
        const enrolled = await enrol(enrolment, request);
        const { nodeId, certificatePem, caPem, expiresAt } = enrolled;
        log.info({ node: nodeId, host: request.hostName, address }, "node enrolled");
        return {
          nodeId,
          certificatePem,
          caPem,
          lineAddresses: addresses.line(),
          expiresAt: timestampFromMs(expiresAt),
        };
      } catch (thrown) {
        if (thrown instanceof Failure && thrown.kind === "denied") {
          refused.note(address);
          log.warn(
            { token_id: request.tokenId, host: request.hostName, address, reason: thrown.message },
            "enrolment refused",
          );
        }
        throw thrown;
      }
    },
  };
}
