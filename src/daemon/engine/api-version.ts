import { failure } from "../../base/failure.ts";

/** The oldest API that we speak (engines from 20.10) and the newest that we know. */
const api = { min: [1, 41], max: [1, 52] } as const;

/**
 * The API version to speak with an engine: its own, or the newest that we know.
 * @throws {Failure} unsupported: it is older than 20.10, or so new that it no longer speaks ours.
 */
export function negotiate(newest: string, oldest: string | undefined, version: string): string {
  const theirs = parts(newest);
  const [lowest, highest] = [api.min, isBefore(theirs, api.max) ? theirs : api.max];
  if (isBefore(theirs, lowest)) {
    const sentence = `the engine ${version} speaks API ${newest}; ${lowest.join(".")} (engine 20.10) is the oldest that will do`;
    throw failure("unsupported", `${sentence}: update it`);
  }
  if (oldest !== undefined && isBefore(highest, parts(oldest))) {
    const sentence = `the engine ${version} no longer speaks API ${highest.join(".")}, the newest that this program knows`;
    throw failure("unsupported", `${sentence}: update this program`);
  }
  return highest.join(".");
}

type Numbers = readonly [number, number];

function parts(text: string): Numbers {
  const [major, minor] = text.split(".").map(Number);
  return [major ?? 0, minor ?? 0];
}

/** By number: "1.100" is newer than "1.44". */
function isBefore(one: Numbers, other: Numbers): boolean {
  return one[0] < other[0] || (one[0] === other[0] && one[1] < other[1]);
}
