/** What people read of vNICs: in lists, by `runtime net`, `why`, `events` and `network attachments`. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import { EventSchema, Events, RuntimeChangeKind } from "../../gen/edge/v1/events_pb.ts";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { NetMon } from "../../gen/edge/v1/netmon_pb.ts";
import {
  type CreateRuntimeRequest,
  RuntimePhase,
  RuntimeSchema,
  Runtimes,
} from "../../gen/edge/v1/runtimes_pb.ts";
import { AddressMode, VnicChangeKind, VnicPhase } from "../../gen/edge/v1/vnics_pb.ts";
import { failure } from "../../src/base/failure.ts";
import { runtimeOfEvent } from "../../src/wire/events.ts";
import { toConnectError } from "../../src/wire/failures.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";
import { standInDaemon, standInHub } from "./stand-in.ts";

const hour = 3_600_000;

function press(now: number) {
  const lease = {
    ...{ address: "192.168.1.50/24", server: "192.168.1.1", leaseSeconds: 7200 },
    ...{ boundAt: timestampFromMs(0), renewedAt: timestampFromMs(now - 600_000) },
    expiresAt: timestampFromMs(now + hour + 30_000),
  };
  return create(RuntimeSchema, {
    spec: {
      name: "press-1",
      image: "plc:4",
      vnics: [
        { name: "lan0", parent: "eth0" },
        { name: "field", parentMac: "00:1b:21:aa:bb:cc", addressMode: AddressMode.NONE, vlanId: 10 },
      ],
    },
    phase: RuntimePhase.RUNNING,
    reason: "its container runs",
    vnics: [
      {
        ...{ name: "lan0", phase: VnicPhase.UP, reason: "its lease is good", parent: "eth0", lease },
        ...{ mac: "02:00:00:00:00:50", addresses: ["192.168.1.50/24", "fd77::50/64"] },
        ...{ gateway: "192.168.1.1", hasDefaultRoute: true, since: timestampFromMs(0) },
      },
      { name: "field", phase: VnicPhase.NO_CARRIER, reason: "eth1 has no \x1b[31mcarrier", parent: "eth1" },
    ],
  });
}

const bound = {
  ...{ runtime: "press-1", vnic: "lan0", parent: "eth0", address: "192.168.1.50/24" },
  kind: VnicChangeKind.LEASE_BOUND,
};
const readdressed = { ...bound, kind: VnicChangeKind.READDRESSED, previousAddress: "10.0.0.50/8" };

/** A daemon and a netmon of this machine, and the fleet's hub: all three in one. */
function routes(asked: CreateRuntimeRequest[] = []) {
  return (router: ConnectRouter): void => {
    router.service(Runtimes, {
      getRuntime: ({ name }) => {
        if (name !== "press-1") throw toConnectError(failure("not_found", `there is no runtime ${name}`));
        return { runtime: press(Date.now()) };
      },
      listRuntimes: () => ({ runtimes: [press(Date.now())] }),
      createRuntime: (request) => {
        asked.push(request);
        return { runtime: press(Date.now()), created: true };
      },
    });
    router.service(NetMon, {
      watchAttachments: async function* () {
        const events = [
          {
            sequence: 2n,
            at: timestampFromMs(0),
            owner: "daemon-1/other",
            change: { ...bound, runtime: "other" },
          },
          {
            sequence: 3n,
            at: timestampFromMs(0),
            owner: "daemon-1/press-1",
            change: bound,
            requestId: "cmd-1",
          },
        ];
        const attachments = [{ owner: "daemon-1/press-1", vnics: press(Date.now()).vnics }];
        yield { attachments, events, lastSequence: 3n };
      },
    });
    const facts: MessageInitShape<typeof EventSchema>["fact"][] = [
      { case: "engine", value: { reachable: true } },
      { case: "runtime", value: { name: "press-1", kind: RuntimeChangeKind.STARTED } },
      { case: "engine", value: { reachable: false } },
      { case: "runtime", value: { name: "press-2", kind: RuntimeChangeKind.STARTED } },
      { case: "vnic", value: readdressed },
    ];
    const events = facts.map((fact, at) => {
      const commandId = at === 1 ? "cmd-1" : "";
      return create(EventSchema, {
        at: timestampFromMs(0),
        reason: "because",
        commandId,
        ...(fact && { fact }),
      });
    });
    router.service(Fleet, {
      listNodes: () => ({ nodes: [{ id: "node-7f3a" }] }),
      getCommand: ({ id }) => ({ command: { command: { id, actor: "operator/ann" } } }),
      watchEvents: async function* () {
        for (const [index, event] of events.entries()) {
          yield { position: BigInt(index + 1), nodeId: "node-7f3a", event };
        }
      },
    });
    router.service(Events, {
      listEvents: ({ limit, runtime }) => {
        const kept = events.map((event, at) => ({ sequence: BigInt(at + 1), event }));
        const own = kept.filter(({ event }) => runtime === "" || runtimeOfEvent(event) === runtime);
        return { events: own.slice(-limit), lastSequence: 5n };
      },
    });
  };
}

test("runtime net tells each vNIC: what is wished, what is, since when, and why not", async () => {
  using folder = tempFolder();
  await using _daemon = await standInDaemon(join(folder.path, "daemon.sock"), routes());
  const say = async (...args: string[]) =>
    (await ask([...args, "--socket", "daemon.sock"], { folder: folder.path })).out;
  const since = /since {10}1970-01-01 00:00:00Z \([^)]+\)\n/;
  const [lan0 = "", field] = (await say("runtime", "net", "press-1")).split("\n\n");
  assert.match(lan0, since);
  assert.equal(
    `${lan0.replace(since, "").replace(/10m \ds ago/, "10m ago")}\n`,
    `vnic           lan0
wish           parent=eth0,dhcp
phase          up
reason         its lease is good
parent         eth0
mac            02:00:00:00:00:50
addresses      192.168.1.50/24, fd77::50/64
gateway        192.168.1.1
default route  yes, it is the runtime's
name servers   -
lease          192.168.1.50/24 from 192.168.1.1 for 2h; first given 1970-01-01 00:00:00Z; confirmed 10m ago; ends in 1h unless it is renewed
`,
  );
  assert.match(
    field ?? "",
    /^wish +parent=00:1b:21:aa:bb:cc,none,vlan=10\nphase +no carrier\nreason +eth1 has no carrier$/m,
  );
  assert.match(await say("runtime", "list"), /lan0 192\.168\.1\.50, field no carrier/);
  const { runtime } = JSON.parse(await say("runtime", "net", "press-1", "--json"));
  assert.equal(runtime.vnics[0].lease.leaseSeconds, 7200);
});

test("a runtime is created from a file, with its vNICs", async () => {
  using folder = tempFolder();
  const asked: CreateRuntimeRequest[] = [];
  await using _daemon = await standInDaemon(join(folder.path, "daemon.sock"), routes(asked));
  const vnics = "[{ name: lan0, parent: eth0, addressMode: follow, host: 50 }]";
  writeFileSync(
    join(folder.path, "press-1.yaml"),
    `kind: Runtime\nspec:\n  name: press-1\n  image: plc:4\n  vnics: ${vnics}\n`,
  );
  const create = ["runtime", "create", "-f", "press-1.yaml", "--socket", "daemon.sock"];
  const { code, out, err } = await ask(create, { folder: folder.path });
  assert.equal(code, 0, err);
  assert.match(out, /^runtime press-1 runs\n/);
  assert.equal(asked[0]?.spec?.vnics[0]?.addressMode, AddressMode.FOLLOW);
  const both = await ask([...create, "press-2"], { folder: folder.path });
  assert.match(both.err, /the file press-1\.yaml names the runtime: leave out "press-2"/);
});

test("why tells the reasons of a runtime and of its vNICs, and what happened to them in order", async () => {
  using folder = tempFolder();
  await using hub = await standInHub(folder.path, routes());
  await using _daemon = await standInDaemon(join(folder.path, "daemon.sock"), routes());
  const env = { ORCHESTRATOR_NETMON_SOCKET: join(folder.path, "daemon.sock") };
  const at = [
    "--hub",
    `https://127.0.0.1:${hub.port}`,
    "--token-file",
    "admin.token",
    "--ca-file",
    hub.caFile,
  ];
  const reasons = [
    "runtime press-1 is running: its container runs\n",
    "  vNIC lan0: up, 192.168.1.50/24, fd77::50/64; its lease is good\n",
    "  vNIC field: no carrier; eth1 has no carrier\n",
  ];
  const story = (by: string) => [
    `1970-01-01 00:00:00Z  runtime press-1 started: because (${by})\n`,
    "1970-01-01 00:00:00Z  engine is lost: because\n",
    "1970-01-01 00:00:00Z  vNIC press-1/lan0 readdressed from 10.0.0.50/8 to 192.168.1.50/24: because\n",
  ];
  const fromHub = await ask(["why", "press-1", ...at], { folder: folder.path });
  assert.equal(fromHub.out, [...reasons, ...story("cmd-1, operator/ann")].join(""));
  const here = await ask(["why", "press-1", "--socket", "daemon.sock"], { folder: folder.path, env });
  assert.deepEqual(here, { code: 0, out: [...reasons, ...story("cmd-1")].join(""), err: "" });
  const gone = await ask(["why", "press-2", ...at], { folder: folder.path });
  assert.deepEqual(
    [gone.code, gone.err, gone.out],
    [0, "there is no runtime press-2 any more\n", "1970-01-01 00:00:00Z  runtime press-2 started: because\n"],
  );
  assert.equal((await ask(["why", "never", ...at], { folder: folder.path })).code, 4);
  const newest = await ask(["why", "press-1", "--last", "1", "--json", ...at], { folder: folder.path });
  const [runtime, event, ...more] = newest.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    [runtime.runtime.spec.name, event.vnic.previousAddress, more],
    ["press-1", "10.0.0.50/8", []],
  );

  const listed = async (...more: string[]) =>
    (await ask(["events", "list", "--socket", "daemon.sock", ...more], { folder: folder.path })).out;
  assert.equal((await listed()).split("\n").length, 6);
  assert.equal(await listed("--runtime", "press-1", "--last", "1"), story("").at(-1));
  const watched = await ask(["events", "watch", "--socket", "daemon.sock"], { folder: folder.path });
  assert.match(watched.err, /use `orchestrator events list --local`/);

  const kept = await ask(["network", "attachments"], { folder: folder.path, env });
  assert.match(kept.out, /^OWNER +VNIC +PHASE +PARENT .*\ndaemon-1\/press-1 +lan0 +up +eth0 /);
  assert.match(kept.out, /vNIC other\/lan0 lease bound: 192\.168\.1\.50\/24\n/);
});
