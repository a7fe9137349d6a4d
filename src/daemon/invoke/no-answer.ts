import { type Failure, failure } from "../../base/failure.ts";

/** In which part of the way a request was lost; the contract says what each word means. */
export type NoAnswer =
  | "not_running"
  | "unreachable"
  | "refused"
  | "timed_out"
  | "tls"
  | "reset"
  | "bad_response"
  | "in_doubt";

/** There is no answer, for this reason. An answer with a bad status is none of these. */
export function noAnswer(word: NoAnswer, sentence: string, cause?: unknown): Failure {
  return failure("unavailable", sentence, { word, ...(cause !== undefined && { cause }) });
}
