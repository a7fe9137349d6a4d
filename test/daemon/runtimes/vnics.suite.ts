/** Runtimes with vNICs, on any netmon: `vnics.test.ts` runs it on the fake one, `vnics.real.test.ts` on the real one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { AddressMode, VnicChangeKindSchema, VnicPhase } from "../../../gen/edge/v1/vnics_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import type { EngineAddress } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, spec } from "./life.ts";

/** A machine with an engine, and a netmon that may come and go. Its `eth0` is on 10.77.0.0/24. */
export interface Machine {
  engine: EngineAddress;
  /** Netmon's socket. */
  socket: string;
  startNetmon(): Promise<void>;
  killNetmon(): Promise<void>;
  /** Netmon loses its disk; it does not run. */
  wipeNetmon(): void;
}

/** An address that another machine on the LAN of `eth0` has. */
export const takenAddress = "10.77.0.66";

export async function vnicSuite(machine: Machine): Promise<void> {
  const { engine, socket } = machine;
  const image = await idleImage(engine);
  let hosts = 100;
  /** A runtime with one vNIC that has an address of its own. */
  const plugged = (name: string, address = `10.77.0.${hosts++}`, mac = "") =>
    spec(image, {
      name,
      vnics: [
        { name: "lan0", parent: "eth0", addressMode: AddressMode.STATIC, address: `${address}/24`, mac },
      ],
    });
  const begin = (folder: string) => {
    const life = live(folder, engine.socketPath, { netmon: socket });
    const { runtimes, network } = life;
    return Object.assign(life, {
      /** What netmon keeps for runtimes of this life. */
      kept: () => (network.netmon.at === "there" ? network.netmon.attached : undefined),
      vnicOf: async (name: string) => (await runtimes.get(name, ask().signal)).vnics[0],
      startOf: async (name: string) => (await runtimes.get(name, ask().signal)).startedAt,
      /** What happened to the vNICs of a runtime, by whose command. */
      happened: (name: string) =>
        life.events().flatMap(({ fact, commandId }) => {
          if (fact.case !== "vnic" || fact.value.runtime !== name) return [];
          return `${VnicChangeKindSchema.value[fact.value.kind]?.localName ?? ""} ${commandId}`.trim();
        }),
    });
  };

  test("a runtime is created with its vNIC, told with it, and deleted with it", async () => {
    using folder = tempFolder();
    await using life = begin(folder.path);
    const { runtimes } = life;
    const name = newName();
    const wish = plugged(name);
    const { runtime } = await runtimes.create(wish, ask({ id: "create" }));
    const [vnic] = runtime.vnics;
    assert.deepEqual([vnic?.name, vnic?.phase], ["lan0", VnicPhase.UP], vnic?.reason);
    assert.deepEqual(vnic?.addresses[0], wish.vnics[0]?.address);
    assert.equal(life.kept()?.get(name)?.containerId, runtime.containerId);
    const [status] = runtimes.status().runtimes;
    assert.deepEqual([status?.vnics[0]?.name, status?.vnics[0]?.phase], ["lan0", VnicPhase.UP]);
    await until("its event", () => life.happened(name).includes("ATTACHED create"));

    const twin = newName();
    await assert.rejects(runtimes.create(plugged(twin, undefined, vnic?.mac), ask()), {
      kind: "conflict",
      message: `spec.vnics[0].mac: ${vnic?.mac} is that of lan0 of runtime ${name}; choose another, or leave it out`,
    });
    const again = await runtimes.restart(name, ask());
    assert.deepEqual(
      [again.vnics[0]?.mac, again.vnics[0]?.phase],
      [vnic?.mac, VnicPhase.UP],
      again.vnics[0]?.reason,
    );

    await runtimes.delete(name, { keepVolume: false }, ask({ id: "delete" }));
    assert.equal(life.kept()?.has(name), false);
    await until("its last event", () => life.happened(name).includes("DETACHED delete"));
    assert.deepEqual(await leftOf(engine, name), []);
  });

  test("an address that another machine has is a conflict, and nothing is left of the create", async () => {
    using folder = tempFolder();
    await using life = begin(folder.path);
    const name = newName();
    await assert.rejects(life.runtimes.create(plugged(name, takenAddress), ask()), {
      ...{ kind: "conflict", message: /02:00:00:00:00:66/ },
    });
    assert.deepEqual([life.kept()?.has(name), await leftOf(engine, name)], [false, []]);
    assert.deepEqual(life.changes(name), ["UNDONE"]);
  });

  test("vNICs come and go while the program goes on; one that cannot be had is rolled back", async () => {
    using folder = tempFolder();
    await using life = begin(folder.path);
    const { runtimes } = life;
    const name = newName();
    const { runtime: before } = await runtimes.create(plugged(name), ask());
    const [address, taken] = ["10.77.0.99", takenAddress].map((one) => plugged(name, one));
    assert.ok(address && taken);
    const { runtime, interrupted } = await runtimes.update(address, {}, ask());
    assert.deepEqual([runtime.containerId, interrupted], [before.containerId, false]);
    await until("its new address", async () => {
      const vnic = await life.vnicOf(name);
      return vnic?.phase === VnicPhase.UP && vnic.addresses.some((one) => one.startsWith("10.77.0.99"));
    });
    await assert.rejects(runtimes.update(taken, {}, ask()), {
      ...{ kind: "conflict", message: /was rolled back: .*02:00:00:00:00:66/ },
    });
    await until("its address from before", async () => {
      const vnic = await life.vnicOf(name);
      return vnic?.phase === VnicPhase.UP && vnic.addresses.some((one) => one.startsWith("10.77.0.99"));
    });
    const none = await runtimes.update(spec(image, { name }), {}, ask());
    assert.deepEqual([none.runtime.containerId, none.runtime.vnics], [before.containerId, []]);
    await until("netmon keeps nothing of it", () => life.kept()?.has(name) === false);
    assert.deepEqual(await life.startOf(name), before.startedAt);
    assert.deepEqual(life.changes(name), [
      "CREATED",
      "STARTED",
      "UPDATED",
      "UPDATED",
      "ROLLED_BACK",
      "UPDATED",
    ]);
    await runtimes.delete(name, { keepVolume: false }, ask());
  });

  test("without netmon a runtime that is there runs on, and one that is created waits for it, or says what to do", async () => {
    using folder = tempFolder();
    await using life = begin(folder.path);
    const { runtimes } = life;
    const [there, late, never, plain] = [newName(), newName(), newName(), newName()];
    await runtimes.create(plugged(there), ask());
    const before = await life.startOf(there);
    await machine.killNetmon();
    const blind = await until("netmon is missed", async () => {
      const now = await runtimes.get(there, ask().signal);
      return now.vnics[0]?.phase === VnicPhase.UNSPECIFIED && now;
    });
    assert.equal(blind.phase, RuntimePhase.RUNNING);
    assert.match(blind.reason, /^its container runs.*; its vNICs cannot be seen: netmon at /);

    const outOfTime = new AbortController();
    const creating = runtimes.create(plugged(never), ask({ signal: outOfTime.signal }));
    const statusOf = (wanted: string) => runtimes.status().runtimes.find(({ name }) => name === wanted);
    await until("it was tried", () => /netmon at /.test(statusOf(never)?.reason ?? ""));
    outOfTime.abort(failure("deadline", "the command was not done within its budget of 1 ms"));
    await assert.rejects(creating, {
      ...{ kind: "unavailable", message: /^netmon at .*: start it \(orchestrator netmon start\)/ },
    });
    assert.deepEqual(await leftOf(engine, never), [], "nothing was made");
    await runtimes.create(spec(image, { name: plain }), ask());

    const waiting = runtimes.create(plugged(late), ask());
    await machine.startNetmon();
    const { runtime } = await waiting;
    assert.equal(runtime.vnics[0]?.phase, VnicPhase.UP, runtime.vnics[0]?.reason);
    await until("it is seen again", async () => (await life.vnicOf(there))?.phase === VnicPhase.UP);
    assert.deepEqual(await life.startOf(there), before, "and was left alone");
    for (const name of [there, late, plain]) await runtimes.delete(name, { keepVolume: false }, ask());
  });

  test("what netmon lost, or kept too long, is mended without touching the runtime", async () => {
    using folder = tempFolder();
    await using life = begin(folder.path);
    const { runtimes } = life;
    const [runs, rests, gone] = [newName(), newName(), newName()];
    await Promise.all([runs, rests, gone].map((name) => runtimes.create(plugged(name), ask())));
    await runtimes.stop(rests, ask());
    const before = await life.startOf(runs);
    await machine.killNetmon();
    await until("netmon is missed", () => life.kept() === undefined);
    await runtimes.delete(gone, { keepVolume: false }, ask());
    await machine.startNetmon();
    await until("what is gone is taken away", () => life.kept()?.size === 2);
    await machine.killNetmon();
    await until("netmon is missed again", () => life.kept() === undefined);
    machine.wipeNetmon();
    await machine.startNetmon();
    await until("what is lost is told again", () => life.kept()?.has(runs) && life.kept()?.has(rests));
    await until("it is up again", async () => (await life.vnicOf(runs))?.phase === VnicPhase.UP);
    assert.deepEqual(await life.startOf(runs), before);
    for (const name of [runs, rests]) await runtimes.delete(name, { keepVolume: false }, ask());
    assert.equal(life.kept()?.size, 0);
  });

  test("a container that is made again is plugged in as the one before was", async () => {
    using folder = tempFolder();
    await using life = begin(folder.path);
    const { runtimes } = life;
    const name = newName();
    const { runtime } = await runtimes.create(plugged(name), ask());
    await engine.docker.getContainer(runtime.containerId).remove({ force: true });
    const again = await until("another container with its vNIC", async () => {
      const now = await runtimes.get(name, ask().signal);
      const isAnother = now.containerId !== runtime.containerId && now.phase === RuntimePhase.RUNNING;
      return isAnother && now.vnics[0]?.phase === VnicPhase.UP && now;
    });
    assert.equal(again.vnics[0]?.mac, runtime.vnics[0]?.mac);
    assert.deepEqual(again.vnics[0]?.addresses[0], runtime.vnics[0]?.addresses[0]);
    await runtimes.delete(name, { keepVolume: false }, ask());
  });
}
