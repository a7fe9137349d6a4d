import { connect } from "node:net";
import { create, type DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Authority } from "../../gen/edge/v1/authority_pb.ts";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { Groups } from "../../gen/edge/v1/groups_pb.ts";
import { Rollouts } from "../../gen/edge/v1/rollouts_pb.ts";
import { failure } from "../base/failure.ts";
import {
  type Capability,
  type CommandCase,
  capabilities,
  type RequestOf,
  type ResponseOf,
} from "../wire/commands.ts";
import { metadata } from "../wire/doors.ts";
import { Sessions } from "../wire/sessions.ts";
import { minTlsVersion } from "../wire/tls.ts";
import { explain } from "./explain.ts";
import { findPlace, type Place } from "./place.ts";
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
  /** The hub's certificate authority. @throws {Failure} unsupported at the local door. */
  readonly authority: Client<typeof Authority>;
  /** The hub's groups. @throws {Failure} unsupported at the local door. */
  readonly groups: Client<typeof Groups>;
  /** The hub's rollouts. @throws {Failure} unsupported at the local door. */
  readonly rollouts: Client<typeof Rollouts>;
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

function openDoor(place: Place, { signal, flags }: Run): Door {
  const sessions = place.kind === "hub" ? hubSessions(place) : localSessions(place.where);
  const ofHub = <S extends DescService>(service: S): Client<S> => {
    if (place.kind === "hub") return createClient(service, transport);
    throw failure("unsupported", "this asks the hub, and --local asks this node's daemon: leave --local out");
  };
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
      return ofHub(Fleet);
    },
    get authority() {
      return ofHub(Authority);
    },
    get groups() {
      return ofHub(Groups);
    },
    get rollouts() {
      return ofHub(Rollouts);
    },
    async ask(name, request, options = {}) {
      const { method } = capabilityNamed(name);
      const headers = new Headers();
      if (options.nodeId !== undefined) headers.set(metadata.node, options.nodeId);
      if (options.commandId !== undefined) headers.set(metadata.commandId, options.commandId);
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

function hubSessions({ where, ca }: Place): Sessions {
  const pings = { pingIntervalMs: 20_000, pingTimeoutMs: 10_000 };
  return new Sessions(where, pings, { minVersion: minTlsVersion, ...(ca && { ca }) });
}

/** Connections to a program of this machine, at its socket. */
export function localSessions(path: string): Sessions {
  return new Sessions("http://localhost", {}, { createConnection: () => connect(path) });
}

function bearing(token: string): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return await next(request);
  };
}
