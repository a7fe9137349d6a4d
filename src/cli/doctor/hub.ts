import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
import { systemCode } from "../../base/system-code.ts";
import { hostOf, proxyWithCredentials } from "../../wire/proxy.ts";
import { minTlsVersion } from "../../wire/tls.ts";
import { tunnel } from "../../wire/tunnel.ts";
import { type Answer, problemOf } from "./answer.ts";
import type { HubStep, HubStepName } from "./facts.ts";
import { proxyNames } from "./processes.ts";

/** How long each step may take, in milliseconds: together less than the doctor has. */
const stepMs = 1_000;

const run = promisify(execFile);

/**
 * Goes to the hub as the line does, as far as the way goes, says nothing, and leaves. Without the root `ca` that this node trusts,
 * the hub's identity stays unknown.
 */
export async function goToHub(
  address: string,
  { ca, env, signal }: { ca: string | undefined; env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<Record<HubStepName, Answer<HubStep>>> {
  const host = hostOf(address);
  const names = proxyNames(env);
  const proxy = await proxyWithCredentials(address, names).catch(() => undefined); // The check of the proxy says it.
  const dns = await step(signal, async (stop) =>
    proxy ? `the proxy ${proxy.host} resolves it` : await resolve(host, stop),
  );
  if (dns.is === "known" && !dns.value.isWell)
    return { dns, tcp: notAfter("dns"), tls: notAfter("dns"), identity: notAfter("dns") };
  let socket: Socket | undefined;
  const tcp = await step(signal, async (stop) => {
    socket = proxy ? await tunnel(proxy, address, stop, { caFile: names.caFile }) : await dial(address, stop);
    return `${address} takes connections${proxy ? ` through ${proxy.host}` : ""}`;
  });
  if (!socket) return { dns, tcp, tls: notAfter("tcp"), identity: notAfter("tcp") };
  const line = connectTls({
    ...{ socket, host, minVersion: minTlsVersion, ALPNProtocols: ["h2"], rejectUnauthorized: false },
    ...(ca !== undefined && { ca }),
    ...(isIP(host) === 0 && { servername: host }),
  });
  try {
    const tls = await step(signal, async (stop) => {
      await once(line, "secureConnect", { signal: stop });
      return `${line.getProtocol()}`;
    });
    if (!isWell(tls)) return { dns, tcp, tls, identity: notAfter("tls") };
    return { dns, tcp, tls, identity: ca === undefined ? noRoot : { is: "known", value: identityOf(line) } };
  } finally {
    line.on("error", () => {}); // Nobody waits for what it says after this.
    line.destroy();
    socket.destroy();
  }
}

function notAfter(step: HubStepName): Answer<HubStep> {
  return { is: "unknown", problem: `not tried, for hub ${step} failed` };
}

/** The addresses of a name as every program here would find them. A program of its own, since it can be ended. */
async function resolve(host: string, signal: AbortSignal): Promise<string> {
  if (isIP(host) !== 0) return "it is an address, and needs none";
  const { stdout } = await run("getent", ["ahosts", host], { signal }).catch((cause: unknown) => {
    throw systemCode(cause) === "2" ? new Error(`${host} has no address`) : cause;
  });
  const found = stdout.split("\n").map((line) => line.split(" ")[0] ?? "");
  return [...new Set(found.filter((one) => one !== ""))].join(", ");
}

const noRoot: Answer<HubStep> = {
  is: "unknown",
  problem: "the root that this node trusts may not be read by this user",
};

function identityOf({ authorized, authorizationError }: ReturnType<typeof connectTls>): HubStep {
  if (authorized) return { isWell: true, says: "its certificate is of the root that this node trusts" };
  const problem: unknown = authorizationError; // A text for a chain, an error for a name, whatever its type says.
  return {
    isWell: false,
    says: `its certificate is not what this node trusts: ${problem instanceof Error ? problem.message : String(problem)}`,
  };
}

async function dial(address: string, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host: hostOf(address), port: Number(/\d+$/.exec(address)?.[0]) });
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (thrown) {
    socket.on("error", () => {});
    socket.destroy();
    throw thrown;
  }
}

/** What a step said, or what was wrong with it. */
async function step(
  signal: AbortSignal,
  take: (stop: AbortSignal) => Promise<string>,
): Promise<Answer<HubStep>> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(stepMs)]);
  try {
    return { is: "known", value: { isWell: true, says: await take(stop) } };
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return { is: "unknown", problem: "the program getent is not here" };
    const says = stop.aborted ? `no answer in ${stepMs / 1000} s` : problemOf(thrown);
    return { is: "known", value: { isWell: false, says } };
  }
}

function isWell(answer: Answer<HubStep>): boolean {
  return answer.is === "known" && answer.value.isWell;
}
