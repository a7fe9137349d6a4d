import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { FailureSchema } from "../../../gen/edge/v1/failure_pb.ts";
import { failure } from "../../base/failure.ts";
import { fromFailureMessage, toFailureMessage } from "../../wire/failures.ts";
import { type Message, requestLimit } from "./bus.ts";

type Answer = (message: Message) => Promise<Uint8Array>;

/** The first byte of an answer says what the rest is: what was asked for, or the failure. */
const good = 0;
const bad = 1;

/** How a bus carries what `answer` returns or throws: never rejects, and answers at most `requestLimit` at once. */
export function answering(answer: Answer): Answer {
  let underWay = 0;
  return async (message) => {
    if (underWay >= requestLimit) {
      return refused(failure("exhausted", "this hub answers too many of its replicas' questions: try again"));
    }
    underWay++;
    try {
      return marked(good, await answer(message));
    } catch (thrown) {
      return refused(thrown);
    } finally {
      underWay--;
    }
  };
}

/** The carried form of a failure. */
export function refused(thrown: unknown): Uint8Array {
  return marked(bad, toBinary(FailureSchema, toFailureMessage(thrown)));
}

/** What an answer returned. @throws {Failure} what it threw. */
export function answerOf(carried: Uint8Array): Uint8Array {
  const rest = carried.subarray(1);
  if (carried[0] === good) return rest;
  throw fromFailureMessage(fromBinary(FailureSchema, rest));
}

function marked(mark: number, bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + 1);
  all[0] = mark;
  all.set(bytes, 1);
  return all;
}

/** The failure of a request that nobody was there for. */
export function nobodyServes(subject: string) {
  return failure("unavailable", `nobody serves ${subject} now: try again in a moment`);
}

/** The failure of a request that was not answered in time. */
export function lateAnswer(subject: string, timeoutMs: number) {
  return failure("deadline", `${subject} did not answer within ${timeoutMs} ms: try again`);
}

/** The failure of a request over the limit. */
export function tooManyRequests() {
  return failure("exhausted", `${requestLimit} requests on the bus wait already: try again in a moment`);
}
