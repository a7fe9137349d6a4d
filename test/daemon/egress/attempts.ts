/** What an agent's program may try, in a container of its own. Each is told as what came back, or as the code of its error. */
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { connect, isIPv6, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** As words: `http http://good.test/`, `tcp 203.0.113.10 81`, `udp 8.8.8.8 53`, `dns TXT example.com`, `dns A example.com 8.8.8.8`. */
export type Attempt = string;

/** Long enough for a refusal, which comes at once, to be told from a packet that was lost. */
const patienceMs = 20_000;

const kinds: Record<string, (...words: string[]) => Promise<string>> = {
  async http(url = "") {
    const response = await fetch(url, { signal: AbortSignal.timeout(patienceMs) });
    return `${response.status} ${(await response.text()).trim().replace("::ffff:", "")}`;
  },
  async tcp(host = "", port = "") {
    const socket = connect({ host, port: Number(port), timeout: patienceMs });
    socket.on("timeout", () => socket.destroy(new Error("TIMEOUT")));
    await once(socket, "connect");
    socket.end("hello");
    const [said] = (await once(socket, "data")) as [Buffer];
    return String(said);
  },
  /** Asks until it is let in, and says something ten times within a while, on one connection. */
  async talk(host = "", port = "", ms = "") {
    const socket = await letIn(host, Number(port));
    for (let time = 1; time <= 10; time++) {
      await sleep(Number(ms) / 10);
      socket.write("hello");
      await once(socket, "data");
    }
    socket.destroy();
    return "all of it came back";
  },
  /** One packet to each of so many ports. */
  async flood(host = "", ports = "") {
    const socket = createSocket("udp4");
    for (let port = 1; port <= Number(ports); port++) {
      await new Promise<void>((resolve) => socket.send("", port, host, () => resolve()));
    }
    socket.close();
    return "sent";
  },
  async udp(host = "", port = "") {
    const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
    try {
      await new Promise<void>((resolve, reject) =>
        socket.send("hello", Number(port), host, (error) => (error ? reject(error) : resolve())),
      );
      const signal = AbortSignal.timeout(patienceMs);
      const [said] = (await once(socket, "message", { signal })) as [Buffer];
      return String(said);
    } finally {
      socket.close();
    }
  },
  async dns(type = "", name = "", server = "") {
    const resolver = new Resolver({ timeout: patienceMs, tries: 1 });
    if (server) resolver.setServers([server]);
    return [await resolver.resolve(name, type)].flat(2).join(" ");
  },
};

async function letIn(host: string, port: number): Promise<Socket> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const socket = connect({ host, port, timeout: patienceMs });
    socket.on("timeout", () => socket.destroy(new Error("TIMEOUT")));
    try {
      await once(socket, "connect");
      return socket;
    } catch (thrown) {
      if (performance.now() > end) throw thrown;
      await sleep(50);
    }
  }
}

/** The error at the bottom of the others. */
function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown.cause !== undefined) return codeOf(thrown.cause);
  return "code" in thrown && typeof thrown.code === "string" ? thrown.code : thrown.message;
}

if (import.meta.main) {
  const attempts = JSON.parse(process.argv[2] ?? "[]") as Attempt[];
  const outcomes: Record<string, string> = {};
  for (const attempt of attempts) {
    const [kind = "", ...words] = attempt.split(" ");
    outcomes[attempt] = (await kinds[kind]?.(...words).catch(codeOf)) ?? "no such kind";
  }
  process.stdout.write(`outcomes ${JSON.stringify(outcomes)}\n`);
  process.exit(0);
}
