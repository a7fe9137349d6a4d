import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { type Failure, failure } from "./failure.ts";
import { systemCode } from "./system-code.ts";

export interface ListenOptions {
  /** The address to listen on. */
  host: string;
  /** 0 lets the system choose. */
  port: number;
  /** The settings that say so, for the sentences. */
  settings: { host: string; port: string };
}

/**
 * Listens on TCP, and says on which port.
 * @throws {Failure} conflict: the port is taken. denied, invalid: this user, or this machine, cannot have it. unavailable.
 */
export async function listen(server: Server, { host, port, settings }: ListenOptions): Promise<number> {
  try {
    server.listen({ host, port });
    await once(server, "listening");
  } catch (cause) {
    throw cannotListen(cause, { host, port, settings });
  }
  return (server.address() as AddressInfo).port; // It listens on TCP.
}

function cannotListen(cause: unknown, { host, port, settings }: ListenOptions): Failure {
  switch (systemCode(cause)) {
    case "EADDRINUSE":
      return failure(
        "conflict",
        `port ${port} of ${host} is taken: stop who has it, or set ${settings.port}`,
        {
          cause,
        },
      );
    case "EACCES":
      return failure(
        "denied",
        `port ${port} may not be opened by this user: set ${settings.port} to 1024 or more`,
        { cause },
      );
    case "EADDRNOTAVAIL":
      return failure("invalid", `${host} is not an address of this machine: set ${settings.host}`, { cause });
    default:
      return failure("unavailable", `port ${port} of ${host} cannot be opened`, { cause });
  }
}
