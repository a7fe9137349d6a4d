import assert from "node:assert/strict";
import { after, test } from "node:test";
import { until } from "../../journeys/until.ts";
import { openScene } from "./scene.ts";

/** The name server; what is allowed by name; what is not; a range that is allowed; a cloud's metadata; somebody's own network. */
const [dns, good, bad, ranged, metadata, near] = [
  "198.51.100.53",
  "203.0.113.10",
  "203.0.113.20",
  "203.0.113.30",
  "169.254.169.254",
  "10.1.2.3",
];
const [good6, bad6] = ["2001:db8::10", "2001:db8::20"];
const scene = await openScene({
  nameServer: dns,
  addresses: [good, bad, ranged, metadata, near, good6, bad6],
  ports: [80, 8080],
});
after(() => scene[Symbol.asyncDispose]());

await scene.world.say({
  "good.test": { addresses: [good, good6], ttl: 0 },
  "a.wild.test": { addresses: [good], ttl: 0 },
  "to-bad.test": { addresses: [bad], ttl: 0 },
  "metadata.wild.test": { addresses: [metadata], ttl: 0 },
  "near6.wild.test": { addresses: ["fd00:ec2::254", "fe80::1", "::1"], ttl: 0 },
  "near.wild.test": { addresses: [near], ttl: 0 },
  "self.wild.test": { addresses: ["127.0.0.1", scene.gateway, "0.0.0.0"], ttl: 0 },
  "mixed.wild.test": { addresses: [near, good, metadata], ttl: 0 },
});

const allow = [
  { host: "good.test", ports: [80] },
  { host: "*.wild.test", ports: [80] },
  { cidr: "203.0.113.28/30", ports: [8080], udp: true },
];

/** Waits until each of these was told of a cell, and looks that nothing else was. Programs ask for a name more than once. */
async function told(cell: string, expected: readonly string[]): Promise<void> {
  const words = () =>
    new Set(scene.told(cell).map(({ protocol, destination, port }) => `${protocol} ${destination} ${port}`));
  await until(`all is told of ${cell}`, () => expected.every((one) => words().has(one)));
  assert.deepEqual([...words()].sort(), [...expected].sort());
}

test("an agent reaches what it is allowed, by name and by range, and nothing else; each attempt is told", async () => {
  const cell = await scene.cell(allow);
  const outcomes = await cell.attempt(
    "dns A good.test",
    "http http://good.test/",
    "http http://a.wild.test/",
    `http http://${ranged}:8080/`,
    `udp ${ranged} 8080`,
    // From here on, what it may not: other hosts, other ports, other protocols.
    `http http://${bad}/`,
    "http http://to-bad.test/",
    "http http://wild.test/",
    "http http://evilwild.test/",
    "http http://good.test:8080/",
    `tcp ${good} 81`,
    `udp ${good} 80`,
    `http http://${ranged}/`,
    `http http://good.test/?to=http://${bad}/`,
    "http http://good.test/?to=http://to-bad.test/",
    `http http://${metadata}/`,
    // The network of cells: the node, and the name server that the engine puts into every namespace.
    `tcp ${scene.gateway} 22`,
    "dns A good.test 127.0.0.11",
    // Other name servers, and what names could carry out.
    `dns A good.test ${dns}`,
    "dns TXT good.test",
    "dns A 736563726574.tunnel.test",
    "dns TXT 736563726574.tunnel.test",
    // IPv6, where agents have none.
    "dns AAAA good.test",
    `http http://[${good6}]/`,
  );
  const [refused, unknown] = ["ECONNREFUSED", "ENOTFOUND"];
  assert.deepEqual(Object.values(outcomes), [
    good,
    `200 ${good} 80`,
    `200 ${good} 80`,
    `200 ${ranged} 8080`,
    "hello",
    ...[refused, unknown, unknown, unknown, refused, refused, "EPERM", refused, refused, unknown, refused],
    ...[refused, refused, refused, unknown, unknown, unknown, "ENODATA", refused],
  ]);
  await told(cell.id, [
    ...[`tcp ${bad} 80`, `tcp ${metadata} 80`, `tcp ${ranged} 80`],
    ...[`tcp ${good} 8080`, `tcp ${good} 81`, `udp ${good} 80`],
    ...[`tcp ${scene.gateway} 22`, "udp 127.0.0.11 53", `udp ${dns} 53`],
    ...["dns to-bad.test 0", "dns wild.test 0", "dns evilwild.test 0"],
    `tcp ${good6} 80`,
    ...["dns good.test 0", "dns 736563726574.tunnel.test 0"],
  ]);
  assert.ok(
    scene.room.audited.includes(`task-1: tcp to ${good} port 81: the agent's network.allow does not hold it`),
  );
  // Nobody but the node's own name server heard a name, and it only those that are allowed.
  assert.deepEqual([...new Set(scene.world.asked())].sort(), ["A a.wild.test", "A good.test"]);
  await cell.end();
});

test("without its guard, the same container reaches all of it", async () => {
  const open = await scene.open();
  const outcomes = await open.attempt(
    ...[`http http://${bad}/`, `http http://${metadata}/`, `http http://${near}/`],
    ...[`http http://[${bad6}]/`, `udp ${good} 80`, `dns A to-bad.test ${dns}`],
  );
  assert.deepEqual(Object.values(outcomes), [
    ...[`200 ${bad} 80`, `200 ${metadata} 80`, `200 ${near} 80`, `200 ${bad6} 80`, "hello", bad],
  ]);
  await open.end();
});

test("the same counts for IPv6", async () => {
  const cell = await scene.cell(allow, { hasIpv6: true });
  const outcomes = await cell.attempt(
    ...["dns AAAA good.test", `http http://[${good6}]/`],
    ...[
      `http http://[${bad6}]/`,
      `http http://[${good6}]:8080/`,
      `udp ${good6} 80`,
      "dns AAAA near6.wild.test",
    ],
  );
  assert.deepEqual(Object.values(outcomes), [
    ...[good6, `200 ${good6} 80`, "ECONNREFUSED", "ECONNREFUSED", "EPERM", "ENOTFOUND"],
  ]);
  await told(cell.id, [
    ...[`tcp ${bad6} 80`, `tcp ${good6} 8080`, `udp ${good6} 80`, "dns near6.wild.test 0"],
  ]);
  await cell.end();
});

test("a range of IPv6 is refused where agents have none", async () => {
  const { refused, end } = await scene.cell([{ cidr: "2001:db8::/32" }]);
  const sentence =
    "agent probe is allowed 2001:db8::/32, and agents of this node have no IPv6: set egress.ipv6_subnet";
  assert.equal(refused, `unsupported: ${sentence}`);
  await end();
});

test("a name that is allowed cannot be pointed at what is near, nor at another host later", async () => {
  const cell = await scene.cell(allow);
  const first = await cell.attempt(
    "http http://metadata.wild.test/",
    "http http://near.wild.test/",
    "http http://self.wild.test/",
    "dns A mixed.wild.test",
    `http http://${near}/`,
    "http http://a.wild.test/",
  );
  assert.deepEqual(Object.values(first), [
    ...["ENOTFOUND", "ENOTFOUND", "ENOTFOUND", good, "ECONNREFUSED", `200 ${good} 80`],
  ]);
  // What was near is no nearer when its owner says so later.
  await scene.world.say({ "b.wild.test": { addresses: [metadata], ttl: 0 } });
  const ask = "dns A b.wild.test 169.254.53.53";
  const second = await scene.attemptIn(cell.network.pid, ask, `http http://${metadata}/`);
  assert.deepEqual(Object.values(second), ["ENOTFOUND", "ECONNREFUSED"]);
  await told(cell.id, [
    ...["dns metadata.wild.test 0", "dns near.wild.test 0", "dns self.wild.test 0"],
    ...[`tcp ${near} 80`, "dns b.wild.test 0", `tcp ${metadata} 80`],
  ]);
  const reasons = scene.told(cell.id).map(({ reason }) => reason);
  assert.ok(reasons.includes(`it means ${metadata}, and no cidr of the agent's network.allow holds that`));
  await cell.end();
});

test("what guards a cell needs neither netmon nor the daemon, and what was denied without them is told afterwards", async () => {
  await scene.world.say({
    "good.test": { addresses: [good], ttl: 0 },
    "a.wild.test": { addresses: [good], ttl: 0 },
  });
  const cell = await scene.cell(allow);
  await Promise.all([scene.netmon.kill9(), scene.room.kill9()]);
  const alone = await scene.attemptIn(
    cell.network.pid,
    `http http://${ranged}:8080/`,
    `http http://${bad}/`,
    `http http://${good}/`,
  );
  assert.deepEqual(Object.values(alone), [`200 ${ranged} 8080`, "ECONNREFUSED", "ECONNREFUSED"]);
  await scene.room.start();
  // Whom netmon cannot let through is not told where to go.
  const ask = (name: string) => `dns A ${name} 169.254.53.53`;
  const without = await scene.attemptIn(cell.network.pid, ask("good.test"), ask("bad.test"));
  assert.deepEqual(Object.values(without), ["ESERVFAIL", "ENOTFOUND"]);
  const unguarded = await scene.cell(allow);
  assert.match(
    unguarded.refused ?? "",
    /^unavailable: an agent with a network is not started without netmon/,
  );
  await unguarded.end();
  await scene.startNetmon();
  await told(cell.id, [`tcp ${bad} 80`, `tcp ${good} 80`, "dns bad.test 0"]);
  const again = await scene.attemptIn(cell.network.pid, ask("good.test"), `http http://${good}/`);
  assert.deepEqual(Object.values(again), [good, `200 ${good} 80`]);
  await cell.end();
});

test("addresses of a name are open for a time, and connections that were made go on after it", async () => {
  const cell = await scene.cell(allow);
  const { holderId } = cell.network;
  const outcomes = scene.attemptIn(cell.network.pid, `talk ${good} 81 3600`, `tcp ${good} 81`);
  await until("it asks to be let in", () => scene.told(cell.id).length > 0);
  await scene.client.allowEgress({ containerId: holderId, addresses: [good], tcpPorts: [81], seconds: 3 });
  assert.deepEqual(Object.values(await outcomes), ["all of it came back", "ECONNREFUSED"]);
  await cell.end();
});

test("a program that tries everything fills neither the journal nor the kernel's memory", async () => {
  const cell = await scene.cell([{ host: "good.test", ports: [80] }]);
  await cell.attempt(
    ...Array.from({ length: 40 }, (_, at) => `tcp ${bad} ${1000 + at}`),
    `flood ${bad} 3000`,
  );
  const all = () => scene.told(cell.id).reduce((sum, { count }) => sum + count, 0);
  await until("all 3,040 attempts are told", () => all() >= 3_040);
  await cell.end();
  const others = scene.told(cell.id).filter(({ destination }) => destination === "others");
  assert.ok(others.length > 0);
  assert.ok(scene.told(cell.id).length < 200, `${scene.told(cell.id).length} events`);
});
