import { type Failure, failure } from "./failure.ts";

/** SQLite's primary result codes (https://sqlite.org/rescode.html). */
const code = {
  busy: 5,
  locked: 6,
  readonly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
};

function primaryCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !("errcode" in thrown)) return undefined;
  return Number(thrown.errcode) & 0xff;
}

/** Whether what was thrown says that the file is no database, or a broken one. */
export function isUnreadable(thrown: unknown): boolean {
  const at = primaryCode(thrown);
  return at === code.corrupt || at === code.notADatabase;
}

/** A file that is to stay where it is and cannot be used. */
export function notReadable(path: string, cause: unknown): Failure {
  const said = cause instanceof Error ? cause.message : String(cause);
  return failure(
    "unavailable",
    `${path} cannot be read (${said}): put it back from a backup, or move it away to begin with nothing`,
    { cause },
  );
}

/** What SQLite threw, as a failure that names the file and the next step. Anything else stays as it is. */
export function translated(path: string, thrown: unknown): unknown {
  switch (primaryCode(thrown)) {
    case code.busy:
    case code.locked:
      return failure(
        "conflict",
        `${path} is in use by another running program: stop that one, or choose another data directory`,
        { cause: thrown },
      );
    case code.full:
      return failure("exhausted", `no space left for ${path}: free some on its file system`, {
        cause: thrown,
      });
    case code.readonly:
    case code.cannotOpen:
    case code.ioError:
      return failure(
        "unavailable",
        `${path} cannot be written: check the folder's owner, its mode, and whether the file system is read-only`,
        { cause: thrown },
      );
    default:
      return thrown;
  }
}
