/** Between a daemon and its engine: passes everything on, and notes when the engine was at work. */

import { rm } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";

export interface EngineMeter extends AsyncDisposable {
  socketPath: string;
  /** Milliseconds between two moments of `performance.now()` in which the engine worked on at least one request. */
  busyMs(from: number, to: number): number;
}

/** Requests that only wait for news: the engine is not at work on them. */
const waits = /\/(?:events|wait)\b/;

export async function startEngineMeter(engineSocket: string, socketPath: string): Promise<EngineMeter> {
  const intervals: { from: number; to: number }[] = [];
  const server: Server = createServer((incoming, outgoing) => {
    const from = performance.now();
    const { method, url = "", headers } = incoming;
    const passed = request({ socketPath: engineSocket, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      answer.on("end", () => {
        if (!waits.test(url)) intervals.push({ from, to: performance.now() });
      });
    });
    passed.on("error", () => outgoing.destroy());
    incoming.on("error", () => passed.destroy());
    outgoing.on("close", () => passed.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    socketPath,
    busyMs: (from, to) => unionMs(intervals, from, to),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(socketPath, { force: true });
    },
  };
}

function unionMs(intervals: readonly { from: number; to: number }[], from: number, to: number): number {
  const within = intervals
    .map((one) => ({ from: Math.max(from, one.from), to: Math.min(to, one.to) }))
    .filter((one) => one.to > one.from)
    .sort((a, b) => a.from - b.from);
  let [sum, until] = [0, from];
  for (const one of within) {
    sum += Math.max(0, one.to - Math.max(until, one.from));
    until = Math.max(until, one.to);
  }
  return sum;
}
