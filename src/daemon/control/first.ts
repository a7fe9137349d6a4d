import { create } from "@bufbuild/protobuf";
import {
  type HubFrame,
  NodeFrameSchema,
  type Reject,
  type RenewalAnswer,
} from "../../../gen/edge/v1/control_pb.ts";
import { failure } from "../../base/failure.ts";
import { lostBecause } from "./lost.ts";
import type { Stream } from "./session.ts";

/** How long the hub may take, connecting included, in milliseconds. */
const answerMs = 20_000;

/**
 * Asks for the next certificate as the first frame of a stream: what is left to a node whose certificate has expired.
 * Rejects when the stream breaks, or with the signal's reason.
 */
export async function askFirst(
  stream: Stream,
  csrDer: Uint8Array,
  signal: AbortSignal,
): Promise<RenewalAnswer | Reject> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
  return await new Promise((resolve, reject) => {
    const give = () => {
      const late = failure("unavailable", `the hub did not answer within ${answerMs / 1000} s`);
      reject(signal.aborted ? signal.reason : late);
    };
    stop.addEventListener("abort", give, { once: true });
    stream.on("data", ({ body }: HubFrame) => {
      if (body.case === "renewal" || body.case === "reject") resolve(body.value);
    });
    stream.on("end", () => reject(failure("unavailable", "the hub ended the stream without an answer")));
    stream.on("error", (error) => reject(lostBecause(error)));
    stream.write(create(NodeFrameSchema, { body: { case: "renewal", value: { csrDer, takesRoots: true } } }));
  });
}
