import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Enrolment } from "../../../gen/edge/v1/enrolment_pb.ts";
import { asFailure } from "../../base/failure.ts";
import { enrol } from "../enrolment/index.ts";
import { Attempts } from "./attempts.ts";
import { addressOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

/** How nodes get in. Nobody is known yet here: the token in the request is what lets them in. */
export function enrolmentService(rooms: Rooms): ServiceImpl<typeof Enrolment> {
  const { enrolment, addresses, clock, log } = rooms;
  const attempts = new Attempts(clock);
  return {
    async enroll(request, context) {
      const { tokenId, hostName } = request;
      const address = addressOf(context);
      const enrolled = await attempts.make(`${address} ${tokenId}`, async () => {
        try {
          return await enrol(enrolment, request);
        } catch (thrown) {
          const { kind, message: reason } = asFailure(thrown);
          if (kind === "denied") {
            log.warn({ token_id: tokenId, host: hostName, address, reason }, "enrolment refused");
          }
          throw thrown;
        }
      });
      const { nodeId, certificatePem, caPem, expiresAt } = enrolled;
      log.info({ node: nodeId, host: hostName, address }, "node enrolled");
      const lineAddresses = addresses.line();
      return { nodeId, certificatePem, caPem, lineAddresses, expiresAt: timestampFromMs(expiresAt) };
    },
  };
}
