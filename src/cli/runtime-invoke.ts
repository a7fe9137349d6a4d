import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import {
  type InvokeRuntimeResponse,
  InvokeRuntimeResponseSchema,
  InvokeScheme,
} from "../../gen/edge/v1/invoke_pb.ts";
import { evidence } from "../base/evidence.ts";
import { type FailureKind, failure } from "../base/failure.ts";
import { answer } from "./answer.ts";
import { printBytes, textIn } from "./bytes.ts";
import { collect, whole } from "./flags.ts";
import { invoke } from "./invoke.ts";
import { readPayload } from "./payload.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import { withNode } from "./target.ts";

/** The largest body; `InvokeRuntimeRequest.body` says it, too. */
const maxBodyBytes = 960 << 10;

interface InvokeFlags {
  header: { name: string; value: string }[];
  data?: string;
  include: boolean;
  output?: string;
  port: number;
  http: boolean;
  fail: boolean;
  trustNewCertificate: boolean;
}

/** `orchestrator runtime invoke` */
export function defineInvoke(noun: Command, run: Run): void {
  noun
    .command("invoke <runtime> <method> <path>")
    .description("send an HTTP request to a runtime, and print the body of its answer")
    .option("-H, --header <name: value>", "header; may be given often", collect(parseHeader), [])
    .option("-d, --data <text>", "body: a text, or @ and the path of a file")
    .option("-i, --include", "print status and headers, too, on standard error", false)
    .option("-o, --output <path>", "write the body into a file")
    .option("--port <port>", "port of the runtime", whole(1, 65_535), 8443)
    .option("--http", "without TLS", false)
    .option("--fail", "fail when the status is 400 or more", false)
    .option("--trust-new-certificate", "the runtime may show another certificate than before", false)
    .action((runtime: string, method: string, path: string, flags: InvokeFlags) =>
      withNode(run, async (door, target) => {
        const body = await bodyOf(flags.data, run.cwd);
        const headers = [...flags.header];
        const isTyped = headers.some(({ name }) => name.toLowerCase() === "content-type");
        if (body.length > 0 && !isTyped) headers.push({ name: "content-type", value: typeOf(body) });
        const { port, trustNewCertificate } = flags;
        const scheme = flags.http ? InvokeScheme.HTTP : InvokeScheme.HTTPS;
        const asks = { runtime, method: method.toUpperCase(), path, headers, body };
        const response = await invoke(run, door, target, { ...asks, port, scheme, trustNewCertificate });
        await tell(run, response, flags);
        if (response.status < 400) return;
        if (flags.fail) {
          throw failure(
            kindOfStatus(response.status),
            `runtime ${runtime} answered ${response.status} (--fail)`,
          );
        }
        if (!flags.include) run.terminal.err(`the runtime answered ${response.status}\n`);
      }),
    );
}

async function tell(run: Run, response: InvokeRuntimeResponse, flags: InvokeFlags): Promise<void> {
  const { terminal, cwd } = run;
  const { status, headers, body } = response;
  if (flags.include) {
    const lines = [`HTTP ${status}`, ...headers.map(({ name, value }) => `${name}: ${value}`)];
    terminal.err(`${lines.map(printable).join("\n")}\n\n`);
  }
  if (flags.output !== undefined) await writeFile(resolve(cwd, flags.output), body);
  if (run.flags.json) answer(run, InvokeRuntimeResponseSchema, response, () => "");
  else if (flags.output === undefined) printBytes(terminal, body, "put them into a file with --output");
}

async function bodyOf(data: string | undefined, cwd: string): Promise<Uint8Array> {
  if (!data?.startsWith("@")) return Buffer.from(data ?? "");
  return await readPayload(data.slice(1), { cwd, maxBytes: maxBodyBytes });
}

/** JSON is what runtimes speak; anything else is bytes, unless a header says what they are. */
function typeOf(body: Uint8Array): string {
  try {
    JSON.parse(textIn(body) ?? "");
    return "application/json";
  } catch {
    return "application/octet-stream";
  }
}

/** For `--fail`: no status becomes `unavailable`, which is kept for when nobody answered. */
function kindOfStatus(status: number): FailureKind {
  if (status === 401 || status === 403) return "denied";
  if (status === 404) return "not_found";
  if (status === 409) return "conflict";
  if (status === 429) return "exhausted";
  return status < 500 ? "invalid" : "internal";
}

function parseHeader(text: string): { name: string; value: string } {
  const [, name, value] = /^([^:\s]+):\s*(.*)$/s.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return { name, value };
  throw failure("invalid", `${evidence(text)} is not a header such as 'accept: application/json'`);
}
