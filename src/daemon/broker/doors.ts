import { once } from "node:events";
import { chmod, type FileHandle, open as openFile, unlink } from "node:fs/promises";
import { createServer as createHttp1 } from "node:http";
import { createServer as createHttp2 } from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import { connectionsOf } from "../../base/connections.ts";
import { failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { systemCode } from "../../base/system-code.ts";
import type { HttpRequest, HttpResponse } from "../../wire/answering.ts";
import type { CellIdentity } from "../sandbox/index.ts";
import { isHttp2 } from "./preface.ts";

/** Anybody in the container may ask; nobody else sees the folder that the socket is in. */
const socketMode = 0o666;
/** Connections of one cell at once; one more is closed. */
const maxConnections = 64;
/** Calls at once on one connection over HTTP/2; more wait at the caller. */
const maxConcurrentStreams = 64;
const maxHeaderBytes = 16 << 10;

const cellKey = Symbol("whose socket it is");

/** A connection that knows through which cell's socket it came. */
type Marked = Socket & { [cellKey]?: CellIdentity };

/** The socket of one cell. */
interface Door {
  server: Server;
  sockets: ReadonlySet<Socket>;
  /** The folder that the socket is in. Open as long as the server, which removes the socket by a path that begins with it. */
  folder: FileHandle;
}

export type Answer = (cell: CellIdentity, request: HttpRequest, response: HttpResponse) => void;

/**
 * A unix socket for each cell, with HTTP/1.1 and HTTP/2 on it. All of them share two HTTP servers, so that a socket on which nobody
 * speaks costs next to nothing. Who asks is known by the socket alone.
 */
export class Doors implements AsyncDisposable {
  readonly #doors = new Map<string, Door>();
  readonly #http1: ReturnType<typeof createHttp1>;
  readonly #http2: ReturnType<typeof createHttp2>;
  readonly #log: Logger;

  constructor(answer: Answer, log: Logger) {
    this.#log = log;
    const listener = (request: HttpRequest, response: HttpResponse) => {
      // Over HTTP/2 the socket is a stand-in, which hands on what it does not know.
      const cell = (request.socket as Marked)[cellKey];
      if (cell) answer(cell, request, response);
      else request.destroy();
    };
    this.#http1 = createHttp1({ maxHeaderSize: maxHeaderBytes }, listener);
    this.#http2 = createHttp2(
      { settings: { maxConcurrentStreams, maxHeaderListSize: maxHeaderBytes } },
      listener,
    );
    this.#http2.on("sessionError", (error) => log.debug({ error }, "connection of a cell broke"));
  }

  /**
   * Opens the socket of a cell. One that a former life of the daemon left there is replaced.
   * @throws {Failure} unavailable: it cannot be made.
   */
  async open(cell: CellIdentity, path: string): Promise<void> {
    await this.close(cell.id);
    await removed(path);
    const server = createServer((socket: Marked) => {
      socket[cellKey] = cell;
      this.#serve(socket);
    });
    const sockets = connectionsOf(server);
    server.maxConnections = maxConnections;
    try {
      const folder = await openFile(dirname(path));
      this.#doors.set(cell.id, { server, sockets, folder });
      // A socket's path has 107 bytes at most (sun_path in unix(7)), and a folder of data may be longer.
      server.listen(`/proc/self/fd/${folder.fd}/${basename(path)}`);
      await once(server, "listening");
      await chmod(path, socketMode);
    } catch (cause) {
      await this.close(cell.id);
      throw failure("unavailable", `cannot make the socket ${path}: look at the folder and its disk`, {
        cause,
      });
    }
  }

  /** Closes the socket of a cell, and every connection through it. One that is not open is the same success. */
  async close(cellId: string): Promise<void> {
    const door = this.#doors.get(cellId);
    if (!door) return;
    this.#doors.delete(cellId);
    await shut(door);
  }

  /** Closes all sockets, and with them their files go. The next life of the daemon opens them again at the same paths. */
  async [Symbol.asyncDispose](): Promise<void> {
    const doors = [...this.#doors.values()];
    this.#doors.clear();
    await Promise.all(doors.map(shut));
    this.#http1.close();
    this.#http2.close();
  }

  #serve(socket: Socket): void {
    socket.on("error", (error) => this.#log.debug({ error }, "connection of a cell broke"));
    isHttp2(socket).then(
      (yes) => (yes ? this.#http2 : this.#http1).emit("connection", socket),
      () => socket.destroy(),
    );
  }
}

async function shut({ server, sockets, folder }: Door): Promise<void> {
  if (server.listening) {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  }
  await folder.close();
}

async function removed(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (thrown) {
    if (systemCode(thrown) !== "ENOENT")
      throw failure("unavailable", `cannot remove ${path}`, { cause: thrown });
  }
}
