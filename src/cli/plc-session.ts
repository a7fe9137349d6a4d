import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import * as v from "valibot";
import type { InvokeRuntimeResponse } from "../../gen/edge/v1/invoke_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";
import type { Door } from "./door.ts";
import { invoke } from "./invoke.ts";
import type { Run } from "./run.ts";
import type { Target } from "./target.ts";

/** Who logs in at a runtime. The password is never a word of the command line, where everybody's `ps` shows it. */
export interface LoginFlags {
  user?: string;
  passwordFile?: string;
  trustNewCertificate: boolean;
}

/** A runtime that speaks the interface of the OpenPLC runtime v4. */
export interface PlcSession {
  runtime: string;
  /** What it says of itself with each answer: `v4.1.0`. */
  readonly version: string;
  /** Asks for JSON of a shape, as the user who is logged in. @throws {Failure} when it answers anything else. */
  ask<T>(shape: v.GenericSchema<unknown, T>, asks: PlcAsk): Promise<T>;
}

interface PlcAsk {
  method?: "GET" | "POST";
  path: string;
  body?: { type: string; bytes: Uint8Array };
}

const tokenShape = v.object({ access_token: v.string() });

/** Logs in at a runtime. @throws {Failure} denied: not with this password. conflict: it has no users yet. */
export async function openPlc(
  run: Run,
  { door, target, runtime }: { door: Door; target: Target; runtime: string },
  flags: LoginFlags,
): Promise<PlcSession> {
  const { username, password } = await credentials(run, flags);
  const { trustNewCertificate } = flags;
  let version = "";
  let token = "";
  const send = async ({ method = "GET", path, body }: PlcAsk) => {
    const headers = [
      ...(token === "" ? [] : [{ name: "authorization", value: `Bearer ${token}` }]),
      ...(body ? [{ name: "content-type", value: body.type }] : []),
    ];
    const bytes = body?.bytes ?? new Uint8Array();
    const asks = { runtime, method, path, headers, body: bytes, trustNewCertificate };
    const answered = await invoke(run, door, target, asks);
    version = headerOf(answered, "x-openplc-runtime-version") ?? version;
    return answered;
  };
  const login = async () => {
    token = "";
    const bytes = Buffer.from(JSON.stringify({ username, password }));
    const answered = await send({
      method: "POST",
      path: "/api/login",
      body: { type: "application/json", bytes },
    });
    if (answered.status === 401)
      throw await refused(runtime, username, () => send({ path: "/api/get-users-info" }));
    token = read(answered, tokenShape, runtime).access_token;
  };
  await login();
  return {
    runtime,
    get version() {
      return version;
    },
    async ask(shape, asks) {
      let answered = await send(asks);
      if (answered.status === 401) {
        await login(); // A token lives 15 minutes, and a build may take longer.
        answered = await send(asks);
      }
      return read(answered, shape, runtime);
    },
  };
}

async function credentials({ env, cwd }: Run, { user, passwordFile }: LoginFlags) {
  const username = user ?? env.PLC_USER ?? "";
  const file = passwordFile === undefined ? undefined : resolve(cwd, passwordFile);
  const password = file === undefined ? (env.PLC_PASSWORD ?? "") : await readPassword(file);
  if (username !== "" && password !== "") return { username, password };
  throw failure(
    "invalid",
    "who logs in at the runtime? Say --user and --password-file, or PLC_USER and PLC_PASSWORD in the environment",
  );
}

async function readPassword(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw failure("not_found", `the password cannot be read from ${path}`, { cause });
  });
  return text.replace(/\r?\n$/, "");
}

/** Why a login was refused: a runtime that was never set up has no users at all. */
async function refused(runtime: string, username: string, askUsers: () => Promise<InvokeRuntimeResponse>) {
  const { status } = await askUsers();
  if (status !== 404)
    return failure(
      "denied",
      `runtime ${runtime} does not let ${evidence(username)} in: check --user and the password`,
    );
  return failure(
    "conflict",
    `runtime ${runtime} has no users yet: make the first one with ` +
      `\`orchestrator runtime invoke ${runtime} POST /api/create-user -d @FILE\`, FILE holding {"username": ..., "password": ...}`,
  );
}

function read<T>(answered: InvokeRuntimeResponse, shape: v.GenericSchema<unknown, T>, runtime: string): T {
  const text = Buffer.from(answered.body).toString("utf8");
  const parsed =
    answered.status < 400 ? v.safeParse(v.pipe(v.string(), v.parseJson(), shape), text) : undefined;
  if (parsed?.success) return parsed.output;
  throw failure(
    "unsupported",
    `runtime ${runtime} does not answer as OpenPLC v4 does: ${answered.status} ${evidence(text)}`,
  );
}

function headerOf({ headers }: InvokeRuntimeResponse, named: string): string | undefined {
  return headers.find(({ name }) => name.toLowerCase() === named)?.value;
}
