import { Failure, type FailureKind } from "../../base/failure.ts";
import { type Rlimit, rlimits } from "./rlimits.ts";

/**
 * Whether trying the same again can help: `later`, whenever the engine or the registry is back; `few`, because an engine
 * answers 500 both to a hiccup and to what will never work; `never`, until somebody changes something.
 */
export type Retry = "later" | "few" | "never";

/** What the engine, or the way to it, refused. */
export class EngineFailure extends Failure {
  readonly retry: Retry;
  /** The HTTP status; undefined when the engine did not answer. */
  readonly status: number | undefined;
  /** The limit that the engine may not raise on this machine, when that was it. */
  readonly rlimit: Rlimit | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    { retry, status, rlimit, cause }: { retry: Retry; status?: number; rlimit?: Rlimit; cause?: unknown },
  ) {
    super(kind, message, { cause });
    this.retry = retry;
    this.status = status;
    this.rlimit = rlimit;
  }
}

/** The engine does not answer at all: nothing is known, and nothing of it is a runtime's fault. */
export function isEngineAway(thrown: unknown): boolean {
  return thrown instanceof EngineFailure && thrown.status === undefined && thrown.kind === "unavailable";
}

/**
 * The engine died while it started this container, and what is left of that keeps it from starting it ever again. Engines before
 * 24 do not clean up there; another container in its place starts.
 */
export function isHalfStarted(thrown: unknown): boolean {
  const left = /task \S+ already exists|shim: mkdir \S+ file exists/;
  return thrown instanceof EngineFailure && left.test(thrown.message);
}

/** The engine has given all its address ranges to networks. */
export function isOutOfRanges(thrown: unknown): boolean {
  return thrown instanceof EngineFailure && thrown.message === outOfRanges;
}

/** Another network has the address range that was asked for. */
export function isTakenRange(thrown: unknown): boolean {
  return thrown instanceof EngineFailure && /pool overlaps with other one/i.test(thrown.message);
}

/** The engine has no such object, or no longer. */
export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof EngineFailure && thrown.status === 404;
}

/** The engine says that it is so already: started, stopped, attached. */
export function isUnchanged(thrown: unknown): boolean {
  return thrown instanceof EngineFailure && thrown.status === 304;
}

/**
 * The failure behind what dockerode threw. `doing` says what we wanted ("create the container"), `host` where the engine is.
 * What is not an answer of the engine and not a broken way to it is thrown on as it came.
 */
export function translated(thrown: unknown, doing: string, host: string): unknown {
  if (!(thrown instanceof Error) || thrown instanceof Failure) return thrown;
  const { statusCode, code } = thrown as { statusCode?: number; code?: string }; // dockerode's and Node's own fields.
  if (typeof statusCode === "number") return answered(statusCode, saidBy(thrown), doing, thrown);
  const away = code === undefined ? undefined : ways[code];
  if (away === undefined && thrown.message !== "socket hang up") return thrown;
  const [kind, why] = away ?? brokenOff;
  return new EngineFailure(kind, `the engine at ${host} ${why}`, { retry: "later", cause: thrown });
}

/** The failure that a line of a stream tells, as in `{"error": "..."}` within a pull that began well. */
export function saidInStream(text: string, doing: string): EngineFailure {
  return answered(500, text, doing, undefined);
}

const brokenOff: readonly [FailureKind, string] = ["unavailable", "broke the connection off"];

/** Errors of the way to the engine, by Node's codes. */
const ways: Readonly<Record<string, readonly [FailureKind, string]>> = {
  ENOENT: ["unavailable", "is not there: check that the engine runs, and docker.host"],
  ECONNREFUSED: ["unavailable", "refuses connections: check that the engine runs"],
  EACCES: [
    "unavailable",
    "may not be reached by this user: add it to the group of the socket, or run as root",
  ],
  EPERM: [
    "unavailable",
    "may not be reached by this user: add it to the group of the socket, or run as root",
  ],
  ENOTSOCK: ["unavailable", "is not a socket: check docker.host"],
  ECONNRESET: brokenOff,
  EPIPE: brokenOff,
  EHOSTUNREACH: ["unavailable", "is not reachable: check the network, and docker.host"],
  ENETUNREACH: ["unavailable", "is not reachable: check the network, and docker.host"],
  ETIMEDOUT: ["unavailable", "does not answer: check the network, and docker.host"],
  ENOTFOUND: ["unavailable", "has a name that is not known: check docker.host"],
  EAI_AGAIN: ["unavailable", "has a name that cannot be looked up now: check the network's name server"],
};

interface Rule {
  says: RegExp;
  kind: FailureKind;
  retry: Retry;
  sentence: (said: string, doing: string) => string;
}

const outOfRanges =
  "the engine has no address range left for another network: add default-address-pools to it";

/** What engines say, whatever status they put to it; the first that matches counts. */
const rules: readonly Rule[] = [
  {
    says: /no space left on device|disk quota exceeded/i,
    kind: "exhausted",
    retry: "later",
    sentence: () => "no space left on the engine's disk: free some, for instance unused images",
  },
  {
    says: /(?:port is already allocated|address already in use)/i,
    kind: "conflict",
    retry: "never",
    sentence: (said) => `a port of the node is taken by another program: ${said}`,
  },
  {
    // Ours, when the engine had answered with an error and made it all the same: the next look tells.
    says: /(?:container name ".*" is already in use|network with name .* already exists)/i,
    kind: "conflict",
    retry: "few",
    sentence: (said) => `the engine already has an object of this name, and it is not this daemon's: ${said}`,
  },
  {
    // Two requests at once, one of them from before a crash, and the engine made both: the next look removes one.
    says: /network .* is ambiguous/i,
    kind: "conflict",
    retry: "few",
    sentence: (said) => `the engine has two networks of one name: ${said}`,
  },
  {
    // By a container that the engine is still making for a request from before a crash: the next look removes that one.
    says: /volume is in use/i,
    kind: "conflict",
    retry: "few",
    sentence: (said, doing) => `the engine could not ${doing}: ${said}`,
  },
  {
    says: /non-overlapping IPv4 address pool|predefined address pools have been fully subnetted/i,
    kind: "exhausted",
    retry: "never",
    sentence: () => outOfRanges,
  },
  {
    says: /could not select device driver/i,
    kind: "unsupported",
    retry: "never",
    sentence: (said) =>
      `the engine has no driver for GPUs: install one, such as the NVIDIA container toolkit, or leave spec.gpus out: ${said}`,
  },
  {
    says: /exec: ".*no such file or directory|executable file not found|exec format error/i,
    kind: "invalid",
    retry: "never",
    sentence: (said) => `the image's program cannot be run here: ${said}`,
  },
  {
    says: /mount a directory onto a file|source \S+ is not (?:a )?directory/i,
    kind: "invalid",
    retry: "never",
    sentence: (said) =>
      `a volume cannot be mounted there, because the image has a file at its place: ${said}`,
  },
  {
    // Whatever status the engine puts to it, and it puts 400 when it reads "no such file": a loaded engine's own hook or pipe
    // fails now and then, and works at the next attempt.
    says: /OCI runtime create failed/i,
    kind: "unavailable",
    retry: "few",
    sentence: (said, doing) => `the engine could not ${doing}: ${said}`,
  },
  {
    says: /toomanyrequests|rate limit/i,
    kind: "exhausted",
    retry: "later",
    sentence: (said, doing) => `could not ${doing}: the registry asks for patience: ${said}`,
  },
  {
    says: /unauthorized|no basic auth credentials|authentication required|pull access denied|denied: /i,
    kind: "denied",
    retry: "never",
    sentence: (said, doing) =>
      `could not ${doing}: the registry does not give it to the engine, or does not have it: ${said}`,
  },
  {
    says: /manifest (?:for .* not found|unknown)|repository .* not found|name unknown|not found: manifest/i,
    kind: "not_found",
    retry: "never",
    sentence: (said, doing) => `could not ${doing}: the registry does not have it: ${said}`,
  },
  {
    says: /no matching manifest for|image operating system .* cannot be used/i,
    kind: "not_found",
    retry: "never",
    sentence: (said, doing) => `could not ${doing}: the registry does not have it for this machine: ${said}`,
  },
  {
    says: /dial tcp|no such host|i\/o timeout|TLS handshake|connection re(?:fused|set)|server misbehaving|Client\.Timeout|context deadline exceeded|unexpected EOF|x509: |: EOF/i,
    kind: "unavailable",
    retry: "later",
    sentence: (said, doing) => `could not ${doing}: the engine does not reach the registry: ${said}`,
  },
  {
    says: /invalid reference format/i,
    kind: "invalid",
    retry: "never",
    sentence: (said) => `spec.image is not an image reference: ${said}`,
  },
];

const byStatus: Readonly<Record<number, readonly [FailureKind, Retry]>> = {
  304: ["conflict", "never"],
  400: ["invalid", "never"],
  401: ["denied", "never"],
  403: ["denied", "never"],
  404: ["not_found", "never"],
  409: ["conflict", "never"],
  429: ["exhausted", "later"],
  501: ["unsupported", "never"],
  503: ["unavailable", "later"],
};

function answered(status: number, said: string, doing: string, cause: unknown): EngineFailure {
  const limit = /error setting rlimit type (\d+): operation not permitted/.exec(said)?.[1];
  const rlimit = limit === undefined ? undefined : rlimits[Number(limit)];
  if (rlimit !== undefined) {
    const sentence = `the engine may not raise the limit ${rlimit} on this machine: ask for less, or raise the engine's own`;
    return new EngineFailure("unsupported", sentence, { retry: "never", status, rlimit, cause });
  }
  const rule = rules.find(({ says }) => says.test(said));
  if (rule)
    return new EngineFailure(rule.kind, rule.sentence(said, doing), { retry: rule.retry, status, cause });
  const [kind, retry] = byStatus[status] ?? ["unavailable", "few"];
  return new EngineFailure(kind, `the engine could not ${doing}: ${said}`, { retry, status, cause });
}

/** The engine's own words, on one line and not too many of them. */
function saidBy(thrown: Error): string {
  const { json } = thrown as { json?: { message?: unknown } | null };
  const text =
    typeof json?.message === "string" ? json.message : thrown.message.replace(/^\(HTTP code.*? - /, "");
  // Another container at each attempt: with its id in it, the same trouble would never be seen to come again.
  const line = text
    .replace(/(?<!sha256:)\b[0-9a-f]{64}\b/g, "...")
    .replace(/\s+/g, " ")
    .trim();
  return line.length > 500 ? `${line.slice(0, 500)}...` : line;
}
