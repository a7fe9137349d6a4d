import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildAll } from "../build.ts";
import { buildExamplesImage } from "../examples-image.ts";
import { buildSampleImage, sampleImage } from "../sample-image.ts";
import { type Engine, ensureEngine } from "./engine.ts";
import { checkout, keepRecord, place, type Record, readRecord } from "./place.ts";
import { freePort, isFree } from "./ports.ts";
import {
  endLeftPrograms,
  leftPrograms,
  orchestrator,
  otherStart,
  type Program,
  startNetmon,
  startProgram,
} from "./programs.ts";
import { bold, type Say, stage, Trouble } from "./say.ts";

const runtimeName = "openplc-sample";

const connectMs = 30_000;

export interface TourOptions {
  /** Stop everything but the workload after the tour. */
  once: boolean;
  /** A real image, instead of the sample that is made here. */
  image: string | undefined;
  /** An engine of this checkout's own, whatever there is. */
  ownEngine: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

/** What npm start does, stage by stage. Everything it starts ends with it, but for the engine and the workload. */
export async function tour({ once, image, ownEngine, signal }: TourOptions): Promise<void> {
  const other = await otherStart();
  if (other !== undefined) {
    throw new Trouble(
      `npm start already runs here (process ${other}): end that one with Ctrl-C, or use it from a second terminal`,
    );
  }
  console.log(bold("Orchestrator Agent: a hub, a node, a soft PLC and an agent on this machine"));
  const kept = await readRecord();
  await using opened = new AsyncDisposableStack();

  await stage("1 of 7: programs", async (say) => {
    const left = await leftPrograms();
    if (left.length > 0) say("ending programs that an interrupted npm start left behind");
    await endLeftPrograms();
    await buildAll();
    say(`built in ${checkout}/dist`);
  });
  signal.throwIfAborted();

  const engine = await stage("2 of 7: container engine", (say) => ensureEngine(kept?.engine, ownEngine, say));
  const record = await keepChoices(kept, engine);
  signal.throwIfAborted();

  const runs = await stage("3 of 7: images", async (say) => {
    if (image !== undefined) say(`${image}; the node pulls it when the engine does not have it`);
    else await makeImage(buildSampleImage, engine, record, say, signal);
    await makeImage(buildExamplesImage, engine, record, say, signal);
    return image ?? sampleImage;
  });

  const hub = await stage("4 of 7: hub", async (say) => {
    const program = opened.use(
      await startProgram("hub", () => orchestrator(["node", "list", "--json"]), signal),
    );
    say(
      `API https://127.0.0.1:${record.ports.api}, line 127.0.0.1:${record.ports.line}, state in ${place.hub}`,
    );
    return program;
  });

  const [netmon, daemon] = await stage("5 of 7: node", async (say) => {
    const sees = opened.use(await startNetmon(signal));
    say("netmon sees this machine's network, and attaches nothing to it that nobody asks for");
    say(await enrol(signal));
    const program = opened.use(
      await startProgram("daemon", () => orchestrator(["daemon", "status", "--json"]), signal),
    );
    const id = await untilConnected(signal);
    say(`node ${id} is connected to the hub, state in ${place.daemon}`);
    return [sees, program] as const;
  });

  await stage(`6 of 7: runtime ${runtimeName}, created through the hub`, async (say) => {
    const ports = `${record.ports.runtime}:8443`;
    const words = ["runtime", "create", runtimeName, "--image", runs, "--publish", ports];
    say(`orchestrator ${words.join(" ")}`);
    const told = await orchestrator(words, { say, signal });
    say(told.split("\n")[0] ?? "");
  });

  await stage("7 of 7: agent echo, executed through the hub", async (say) => {
    for (const words of [
      ["agent", "deploy", "-f", "examples/echo"],
      ["task", "execute", "echo", "--input", "hello", "--wait"],
    ]) {
      say(`orchestrator ${words.join(" ")}`);
      say((await orchestrator(words, { signal })).trim());
    }
  });

  await summary(record, runs);
  if (once) return;
  console.log(
    `\nCtrl-C stops hub, netmon and daemon; ${runtimeName} goes on running. npm run clean removes everything.`,
  );
  await untilEnd(signal, [hub, netmon, daemon]);
}

/** Makes an image of this machine's own programs, and notes that it is ours. */
async function makeImage(
  build: typeof buildExamplesImage,
  { docker }: Engine,
  record: Record,
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  const { tag, made } = await build(docker, { onProgress: say, signal }).catch((cause: unknown) => {
    signal.throwIfAborted();
    const why = cause instanceof Error ? cause.message.trim() : String(cause);
    throw new Trouble(
      `the engine did not take the image (${why}): look at its log, then run npm start again`,
    );
  });
  if (!made || record.madeImages.includes(tag)) return;
  record.madeImages.push(tag);
  await keepRecord(record);
}

/** The ports are chosen once: the node's identity says where its hub is. */
async function keepChoices(kept: Record | undefined, engine: Engine): Promise<Record> {
  const ports = kept?.ports ?? (await choosePorts());
  for (const [what, port] of Object.entries({ API: ports.api, line: ports.line })) {
    if (kept && !(await isFree(port))) {
      throw new Trouble(
        `port ${port} of the hub's ${what} is taken by another program: end that one, or begin anew with npm run clean`,
      );
    }
  }
  const record = {
    engine: { host: engine.host, isOurs: engine.isOurs },
    ports,
    madeImages: kept?.madeImages ?? [],
  };
  await keepRecord(record);
  return record;
}

/** With a token of the hub, as an operator does it; a node that has an identity keeps it. */
async function enrol(signal: AbortSignal): Promise<string> {
  const isEnrolled = existsSync(join(place.daemon, "identity"));
  const input = isEnrolled ? "" : await orchestrator(["hub", "token", "create"], { signal });
  const told = await orchestrator(["daemon", "enroll", "--token", "-"], { input, signal });
  return told.split("\n")[0] ?? "";
}

async function choosePorts(): Promise<Record["ports"]> {
  const line = await freePort(7443);
  return { line, api: await freePort(line + 1), runtime: await freePort(18_443) };
}

async function untilConnected(signal: AbortSignal): Promise<string> {
  const deadline = performance.now() + connectMs;
  for (;;) {
    const { nodes } = JSON.parse(await orchestrator(["node", "list", "--json"], { signal })) as {
      nodes: { id: string; connected: boolean }[];
    };
    const connected = nodes.find((node) => node.connected);
    if (connected) return connected.id;
    if (performance.now() > deadline) {
      throw new Trouble(
        `the node did not connect to the hub within ${connectMs / 1000} s; see ${place.log("daemon")}`,
      );
    }
    await sleep(100, undefined, { signal });
  }
}

/** What runs, where it is, and what to try next: all of it works in a second terminal as it stands here. */
async function summary({ ports }: Record, image: string): Promise<void> {
  console.log(`\n${bold("What is running")}`);
  process.stdout.write(await orchestrator(["node", "list"]));
  process.stdout.write(`\n${await orchestrator(["runtime", "list"])}`);
  console.log(`
${bold("Addresses")}
  hub's API   https://127.0.0.1:${ports.api}      (token in ${place.hub}/admin.token, CA in ${place.hub}/ca/ca.pem)
  hub's line  127.0.0.1:${ports.line}
  daemon      ${place.daemon}/daemon.sock
  runtime     https://127.0.0.1:${ports.runtime}     (try: curl -k https://127.0.0.1:${ports.runtime}/api/version)

${bold("Try in a second terminal")}, in ${checkout}
  npx orchestrator runtime get ${runtimeName}
  npx orchestrator runtime restart ${runtimeName}
  npx orchestrator task execute echo --input "hello again" --wait
  npx orchestrator events watch

${bold("Agents")}: examples/ has more of them, each with what to try (examples/README.md)

${bold("On a LAN")}: a runtime is a device on your LAN when you name an interface for it, and never else:
  try: npx orchestrator runtime create plc-2 --image ${image} --vnic lan0,parent=<interface>,dhcp     (docs/networking.md)`);
}

/** Waits for Ctrl-C. @throws {Trouble} when a program ends first. */
async function untilEnd(signal: AbortSignal, programs: Program[]): Promise<void> {
  const asked = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const sentence = await Promise.race([asked, ...programs.map((one) => one.ended)]);
  if (sentence !== undefined) throw new Trouble(sentence);
  console.log(
    `\nStopping hub, netmon and daemon; ${runtimeName} goes on running. npm start takes it up again.`,
  );
}
