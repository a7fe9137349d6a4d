import { basename, dirname } from "node:path";
import pino, { type DestinationStream, type Logger } from "pino";
import { createStream } from "rotating-file-stream";
import { quoted } from "./evidence.ts";

export type { Logger };

export interface LogOptions {
  /** Which program speaks: `hub`, `daemon`, `netmon`. */
  program: string;
  level: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  /** `json` for machines; `pretty` for a person at a terminal. */
  format: "json" | "pretty";
  /** File to write to, rotated at 10 MB, five kept; standard error when absent. */
  file?: string;
}

/**
 * Names of fields that are never written, wherever they occur in a line. A secret that is put under another name is a
 * defect of the line that logs it.
 */
export const secretFields = [
  "secret",
  "token",
  "password",
  "authorization",
  "private_key",
  "csr",
  "env",
] as const;

/**
 * The structured log of a program. A line is a constant sentence and fields named by our nouns:
 * `log.info({ command, runtime, ms }, "runtime created")`.
 */
export function openLog(options: LogOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { program: options.program },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.errWithCause },
      redact: {
        paths: secretFields.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: "[redacted]",
      },
    },
    destination(options),
  );
}

function destination({ file, format }: LogOptions): DestinationStream {
  if (file !== undefined) {
    return createStream(basename(file), { path: dirname(file), size: "10M", maxFiles: 5, mode: 0o640 });
  }
  if (format === "pretty") return { write: (line) => void process.stderr.write(pretty(line)) };
  return pino.destination({ dest: 2, sync: true });
}

/** One line for a person: time, level, sentence, then the fields. What others said in them cannot steer the terminal. */
function pretty(line: string): string {
  const { time, level, program, msg, error, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  const why =
    typeof error === "object" && error !== null && "message" in error
      ? [`error=${quoted(String(error.message))}`]
      : [];
  const clock = String(time).slice(11, 23);
  return `${[clock, String(level).padEnd(5), `${String(program)}:`, String(msg), ...rest, ...why].join(" ")}\n`;
}

function shown(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  return /\p{C}/u.test(value) ? quoted(value) : value;
}
