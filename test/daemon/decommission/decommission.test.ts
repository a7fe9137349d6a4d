/** A power cut after each step of a node's way out of service, on a real state file and with a real identity. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LeftWorkloads } from "../../../gen/edge/v1/node_pb.ts";
import { Changes } from "../../../src/base/changes.ts";
import { type Failure, failure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Decommission, schema } from "../../../src/daemon/decommission/index.ts";
import { writeIdentity } from "../../../src/daemon/identity/identity.ts";
import { credentialsIn, identityFile } from "../../../src/daemon/identity/index.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import type { Ask } from "../../../src/daemon/work/index.ts";
import { openAuthority } from "../../../src/hub/enrolment/index.ts";
import { newIdentity } from "../../fakes/node.ts";
import { tempFolder } from "../../fixtures/folder.ts";

const log = openLog({ program: "test", level: "silent", format: "json" });
const purge = { workloads: LeftWorkloads.PURGE };
const ask = (id: string): Ask => ({
  id,
  actor: "test",
  signal: AbortSignal.timeout(30_000),
  progress: () => {},
});

/** A node in a folder, whose workloads are a list of names. */
async function machine() {
  const folder = tempFolder();
  const authority = await openAuthority({ folder: join(folder.path, "ca"), trustDomain: "", now: Date.now });
  const credentials = credentialsIn(folder.path, "test");
  const enrol = async (nodeId: string) => {
    const issued = await newIdentity(authority, nodeId);
    const identity = { ...issued, caPem: authority.rootPem, lineAddresses: ["hub:7443"] };
    await writeIdentity(folder.path, identity);
    return identity;
  };
  const engine = { objects: ["container/press", "volume/press"], isAway: false, purges: 0 };
  let told = false;
  const work = { isTold: () => told, ends: new Changes() };
  return {
    ...{ credentials, enrol, engine },
    hasIdentity: () => existsSync(identityFile(folder.path)),
    tell() {
      told = true;
      work.ends.notify();
    },
    /** A life of the daemon, up to the next power cut. */
    live() {
      const sql = Sql.open(join(folder.path, "daemon.db"), [journalSchema, schema], Date.now);
      const journal = Journal.open(sql, { now: Date.now });
      const state: { closed: Failure | undefined } = { closed: undefined };
      const runtimes = {
        names: () => (engine.objects.length === 0 ? [] : ["press"]),
        objects: async () => engine.objects,
        close: (why: Failure | undefined) => {
          state.closed = why;
        },
        async purge(_: Ask, onFound: (found: readonly string[]) => void) {
          engine.purges++;
          onFound(engine.objects);
          if (!engine.isAway) engine.objects = [];
          else {
            engine.objects = engine.objects.slice(1);
            throw failure("unavailable", "the engine went away");
          }
        },
      };
      const agents = { purge: async () => {} };
      const network = {
        ...{ netmon: { at: "away" as const, problem: failure("unavailable", "no netmon") }, isKnown: false },
        ...{ changes: new Changes(), detach: async () => {} },
      };
      const leaving = Decommission.open({
        ...{ sql, journal, log, credentials, runtimes, agents, network },
        secrets: { destroy: () => Promise.resolve() },
      });
      const stop = new AbortController();
      const running = leaving.run(work, stop.signal);
      return {
        ...{ leaving, state },
        facts: () =>
          journal
            .history({ afterSequence: 0n, limit: 0, runtime: "", agent: "" })
            .map(({ event }) => event?.fact.case),
        async [Symbol.asyncDispose]() {
          stop.abort();
          await running;
          sql[Symbol.dispose]();
        },
      };
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

describe("a power cut on the way out of service", () => {
  it("costs no step, repeats none, and forgets no name of what was removed", async () => {
    using node = await machine();
    await node.enrol("n-first");
    {
      await using life = node.live();
      node.engine.isAway = true;
      await assert.rejects(life.leaving.carryOut(purge, ask("cmd-1")), {
        kind: "unavailable",
        message: "the engine went away; left are runtimes press. Asked again, it goes on where it was",
      });
      assert.equal(life.state.closed, undefined, "whoever asked may think better of it");
    }
    node.engine.isAway = false;
    {
      await using life = node.live();
      const removed = await life.leaving.carryOut(purge, ask("cmd-1"));
      assert.deepEqual(removed, ["container/press", "volume/press"]);
      assert.match(life.state.closed?.message ?? "", /is being taken out of service and takes no runtimes/);
    }
    {
      // It was done, and nobody had been told.
      await using life = node.live();
      assert.deepEqual(await life.leaving.carryOut(purge, ask("cmd-1")), ["container/press", "volume/press"]);
      assert.deepEqual([node.engine.purges, life.leaving.parting.aborted], [2, false]);
      assert.equal(life.state.closed?.kind, "conflict");
      assert.deepEqual(life.facts(), ["decommissioned"], "the fact is told once");
      node.tell();
      await new Promise(setImmediate);
      assert.equal(life.leaving.parting.aborted, true);
      assert.equal(node.hasIdentity(), true);
    }
    {
      // It was told; then the identity went, and the power with it.
      await node.credentials.forget("n-first");
      await using life = node.live();
      await new Promise(setImmediate);
      assert.equal(life.leaving.parting.aborted, true);
      await life.leaving.leave();
      assert.deepEqual([life.leaving.parting.aborted, life.state.closed], [false, undefined]);
    }
    await using life = node.live();
    await new Promise(setImmediate);
    assert.deepEqual([life.leaving.parting.aborted, life.state.closed], [false, undefined]);
  });

  it("takes no identity that the machine got meanwhile", async () => {
    using node = await machine();
    await node.enrol("n-first");
    {
      await using life = node.live();
      await life.leaving.carryOut({ workloads: LeftWorkloads.KEEP }, ask("cmd-1"));
    }
    await node.enrol("n-second");
    node.tell();
    await using life = node.live();
    await new Promise(setImmediate);
    await life.leaving.leave();
    assert.equal((await node.credentials.held())?.identity.nodeId, "n-second");
    assert.equal(node.engine.purges, 0);
  });

  it("is followed by the rest, when the hub had said it at its door", async () => {
    using node = await machine();
    const identity = await node.enrol("n-first");
    await node.credentials.propose(identity, { ...identity, caPem: "" });
    {
      await using life = node.live();
      node.engine.isAway = true;
      const { signal } = ask("");
      await assert.rejects(life.leaving.ordered(purge, signal), /the engine went away/);
      assert.deepEqual([life.leaving.parting.aborted, node.hasIdentity()], [false, true]);
      node.engine.isAway = false;
      await life.leaving.ordered(purge, signal);
      assert.equal(life.leaving.parting.aborted, true);
    }
    await using life = node.live();
    await new Promise(setImmediate);
    assert.equal(life.leaving.parting.aborted, true, "nobody waits for an answer");
    await life.leaving.leave();
    assert.deepEqual([node.hasIdentity(), await node.credentials.held()], [false, undefined]);
    assert.deepEqual(life.facts(), ["decommissioned"]);
  });
});
