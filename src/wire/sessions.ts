import type { ClientHttp2Stream } from "node:http2";
import { Http2SessionManager } from "@connectrpc/connect-node";

/**
 * Connections of a client of ours, for `sessionManager` of its transport. Answers are read from the moment they are asked for:
 * Node takes a stream that was closed before somebody began to read it for broken off, though its answer came whole
 * (ERR_STREAM_PREMATURE_CLOSE), and Connect begins only some turns after the headers. Under load answers come in one piece.
 */
export class Sessions extends Http2SessionManager {
  override async request(...asked: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    return readAtOnce(await super.request(...asked));
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
