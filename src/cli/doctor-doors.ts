import { get } from "node:http";
import { text } from "node:stream/consumers";
import type { GetNodeResponse } from "../../gen/edge/v1/node_pb.ts";
import { asFailure, errorChain } from "../base/failure.ts";
import type { Answer, Facts, Tried } from "./doctor-facts.ts";
import { withDoor } from "./door.ts";
import { explain } from "./explain.ts";
import { connectToNetmon } from "./netmon.ts";
import type { Run } from "./run.ts";

/** A program that does not answer in this time is as good as gone, in milliseconds. */
const patienceMs = 5_000;

/** What a program answers, or the sentence with which it did not. */
async function answerOf<T>(asking: Promise<T>): Promise<Answer<T>> {
  try {
    return { is: "known", value: await asking };
  } catch (thrown) {
    return { is: "unknown", problem: asFailure(thrown).message };
  }
}

/** What the daemon of this machine says of itself. */
export async function askDaemon(run: Run): Promise<Answer<GetNodeResponse>> {
  const local: Run = { ...run, flags: { ...run.flags, local: true } };
  return await answerOf(withDoor(local, (door) => door.ask("getNode", {}, { timeoutMs: patienceMs })));
}

/** What netmon sees. */
export async function askNetmon(where: string, signal: AbortSignal): Promise<Facts["netmon"]> {
  using netmon = connectToNetmon(where);
  const asking = netmon.client.getNetwork({}, { signal, timeoutMs: patienceMs });
  const seen = asking.then(({ picture }) => ({ where, parents: picture?.interfaces ?? [] }));
  return await answerOf(seen.catch(thrownAt(where)));
}

/** Has netmon try an interface: this sends ARP questions into the LAN behind it. */
export async function tryParent(where: string, parent: string, signal: AbortSignal): Promise<Answer<Tried>> {
  using netmon = connectToNetmon(where);
  const asking = netmon.client.probeParent({ parent }, { signal, timeoutMs: 2 * patienceMs });
  return await answerOf(asking.catch(thrownAt(where)));
}

function thrownAt(where: string): (thrown: unknown) => never {
  return (thrown) => {
    throw explain(thrown, { kind: "netmon", where });
  };
}

/** The engine's version, asked without the daemon. `host` is `unix:///path` or `tcp://host:port`. */
export async function askEngine(host: string): Promise<Facts["engine"]> {
  const url = host.startsWith("unix://")
    ? "http://engine/version"
    : `${host.replace(/^tcp:/, "http:")}/version`;
  const socketPath = host.startsWith("unix://") ? host.slice("unix://".length) : undefined;
  try {
    const body = await new Promise<string>((resolve, reject) => {
      const signal = AbortSignal.timeout(patienceMs);
      const request = get(url, { signal, ...(socketPath !== undefined && { socketPath }) }, (response) => {
        text(response).then(resolve, reject);
      });
      request.on("error", reject);
    });
    const { Version: version } = JSON.parse(body) as { Version?: string }; // Any other shape has none.
    if (version !== undefined) return { is: "known", value: { version, host } };
    return { is: "unknown", problem: `what answers at ${host} is no container engine` };
  } catch (thrown) {
    return { is: "unknown", problem: `no engine answers at ${host}: ${errorChain(thrown)}` };
  }
}
