import { failure } from "../../base/failure.ts";
import { label } from "../../wire/labels.ts";
import { type Engine, EngineFailure, makeNetwork, objectName } from "../engine/index.ts";
import {
  containerOptions,
  labelsOf,
  limitsOf,
  lockFolderOf,
  networkOptions,
  type Wish,
  withoutLockFolder,
} from "../wishes/index.ts";
import type { Hands } from "./hands.ts";
import { ensureImage, keepImage, keptReference } from "./image.ts";
import { plugsOf } from "./lan.ts";
import { hasDoneAll } from "./pace.ts";
import { remove } from "./remove.ts";
import type { Step } from "./step.ts";
import { Unplugged } from "./unplugged.ts";

/** Every step that touches the engine. */
export type Act = Exclude<Step, { do: "forget" }>;

/** How one kind of step is done. */
type Does<D extends Step["do"]> = (hands: Hands, step: Extract<Step, { do: D }>) => Promise<void>;

/** How each act is done. */
export const apply: { [D in Act["do"]]: Does<D> } = {
  ensureImage,

  async keepImage(hands, { imageId }) {
    await keepImage(hands, imageId);
  },

  async createNetwork({ engine, instanceId, wish, random, signal, progress }) {
    progress("creating");
    const options = networkOptions(wish.spec, { instanceId, commandId: wish.commandId });
    await makeNetwork(engine, options, { random, signal });
  },

  async createVolume({ engine, instanceId, wish, signal }, { volume }) {
    const commandId = wish.probation?.commandId ?? wish.commandId;
    const labels = labelsOf(wish.name, { instanceId, commandId });
    const options = { Name: volume, Driver: "local", Labels: labels };
    // The engine answers with the volume that is there when there is one of this name, whoever made it.
    const there = await engine.call("create the volume", signal, async (docker, abortSignal) => {
      const made = await docker.createVolume({ ...options, abortSignal });
      return "Labels" in made ? made : await docker.getVolume(volume).inspect({ abortSignal });
    });
    const theirs = there.Labels as Record<string, string> | null;
    if (theirs?.[label.instance] === instanceId) return;
    const sentence = `the engine already has a volume named ${volume} that is not this daemon's`;
    throw failure("conflict", `${sentence}: remove it, or choose another name`);
  },

  async createContainer(hands) {
    const { engine, instanceId, wish, refused, signal } = hands;
    const image = await keptReference(hands, wish);
    if (image === undefined) throw failure("conflict", "its image was removed from the engine meanwhile");
    const isReplacement = wish.stage === "made";
    const cgroupVersion = await cgroupVersionFor(wish, engine, signal);
    const lockFolder = await lockFolderOf(hands);
    const options = containerOptions({
      ...{ ...wish, instanceId, refused, image, isReplacement, cgroupVersion },
      ...(lockFolder !== undefined && { lockFolder }),
    });
    await engine
      .call("create the container", signal, (docker, abortSignal) =>
        docker.createContainer({ ...options, abortSignal }),
      )
      .catch((thrown: unknown) => {
        throw withoutLockFolder(thrown, lockFolder);
      });
  },

  async attachNetwork({ engine, instanceId, wish, signal }, { container }) {
    const name = objectName(instanceId, wish.name);
    const doing = "attach the network";
    try {
      await engine.call(doing, signal, (docker, abortSignal) =>
        docker.getNetwork(name).disconnect({ Container: container, Force: true, abortSignal }),
      );
    } catch (thrown) {
      // Not attached to it, in the words of one engine or another.
      if (!(thrown instanceof EngineFailure) || thrown.status === undefined) throw thrown;
    }
    await engine.call(doing, signal, (docker, abortSignal) => {
      const options = { Container: container, abortSignal };
      return docker.getNetwork(name).connect(options);
    });
  },

  async awaitNetmon({ network, waiting, progress }) {
    progress("asking netmon");
    for await (const _ of network.changes.wakes(waiting)) {
      const { netmon } = network;
      if (netmon.at === "there") return;
      if (netmon.at === "away") throw new Unplugged(netmon.problem);
    }
    waiting.throwIfAborted();
  },

  async attach({ engine, network, wish, waiting, progress }, { container, isAsked }) {
    const { name: runtime, spec, stage, actingCommandId } = wish;
    progress(`${isAsked ? "waiting for" : "plugging in"} its ${plugsOf(spec)}`);
    const found = await engine.container(container, waiting);
    if (!found) return; // The next look tells what became of it.
    const commandId = isAsked || stage === "creating" ? actingCommandId : "";
    const wanted = { runtime, containerId: found.id, vnics: spec.vnics, devices: spec.devices, commandId };
    await network.attach(wanted, waiting).catch((thrown: unknown) => {
      waiting.throwIfAborted();
      throw new Unplugged(thrown);
    });
  },

  async detach({ network, wish, signal, progress }) {
    progress(`taking its ${plugsOf(wish.spec)} away`);
    await network.detach(wish.name, wish.actingCommandId, signal).catch((thrown: unknown) => {
      signal.throwIfAborted();
      throw new Unplugged(thrown);
    });
  },

  async setRestarts({ engine, signal }, { container, policy }) {
    await engine.call("set who starts the container again", signal, (docker, abortSignal) => {
      const options = { RestartPolicy: { Name: policy }, abortSignal };
      return docker.getContainer(container).update(options);
    });
  },

  async setLimits({ engine, wish, signal, progress }, { container }) {
    progress("changing its limits");
    const limits = limitsOf(wish.spec, await cgroupVersionFor(wish, engine, signal));
    await engine.call("change the limits of the container", signal, (docker, abortSignal) => {
      const options = { PidsLimit: 0, ...limits, abortSignal }; // 0 is none.
      return docker.getContainer(container).update(options);
    });
  },

  async startContainer({ engine, locks, starts, wish, signal, progress }, { container }) {
    progress("starting");
    if (wish.spec.lockPath !== "") await locks.folders.empty(wish.name);
    await starts.run(signal, () => engine.start(container, signal));
  },

  async verify({ engine, clock, settleMs, waiting, wish, progress }, { container }) {
    progress("waiting until it runs");
    await clock.sleep(settleMs, waiting);
    const seen = await engine.container(container, waiting);
    if (seen?.state === "running") return;
    if (seen && hasDoneAll(wish, seen)) return;
    if (!seen)
      throw failure("conflict", `the container of runtime ${wish.name} was removed while it was created`);
    const said = await engine.lastLines(container, waiting);
    const why = seen.outOfMemory ? " for want of memory" : "";
    const output = said === "" ? "it wrote nothing" : `its last output: ${said}`;
    throw failure(
      "invalid",
      `the program of runtime ${wish.name} ended at once with exit code ${seen.exitCode}${why}; ${output}`,
    );
  },

  async stopContainer({ engine, signal, progress }, { container, graceMs }) {
    progress("stopping");
    await engine.stop(container, graceMs, signal);
  },

  async dropVolume(hands, { volume, reason }) {
    const { store, wish } = hands;
    try {
      await remove.removeVolume(hands, { do: "removeVolume", volume, reason });
    } catch (thrown) {
      // Somebody else uses it: it goes with its runtime.
      if (!(thrown instanceof EngineFailure) || thrown.status !== 409) throw thrown;
    }
    const left = store.get(wish.name)?.oldVolumes ?? [];
    store.update(wish.name, { oldVolumes: left.filter((one) => one !== volume) });
  },

  ...remove,
};

/** Asked only for a weight. */
async function cgroupVersionFor({ spec }: Wish, engine: Engine, signal: AbortSignal): Promise<1 | 2> {
  return spec.resources?.cpuWeight ? await engine.cgroupVersion(signal) : 1;
}
