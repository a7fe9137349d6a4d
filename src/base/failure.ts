/**
 * What a caller can do about a failure. The table that maps kinds to gRPC codes, exit codes and whether trying again can
 * help is `wire/failures.ts`.
 */
export type FailureKind =
  | "invalid"
  | "not_found"
  | "conflict"
  | "denied"
  | "unavailable"
  | "deadline"
  | "cancelled"
  | "exhausted"
  | "unsupported"
  | "internal";

/** One field that breaks a rule: its path from the request (`spec.env[2].name`) and a sentence saying what is allowed. */
export interface FieldViolation {
  field: string;
  message: string;
}

export interface FailureOptions {
  cause?: unknown;
  violations?: readonly FieldViolation[];
  /** A word for programs that tells failures of one kind apart, where a capability lists such words. */
  word?: string;
}

/** An expected error. Anything else that is thrown is a defect, and is told to the other side as `internal`. */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly violations: readonly FieldViolation[];
  /** Not `code`, by which errors of Node are known. */
  readonly word: string;

  constructor(kind: FailureKind, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Failure";
    this.kind = kind;
    this.violations = options.violations ?? [];
    this.word = options.word ?? "";
  }
}

/** Makes a failure. The message never repeats its cause; it ends with the next step where there is one. */
export function failure(kind: FailureKind, message: string, options: FailureOptions = {}): Failure {
  return new Failure(kind, message, options);
}

/** An `invalid` failure about one field. */
export function invalidField(field: string, message: string): Failure {
  return invalidFields([{ field, message }]);
}

/** An `invalid` failure about several fields. */
export function invalidFields(violations: readonly FieldViolation[]): Failure {
  return refusedFields("invalid", violations);
}

/** A failure that lists every violation in its message, so that no door can lose one; `next` is a step for all of them. */
export function refusedFields(
  kind: FailureKind,
  violations: readonly FieldViolation[],
  next?: string,
): Failure {
  const sentences = violations.map(({ field, message }) => `${field}: ${message}`);
  return new Failure(kind, [...sentences, ...(next === undefined ? [] : [next])].join("; "), { violations });
}

/**
 * The failure that a thrown value is. An abort becomes what its signal's reason says, or `cancelled`; what nobody
 * translated becomes `internal`, with the value as its cause so that the log shows it.
 */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  // Something failed, and then what was undone for it: the first is why.
  if (thrown instanceof SuppressedError) return asFailure(thrown.suppressed);
  if (thrown instanceof Error && thrown.name === "TimeoutError") {
    return new Failure("deadline", "the time for this ran out", { cause: thrown });
  }
  if (thrown instanceof Error && thrown.name === "AbortError") {
    if (thrown.cause instanceof Failure) return thrown.cause;
    return new Failure("cancelled", "called off", { cause: thrown });
  }
  return new Failure(
    "internal",
    "something failed that should not: the log of this program has the details",
    {
      cause: thrown,
    },
  );
}

/** The messages of an error and of all its causes, outermost first, joined by `: `. For logs and people. */
export function errorChain(thrown: unknown): string {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  for (let at = thrown; at !== undefined && at !== null && !seen.has(at); ) {
    seen.add(at);
    parts.push(at instanceof Error ? at.message : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(": ");
}
