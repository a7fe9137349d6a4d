import { join } from "node:path";
import type Docker from "dockerode";
import { invalidFields } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { type Engine, EngineFailure, pathAtEngine } from "../engine/index.ts";
import { makingOf } from "./abilities.ts";
import { cellBridge } from "./bridge.ts";
import { filterOf } from "./calls/filter.ts";
import type { CellAsk, CellIdentity, CellIncident, CellNetwork, ProvidedMount, Provider } from "./cell.ts";
import { confinementViolations } from "./check.ts";
import { removeContainer } from "./container-end.ts";
import type { Facts } from "./facts.ts";
import type { RefusedCalls } from "./first-process.ts";
import { makeCellFolder, makePlaces, removeCellFolder } from "./folders.ts";
import type { Holders } from "./holders.ts";
import { checkHostMounts } from "./host-mounts.ts";
import type { CellImages } from "./image.ts";
import { type LiveCell, refusedCall } from "./live-cell.ts";
import { cellOptions, containerName, userOf } from "./plan.ts";
import { limitsOf } from "./resources.ts";
import { attach } from "./streams.ts";
import { Undo } from "./undo.ts";

/** What starting a cell works with. */
export interface Hands {
  engine: Engine;
  instanceId: string;
  /** Where each cell has a folder, as this program sees it. */
  folder: string;
  providers: readonly Provider[];
  /** Folders of the node that no cell may see. */
  keptFolders: readonly string[];
  /** Told at once of the first of each kind of thing that the programs of a cell try and may not. */
  onIncident?: (cell: CellIdentity, incident: CellIncident) => void;
  /** The task that has claimed a cell. */
  taskOf?: (cellId: string) => string | undefined;
  subnet6?: string | undefined;
  holders: Holders;
  images: CellImages;
  facts: Facts;
  log: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Names of containers of cells that could not be made, nor removed: the engine was away. */
  leftBehind: Set<string>;
}

/** What is undone of a cell that could not be made has so long for it, in milliseconds, whoever gave up. */
const undoMs = 30_000;

/** Makes a cell and starts it. Of one that could not be made nothing is left, as soon as the engine lets it be removed. */
export async function startCell(hands: Hands, ask: CellAsk, signal: AbortSignal): Promise<LiveCell> {
  const undo = new Undo();
  try {
    return await make(hands, ask, undo, signal);
  } catch (thrown) {
    await undo.run(hands.log);
    throw thrown;
  }
}

async function make(hands: Hands, ask: CellAsk, undo: Undo, signal: AbortSignal): Promise<LiveCell> {
  const { spec } = ask;
  const { facts, images, keptFolders, providers } = hands;
  const hasNetwork = (spec.network?.allow.length ?? 0) > 0;
  const { info, folder: folders, tellsCalls } = await facts.get(signal);
  const making = makingOf({ isolation: spec.isolation, hasNetwork }, info);
  const image = await images.get(ask.imageId, signal);
  const violations = confinementViolations(spec, image.volumes);
  if (violations.length > 0) throw invalidFields(violations);
  const kept = [...keptFolders, hands.folder, info.DockerRootDir ?? "/var/lib/docker"];
  await checkHostMounts(spec, { userId: userOf(spec), kept });

  const folder = join(hands.folder, ask.id);
  undo.add(() => removeCellFolder(folder));
  await makeCellFolder(folder, spec);
  for (const provider of providers) undo.add(() => provider.release(ask.id));
  const provided = await provisionOf(hands, ask, folder, signal);
  const network = making.joins ? await networkFor(hands, ask, hasNetwork, signal) : undefined;
  if (network) undo.add(() => hands.holders.remove(network.holderId, AbortSignal.timeout(undoMs)));
  if (network) for (const provider of providers) await provider.guard?.(ask, network, signal);

  const options = cellOptions({
    ...{ ask, image, instanceId: hands.instanceId, folder: join(folders, ask.id), ...provided },
    ...{ holderId: network?.holderId, runtime: making.runtime, isDebug: hands.log.isLevelEnabled("debug") },
    tellsCalls: tellsCalls && making.joins,
  });
  // Another kernel has filters of its own, or none.
  const filter = making.joins ? filterOf() : Buffer.alloc(0);
  return await run(hands, ask, { options, network, filter }, undo, signal);
}

/** What providers add to a cell, as the engine sees it. */
async function provisionOf(
  { providers, engine }: Hands,
  ask: CellAsk,
  folder: string,
  signal: AbortSignal,
): Promise<{ mounts: ProvidedMount[]; env: Record<string, string> }> {
  const mounts: ProvidedMount[] = [];
  const env: Record<string, string> = {};
  for (const provider of providers) {
    const provision = await provider.prepare(ask, folder, signal);
    for (const mount of provision.mounts) {
      mounts.push({ ...mount, source: await pathAtEngine(engine, mount.source, signal) });
    }
    Object.assign(env, provision.env);
  }
  await makePlaces(folder, mounts);
  return { mounts, env };
}

async function networkFor(
  hands: Hands,
  { agent }: CellAsk,
  hasNetwork: boolean,
  signal: AbortSignal,
): Promise<CellNetwork> {
  if (!hasNetwork) return await hands.holders.take(agent, signal);
  return await hands.holders.make(await cellBridge(hands, signal), signal);
}

/** What a container is made with. */
interface Made {
  options: Docker.ContainerCreateOptions;
  network: CellNetwork | undefined;
  filter: Buffer;
}

async function run(
  { engine, instanceId, log, taskOf, onIncident, leftBehind }: Hands,
  { id, agent, version, spec, commandId }: CellAsk,
  { options, network, filter }: Made,
  undo: Undo,
  signal: AbortSignal,
): Promise<LiveCell> {
  const { ioBytes } = limitsOf(spec);
  // By its name, before it is made: an engine that does not answer may make it all the same.
  const name = containerName(instanceId, id);
  undo.add(async () => {
    leftBehind.add(name);
    await removeContainer(engine, name, AbortSignal.timeout(undoMs));
    leftBehind.delete(name);
  });
  const { id: containerId } = await engine.call("make a cell", signal, (docker, abortSignal) =>
    docker.createContainer({ ...options, abortSignal }),
  );
  const onLine = log.isLevelEnabled("debug")
    ? (stream: string, line: string) =>
        log.debug({ agent, task: taskOf?.(id) ?? "", cell: id, stream, line }, "an agent's program wrote")
    : undefined;
  const isAhead = commandId === "";
  const onRefused = (refused: RefusedCalls) => {
    try {
      onIncident?.({ id, agent, version }, refusedCall(refused));
    } catch (error) {
      log.warn({ agent, cell: id, error }, "that a system call was refused could not be told");
    }
  };
  const streams = await attach(engine, containerId, { ioBytes, onLine, onRefused, isAhead, filter }, signal);
  undo.add(() => streams.close());
  await engine.start(containerId, signal);
  const address = network?.onBridge?.address;
  const cell = { id, agent, version, containerId, ...(address !== undefined && { address }) };
  return { cell, network, streams, ioBytes };
}

/** Whether a start failed because the holder of its network namespace is gone, as after a restart of the engine. */
export function isLostHolder(thrown: unknown): boolean {
  return (
    thrown instanceof EngineFailure &&
    /non[- ]running container|no such container|joining network namespace|cannot join network/i.test(
      thrown.message,
    )
  );
}
