/** The part of a daemon that the line needs. */
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { StatusSchema } from "../../../gen/edge/v1/control_pb.ts";
import { GetNodeResponseSchema, SampleSchema } from "../../../gen/edge/v1/node_pb.ts";
import { StopRuntimeResponseSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Changes } from "../../../src/base/changes.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { schema as controlSchema, Line } from "../../../src/daemon/control/index.ts";
import type { LineOptions } from "../../../src/daemon/control/line.ts";
import { writeIdentity } from "../../../src/daemon/identity/identity.ts";
import { credentialsIn, type Identity } from "../../../src/daemon/identity/index.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { type Dispatch, Work, schema as workSchema } from "../../../src/daemon/work/index.ts";
import { unguarded } from "../../fakes/unguarded.ts";

const log = openLog({ program: "test", level: "silent", format: "json" });

/** The line with its sources, on a real state file; `handle` carries out its commands. */
export async function openNode(
  folder: string,
  identity: Identity,
  handle: Dispatch = stopsAtOnce,
  candidate?: Identity,
  more: Partial<LineOptions> = {},
) {
  const credentials = credentialsIn(folder, "test");
  await writeIdentity(folder, identity);
  if (candidate) await credentials.propose(identity, { ...candidate, caPem: "" });
  const sql = Sql.open(join(folder, "daemon.db"), [controlSchema, journalSchema, workSchema], Date.now);
  const journal = Journal.open(sql, { now: Date.now });
  const work = new Work({ sql, journal, clock: systemClock, log, dispatch: handle, guard: unguarded });
  const line = new Line({
    ...{ sql, journal, work, log, clock: systemClock },
    random: () => 0, // No pauses: what they are is decided by `pauseMs`, which has tests of its own.
    credentials,
    leaving: { parting: new AbortController().signal, leave: async () => {}, ordered: async () => {} },
    status: () => create(StatusSchema, { engineReachable: true }),
    statusChanges: new Changes(),
    sample: () => create(SampleSchema, { cpuPercent: 1 }),
    wishesHash: () => "hash",
    about: { version: "0.0.0", hostName: "test", bootId: "boot", instanceId: "instance" },
    ...more,
  });
  const stop = new AbortController();
  const running = line.run(stop.signal);
  return {
    ...{ line, journal, work },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      work[Symbol.dispose]();
      sql[Symbol.dispose]();
    },
  };
}

const stopsAtOnce: Dispatch = async (request) => {
  if (request.case === "getNode") {
    return { case: "getNode", value: create(GetNodeResponseSchema, { nodeId: "n-test" }) };
  }
  return { case: "stopRuntime", value: create(StopRuntimeResponseSchema) };
};
