import { asFailure, type Failure, failure } from "../../base/failure.ts";

/** What the TLS of either side says about time, and what can be done. */
const aboutTime = [
  { says: /certificate is not yet valid/, hint: "check this machine's clock" },
  {
    says: /certificate has expired|certificate expired/,
    hint: "check this machine's clock, then whether to enrol anew",
  },
];

/** The failure behind what broke a stream. grpc-js puts its sentence, with that of the socket in it, into `details`. */
export function lostBecause(thrown: unknown): Failure {
  if (!(thrown instanceof Error && "details" in thrown && typeof thrown.details === "string")) {
    return asFailure(thrown);
  }
  const [, socketSaid] = /Last error: (?:Error: )?(.*?)\.? Resolution note:/s.exec(thrown.details) ?? [];
  const said =
    socketSaid === undefined
      ? `the line to the hub broke: ${thrown.details}`
      : `no connection to the hub: ${socketSaid}`;
  const hint = aboutTime.find(({ says }) => says.test(said))?.hint;
  return failure("unavailable", hint === undefined ? said : `${said}; ${hint}`, { cause: thrown });
}
