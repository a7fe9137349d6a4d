import { once } from "node:events";
import { chmod, lstat, unlink } from "node:fs/promises";
import { connect, createServer, type Server as Listener } from "node:net";
import type { DescService } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { connectionsOf } from "../base/connections.ts";
import { errorChain, failure } from "../base/failure.ts";
import { grpcService } from "./grpc.ts";
import { grpcHealth, Health, type HealthBoard } from "./health.ts";
import { maxTransportBytes } from "./limits.ts";
import { grpcReflection, reflectionOf, ServerReflection } from "./reflection.ts";

export interface SocketServerOptions {
  /** The socket's path. */
  path: string;
  /** Permissions of the socket: who may write to it may ask for anything. */
  mode: number;
  services: readonly { service: DescService; methods: UntypedServiceImplementation }[];
  health: HealthBoard;
}

/** The longest path that a unix socket can have, in bytes (sun_path in unix(7), with its final zero). */
const maxPathBytes = 107;
/** How long calls may take to end when the server closes, in milliseconds. */
const closeMs = 1_000;

/**
 * Serves gRPC on a unix socket, with reflection and health: what the daemon and netmon open for programs of their own
 * machine. A socket that a dead program left behind is replaced; one on which somebody answers is not.
 * @throws {Failure} invalid: the path is too long. conflict: another program serves there, or it is not a socket.
 * unavailable: it cannot be made.
 */
export async function openSocketServer(options: SocketServerOptions): Promise<AsyncDisposable> {
  const { path, mode, services, health } = options;
  await clear(path);
  const server = new Server({
    "grpc.max_receive_message_length": maxTransportBytes,
    "grpc.max_send_message_length": maxTransportBytes,
  });
  for (const { service, methods } of services) server.addService(grpcService(service), methods);
  server.addService(grpcService(Health), grpcHealth(health));
  const listed = [...services.map(({ service }) => service), Health, ServerReflection];
  server.addService(grpcService(ServerReflection), grpcReflection(reflectionOf(listed)));
  const calls = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createServer((socket) => calls.injectConnection(socket));
  const close = closing(server, listener);
  try {
    listener.listen(path);
    await once(listener, "listening");
    await chmod(path, mode);
  } catch (cause) {
    await close();
    throw failure("unavailable", `cannot make the socket ${path}: ${errorChain(cause)}`, { cause });
  }
  return { [Symbol.asyncDispose]: close };
}

/** Gives calls a moment to end. Then whoever is still connected is not waited for: gRPC alone waits for those who say nothing. */
function closing(server: Server, listener: Listener): () => Promise<void> {
  const connections = connectionsOf(listener);
  return async () => {
    if (listener.listening) listener.close();
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, closeMs);
      server.tryShutdown(() => {
        clearTimeout(late);
        resolve();
      });
    });
    server.forceShutdown();
    for (const socket of connections) socket.destroy();
  };
}

/** Makes room for a new socket, if nobody serves there. */
async function clear(path: string): Promise<void> {
  if (Buffer.byteLength(path) > maxPathBytes) {
    throw failure(
      "invalid",
      `${path} is longer than the ${maxPathBytes} bytes that a socket's path may have: choose a shorter one`,
    );
  }
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket()) {
    throw failure("conflict", `${path} is there and is not a socket: move it away, or choose another path`);
  }
  if (await answers(path)) {
    throw failure("conflict", `another program serves on ${path}: stop that one first`);
  }
  await unlink(path);
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // ECONNREFUSED: whoever made it is dead.
  } finally {
    socket.destroy();
  }
}
