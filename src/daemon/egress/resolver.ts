import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, isIPv4, type Server, type Socket } from "node:net";
import packet, { type DecodedPacket } from "dns-packet";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import type { Question, Reply } from "./answer.ts";

export interface ResolverOptions {
  /** The node's address on the network of those who ask. */
  address: string;
  port: number;
  /** Whether an address is that of somebody who may ask. Nothing is read of what others send. */
  knows: (from: string) => boolean;
  /** Undefined when there is no answer to be given. */
  answer: (from: string, question: Question, signal: AbortSignal) => Promise<Reply | undefined>;
}

/** What every program takes by UDP; a longer answer is asked for again by TCP. */
const mostUdpBytes = 512;
/** Connections of one who asks, questions on one, and how long one may be silent, in milliseconds. */
const [mostConnections, mostQuestions, silenceMs] = [4, 100, 10_000];

/** Codes of answers (RFC 1035, section 4.1.1). */
const codes = { addresses: 0, empty: 0, failed: 2, unknown: 3 } as const;

/**
 * Speaks DNS, by UDP and TCP.
 * @throws {Failure} unavailable: the address is not this program's machine's. conflict: the port is taken.
 */
export async function openResolver(options: ResolverOptions): Promise<AsyncDisposable> {
  const { address, port, knows, answer } = options;
  const end = new AbortController();
  const udp = createSocket("udp4");
  const open = new Set<Socket>();
  const tcp = createServer((socket) => {
    const from = socket.remoteAddress ?? "";
    const others = [...open].filter(({ remoteAddress }) => remoteAddress === from);
    if (!knows(from) || others.length >= mostConnections) {
      socket.destroy();
      return;
    }
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    serve(socket, answer, end.signal);
  });
  const close = async () => {
    end.abort();
    for (const socket of open) socket.destroy();
    await Promise.all([closed(tcp), new Promise<void>((resolve) => udp.close(() => resolve()))]);
  };
  udp.on("message", (asked, { address: from, port: fromPort }) => {
    if (!knows(from)) return;
    void replyTo(asked, from, answer, end.signal).then((said) => {
      if (!said || end.signal.aborted) return;
      udp.send(said.length <= mostUdpBytes ? said : cut(said), fromPort, from, () => {}); // Who does not hear it asks again.
    });
  });
  try {
    udp.bind({ address, port });
    tcp.listen({ host: address, port });
    await Promise.all([once(udp, "listening"), once(tcp, "listening")]);
  } catch (thrown) {
    await close();
    throw cannotListen(thrown, options);
  }
  udp.on("error", () => {}); // Of one packet, such as a host that is gone.
  tcp.on("error", () => {});
  return { [Symbol.asyncDispose]: close };
}

function cannotListen(cause: unknown, { address, port }: ResolverOptions) {
  if (systemCode(cause) === "EADDRINUSE") {
    const sentence = `port ${port} of ${address}, where agents ask for names, is taken: stop who has it, or set egress.resolver_port`;
    return failure("conflict", sentence, { cause });
  }
  const why = "agents could not ask for names: run the daemon in the network of the engine's host";
  return failure("unavailable", `${address} is no address of the daemon's machine, and ${why}`, { cause });
}

/** Questions of one connection, in order, each behind two bytes of its length. */
function serve(socket: Socket, answer: ResolverOptions["answer"], signal: AbortSignal): void {
  const from = socket.remoteAddress ?? "";
  let heard = Buffer.alloc(0);
  let busy = Promise.resolve();
  let questions = 0;
  socket.setTimeout(silenceMs, () => socket.destroy());
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => {
    heard = Buffer.concat([heard, bytes]);
    if (heard.length > 1 << 16) socket.destroy(); // It does not wait for its answers.
    while (heard.length >= 2 && heard.length >= 2 + heard.readUInt16BE()) {
      const asked = heard.subarray(2, 2 + heard.readUInt16BE());
      heard = heard.subarray(2 + asked.length);
      if (++questions > mostQuestions) return void socket.destroy();
      busy = busy.then(async () => {
        if (socket.destroyed) return;
        const said = await replyTo(asked, from, answer, signal);
        if (said) socket.write(Buffer.concat([Buffer.of(said.length >> 8, said.length & 0xff), said]));
        else socket.destroy();
      });
    }
  });
}

/** The answer as bytes; undefined when there is none to be given. */
async function replyTo(
  asked: Buffer,
  from: string,
  answer: ResolverOptions["answer"],
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const heard = read(asked);
  const [question, ...more] = heard?.questions ?? [];
  if (!heard || !question || more.length > 0 || !isQuery(heard) || question.class !== "IN") return undefined;
  const reply = await answer(from, { name: question.name, type: question.type }, signal).catch(
    () => undefined,
  );
  return reply && encode(heard, reply);
}

function read(bytes: Buffer): DecodedPacket | undefined {
  try {
    const heard = packet.decode(bytes);
    return heard.type === "query" ? heard : undefined;
  } catch {
    return undefined; // It is no question.
  }
}

/** The kind of a question stands in its flags (RFC 1035, section 4.1.1); 0 is the usual one. */
function isQuery({ flags = 0 }: DecodedPacket): boolean {
  return ((flags >> 11) & 0xf) === 0;
}

function encode({ id = 0, questions = [] }: DecodedPacket, reply: Reply): Buffer {
  const name = questions[0]?.name ?? "";
  const addresses = reply.is === "addresses" ? reply.addresses : [];
  const ttl = reply.is === "addresses" ? reply.ttlSeconds : 0;
  return packet.encode({
    ...{ type: "response", id, questions },
    flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | codes[reply.is],
    answers: addresses.map((data) => ({ name, ttl, data, type: isIPv4(data) ? "A" : "AAAA" })),
  });
}

/** Its beginning, which says that there is more. */
function cut(said: Buffer): Buffer {
  const { id, questions = [], flags = 0 } = packet.decode(said);
  return packet.encode({
    type: "response",
    id: id ?? 0,
    questions,
    flags: flags | packet.TRUNCATED_RESPONSE,
  });
}

async function closed(server: Server): Promise<void> {
  if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
}
