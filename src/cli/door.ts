import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { create, type DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { type Failure, failure } from "../base/failure.ts";
import {
  type Capability,
  type CommandCase,
  capabilities,
  type RequestOf,
  type ResponseOf,
} from "../wire/commands.ts";
import { minTlsVersion } from "../wire/tls.ts";
import { loadCliSettings } from "./config.ts";
import { explain } from "./explain.ts";
import type { Run } from "./run.ts";

/** Large enough for a fleet of thousands in one answer. */
const maxAnswerBytes = 64 << 20;
/** How long a read may take when `--timeout` does not say, in milliseconds. */
const readTimeoutMs = 30_000;

/** Where a command goes: the hub's API, or this node's own socket. Closing it lets the process end. */
export interface Door extends Disposable {
  kind: "hub" | "local";
  /** The hub's address, or the socket. */
  where: string;
  /** The hub's own service. @throws {Failure} unsupported at the local door. */
  readonly fleet: Client<typeof Fleet>;
  /** Asks a node something that has no side effects, or, at the local door, anything. */
  ask<C extends CommandCase>(
    name: C,
    request: Omit<RequestOf<C>, "$typeName" | "$unknown">,
    options?: AskOptions,
  ): Promise<ResponseOf<C>>;
}

export interface AskOptions {
  /** The node; not given at the local door. */
  nodeId?: string | undefined;
  commandId?: string;
  timeoutMs?: number | undefined;
}

/** Opens the door that flags and settings name, does the work, and closes it. Errors of the transport become failures. */
export async function withDoor<T>(run: Run, work: (door: Door) => Promise<T>): Promise<T> {
  const place = await findPlace(run);
  using door = openDoor(place, run);
  try {
    return await work(door);
  } catch (thrown) {
    throw explain(thrown, place);
  }
}

/** What is needed to reach a door. */
export interface Place {
  kind: "hub" | "local";
  where: string;
  token?: string;
  ca?: Buffer;
  caFile?: string | undefined;
}

export async function findPlace(run: Run): Promise<Place> {
  const { flags, cwd } = run;
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(cwd, path));
  const given = {
    "hub-url": flags.hub,
    "hub-token-file": absolute(flags.tokenFile),
    "hub-ca-file": absolute(flags.caFile),
    "daemon-socket": absolute(flags.socket),
  };
  const settings = await loadCliSettings(given, flags.config, run);
  if (flags.local || flags.socket !== undefined) {
    const where = settings["daemon.socket"] ?? join(settings["daemon.data_dir"], "daemon.sock");
    return { kind: "local", where };
  }
  const url = settings["hub.url"];
  const folder = settings["hub.data_dir"];
  // Files of this machine's hub are offered to no other hub.
  const ownToken = url === undefined ? join(folder, "admin.token") : undefined;
  const ownCa = url === undefined ? join(folder, "ca", "ca.pem") : undefined;
  const tokenFile = settings["hub.token_file"] ?? ownToken;
  const caFile = settings["hub.ca_file"] ?? ownCa;
  if (tokenFile === undefined) {
    throw failure(
      "denied",
      `no operator token for ${url}: name its file with --token-file or hub.token_file`,
    );
  }
  const noHub = tokenFile === ownToken ? noHubHere(folder) : undefined;
  const token = (await readSecret(tokenFile, "operator token", noHub)).toString("utf8").trim();
  // A token travels in a header; what is none would break the request with a sentence of its own.
  if (!/^[\x21-\x7e]{1,512}$/.test(token)) {
    throw failure("invalid", `${tokenFile} does not hold an operator token: it must be one word on one line`);
  }
  const ca = caFile === undefined ? undefined : await readSecret(caFile, "CA certificate", undefined);
  const where = url?.replace(/\/+$/, "") ?? `https://127.0.0.1:${settings["hub.api.port"]}`;
  return { kind: "hub", where, token, ...(ca && { ca }), caFile };
}

function noHubHere(folder: string): Failure {
  return failure(
    "unavailable",
    `no hub is named and none keeps its state in ${folder}: name one with --hub and --token-file, or use --local on a node`,
  );
}

async function readSecret(path: string, what: string, missing: Failure | undefined): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EACCES") {
      throw failure("denied", `the ${what} in ${path} may not be read by this user`, { cause });
    }
    if (code === "ENOENT")
      throw missing ?? failure("not_found", `the file ${path} (${what}) is not there`, { cause });
    throw failure("invalid", `the ${what} in ${path} cannot be read`, { cause });
  }
}

function openDoor(place: Place, { signal, flags }: Run): Door {
  const sessions = place.kind === "hub" ? hubSessions(place) : localSessions(place.where);
  const transport = createGrpcTransport({
    baseUrl: place.kind === "hub" ? place.where : "http://localhost",
    sessionManager: sessions,
    interceptors: place.token === undefined ? [] : [bearing(place.token)],
    acceptCompression: [],
    readMaxBytes: maxAnswerBytes,
  });
  return {
    kind: place.kind,
    where: place.where,
    get fleet() {
      if (place.kind === "local") {
        throw failure(
          "unsupported",
          "this asks the hub, and --local asks this node's daemon: leave --local out",
        );
      }
      return client(Fleet, transport);
    },
    async ask(name, request, options = {}) {
      const { method } = capabilityNamed(name);
      const headers = new Headers();
      if (options.nodeId !== undefined) headers.set("edge-node", options.nodeId);
      if (options.commandId !== undefined) headers.set("edge-command-id", options.commandId);
      const timeoutMs = options.timeoutMs ?? flags.timeout ?? readTimeoutMs;
      const input = create(method.input, request);
      const answer = await transport.unary(
        method as typeof method & { methodKind: "unary" }, // Every capability is unary; commands.ts checks it.
        signal,
        timeoutMs,
        headers,
        input,
      );
      // The method's output is the response of the same case.
      return answer.message as ResponseOf<typeof name>;
    },
    [Symbol.dispose]: () => sessions.abort(),
  };
}

/** The capability of a case. */
export function capabilityNamed(name: CommandCase): Capability {
  const found = capabilities.find((one) => one.case === name);
  if (!found) throw new Error(`no capability is called ${name}`);
  return found;
}

function client<S extends DescService>(service: S, transport: Transport): Client<S> {
  return createClient(service, transport);
}

function hubSessions({ where, ca }: Place): Http2SessionManager {
  const pings = { pingIntervalMs: 20_000, pingTimeoutMs: 10_000 };
  return new Http2SessionManager(where, pings, { minVersion: minTlsVersion, ...(ca && { ca }) });
}

function localSessions(path: string): Http2SessionManager {
  return new Http2SessionManager("http://localhost", {}, { createConnection: () => connect(path) });
}

function bearing(token: string): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return await next(request);
  };
}
