import { connect, constants, type IncomingHttpHeaders } from "node:http2";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { failure } from "../../base/failure.ts";
import type { Codec } from "../../wire/codec.ts";
import { framed, Unframing } from "../../wire/grpc-messages.ts";
import { saidByHub } from "./lost.ts";

/** Frames that are taken before whoever writes is told to wait: one may be large. */
const writtenAhead = 4;

/**
 * One call of gRPC on a connection that is open: messages both ways. No client of a library takes a connection that somebody else
 * has opened, through a proxy of his and judged by him; what it would add is resolving, dialling and trying again, which are done
 * elsewhere here (docs/decisions/0033-the-way-to-the-hub.md).
 */
export function grpcStream<In, Out>(
  connection: TLSSocket,
  { host, path }: { host: string; path: string },
  { decode, encode }: Codec<In, Out>,
): Duplex {
  const session = connect(`https://${host}`, {
    createConnection: () => connection,
    settings: { enablePush: false },
  });
  const call = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  const stream = new Duplex({
    objectMode: true,
    writableHighWaterMark: writtenAhead,
    read: () => void call.resume(),
    write: (message: Out, _, done) => void call.write(framed(encode(message)), done),
    final: (done) => void call.end(done),
    destroy: (error, done) => {
      call.close(constants.NGHTTP2_CANCEL);
      session.destroy();
      done(error);
    },
  });
  const fail = (error: Error) => void stream.destroy(error);
  const unframing = new Unframing();
  call.on("data", (chunk: Buffer) => {
    try {
      unframing.add(chunk);
      for (let bytes = unframing.next(); bytes; bytes = unframing.next()) {
        if (!stream.push(decode(bytes))) call.pause();
      }
    } catch (thrown) {
      fail(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  });
  let status: IncomingHttpHeaders = {};
  call.on("response", (headers) => {
    const [answered, type = ""] = [headers[":status"], headers["content-type"]];
    if (answered !== 200 || !type.startsWith("application/grpc")) {
      fail(
        failure("unavailable", `what answers is no hub, or something is before it: HTTP ${answered} ${type}`),
      );
    }
    status = headers; // Of an answer that has no messages, these are the trailers, too.
  });
  call.on("trailers", (trailers: IncomingHttpHeaders) => {
    status = trailers;
  });
  call.on("end", () => {
    const code = status["grpc-status"];
    if (code === "0") stream.push(null);
    else fail(ended(code, status["grpc-message"]));
  });
  call.on("error", fail);
  session.on("error", fail);
  session.on("goaway", (code) => {
    if (code !== constants.NGHTTP2_NO_ERROR)
      fail(failure("unavailable", `HTTP/2 was given up with code ${code}`));
  });
  // Nothing else says so when the connection ends without a word.
  session.on("close", () => fail(failure("unavailable", "the connection was closed")));
  return stream;
}

function ended(code: string | string[] | undefined, message: string | string[] | undefined) {
  if (code === undefined) return failure("unavailable", "the stream ended without a status");
  const said = typeof message === "string" ? unescaped(message) : "";
  return failure("unavailable", `${said || "no reason"} (status ${String(code)})`, { word: saidByHub });
}

/** gRPC escapes its messages as a URI does; what is not escaped well is shown as it came. */
function unescaped(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
