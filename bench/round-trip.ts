/** A command from a client of the hub's API to a node and back: hub and daemon as they ship, on one machine. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Node } from "../gen/edge/v1/node_pb.ts";
import { Runtimes } from "../gen/edge/v1/runtimes_pb.ts";
import { startWorld } from "../test/journeys/world.ts";
import { quantile } from "../tools/measure/spread.ts";
import { figure, type Section } from "./figures.ts";

const alone = 300;
const crowd = { callers: 64, calls: 3000 };
const bundle = new URL("../dist/orchestrator.js", import.meta.url).pathname;

export async function measure(): Promise<Section> {
  await using world = await startWorld({ entry: bundle, env: { ORCHESTRATOR_LOG_LEVEL: "warn" } });
  const runtimes = world.remote(Runtimes);
  await using bare = await bareServer();
  // Nothing to do at the node, each time about another workload: what is left is the way there and back.
  let count = 0;
  const cases = {
    bare: () => bare.call(),
    "a read (GetRuntime)": () => notFound(runtimes.getRuntime({ name: `bench-${count++}` })),
    "a command (DeleteRuntime)": () => notFound(runtimes.deleteRuntime({ name: `bench-${count++}` })),
  };
  const results: Record<string, { p50: number; p99: number; perSecond: number }> = {};
  for (const [what, call] of Object.entries(cases)) results[what] = await measured(call);
  const base = results.bare;
  const rows = Object.entries(results)
    .filter(([what]) => what !== "bare")
    .flatMap(([what, { p50, p99, perSecond }]) => [
      figure(`${what}: p50`, p50, "ms", base && { base: base.p50 }),
      figure(`${what}: p99`, p99, "ms", base && { base: base.p99 }),
      figure(`${what}: ${crowd.callers} callers`, perSecond, "/s", base && { base: base.perSecond }),
    ]);
  return {
    title: "Round trip",
    how: `A client calls the hub's API, the hub the node over the line, and back; ${alone} calls one after another, then ${crowd.calls} from ${crowd.callers} callers at once. A command is on disk at the hub (queued, result) and at the node (accepted, result) before it is answered. All are about runtimes that do not exist, so that the answer is "not found" and no engine is asked. The baseline is a unary call to a server of the same library that does nothing, without TLS.`,
    figures: rows,
  };
}

async function measured(call: () => Promise<unknown>) {
  for (let warm = 0; warm < 50; warm++) await call();
  const times: number[] = [];
  for (let i = 0; i < alone; i++) {
    const from = performance.now();
    await call();
    times.push(performance.now() - from);
  }
  let left = crowd.calls;
  const from = performance.now();
  const caller = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: crowd.callers }, caller));
  const perSecond = (crowd.calls * 1000) / (performance.now() - from);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), perSecond };
}

/** That there is no such runtime is the answer that is measured. Anything else is not. */
async function notFound(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (thrown) {
    if (ConnectError.from(thrown).code === Code.NotFound) return;
    throw thrown;
  }
  throw new Error("a runtime is there that should not be");
}

/** The library alone: a server in a process of its own that answers with an empty message. */
async function bareServer() {
  const child = spawn(process.execPath, [new URL("bare-api.ts", import.meta.url).pathname], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${line}` });
  const client = createClient(Node, transport);
  return {
    call: () => client.listSerialDevices({}),
    async [Symbol.asyncDispose]() {
      child.kill();
    },
  };
}
