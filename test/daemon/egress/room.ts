/** The egress room as a program of its own: it must be in the network of its engine. Says a line of JSON for each that it is told. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { create, fromJson } from "@bufbuild/protobuf";
import { AgentNetworkSchema, AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { asFailure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Egress, schema } from "../../../src/daemon/egress/index.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import type { CellNetwork } from "../../../src/daemon/sandbox/index.ts";

const [folder = "", socket = "", nameServer = ""] = process.argv.slice(2);
const sql = Sql.open(join(folder, "daemon.db"), [journalSchema, schema], () => Date.now());
const journal = Journal.open(sql, { now: () => Date.now() });
const egress = Egress.open({
  ...{
    sql,
    journal,
    clock: systemClock,
    socket,
    log: openLog({ program: "test", level: "silent", format: "pretty" }),
  },
  audit: { record: ({ detail }) => say({ audit: detail }) },
  settings: { resolverPort: 10053, nameServers: [nameServer] },
  taskOf: (cell) => cell.replace("cell", "task"),
});

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

interface Asked {
  do: "prepare" | "guard" | "release";
  cell: string;
  network?: CellNetwork;
  allow?: object[];
}

async function carryOut({ do: what, cell, network, allow = [] }: Asked): Promise<object> {
  const spec = create(AgentSpecSchema, {
    name: "probe",
    network: fromJson(AgentNetworkSchema, { allow: JSON.parse(JSON.stringify(allow)) }),
  });
  const ask = { id: cell, agent: "probe", version: 1, spec, imageId: "", commandId: "" };
  if (what === "prepare") return await egress.prepare(ask, folder);
  if (what === "release") await egress.release(cell);
  else if (network) await egress.guard(ask, network, AbortSignal.timeout(20_000));
  return {};
}

const end = new AbortController();
void egress.run(end.signal);
let told = 0;
setInterval(() => {
  for (const { sequence, entry } of journal.read(told, 1000)) {
    told = sequence;
    if (entry.case !== "event" || entry.value.fact.case !== "egressDenied") continue;
    const { $typeName, $unknown, count, ...value } = entry.value.fact.value;
    say({ event: { ...value, count: Number(count), reason: entry.value.reason } });
  }
}, 50);
say({});
for await (const line of createInterface({ input: process.stdin })) {
  const said = await carryOut(JSON.parse(line) as Asked).catch((thrown: unknown) => {
    const { kind, message } = asFailure(thrown);
    return { failure: `${kind}: ${message}` };
  });
  say({ answer: said });
}
end.abort();
await egress[Symbol.asyncDispose]();
process.exit(0);
