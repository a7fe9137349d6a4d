import type { ClientHttp2Stream, Http2Session } from "node:http2";
import { Http2SessionManager } from "@connectrpc/connect-node";

/**
 * Connections of a client of ours, for `sessionManager` of its transport.
 *
 * Answers are read from the moment they are asked for: Node takes a stream that was closed before somebody began to read it for
 * broken off, though its answer came whole (ERR_STREAM_PREMATURE_CLOSE), and Connect begins only some turns after the headers. Under
 * load answers come in one piece.
 *
 * Errors of a connection are heard to its end: Connect hears them until it dials another one, which may be a turn before an error
 * that is under way, as after the GOAWAY of a hub that stops; and one that nobody hears ends the program.
 */
export class Sessions extends Http2SessionManager {
  readonly #heard = new WeakSet<Http2Session>();

  override async request(...asked: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    const stream = await super.request(...asked);
    if (stream.session) this.#hear(stream.session);
    return readAtOnce(stream);
  }

  #hear(session: Http2Session): void {
    if (this.#heard.has(session)) return;
    this.#heard.add(session);
    session.on("error", () => {}); // Who has a stream on it is told by that.
  }
}

function readAtOnce(stream: ClientHttp2Stream): ClientHttp2Stream {
  const chunks: AsyncIterator<Buffer> & AsyncIterable<Buffer> = stream[Symbol.asyncIterator]();
  const first = chunks.next();
  // Whoever reads the answer hears of it; a call that was given up has nobody who does.
  first.catch(() => {});
  return Object.assign(stream, {
    async *[Symbol.asyncIterator]() {
      const one = await first;
      if (one.done) return;
      yield one.value;
      yield* chunks;
    },
  });
}
