import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AddressMode, Ipv6Mode, VnicPhase as Phase, VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { fixed, follow, lease, link, mac, now, parent, planned, route, wish } from "./scene.ts";

const free = new Set(["10.0.0.50"]);
const isUp = [route("lan0", "10.0.0.1")];

describe("the link of a vNIC", () => {
  test("is made upon its parent, down, and set up when all is said that its first packet needs", () => {
    const { steps, first } = planned({ links: [], known: { lan0: { hasClient: false } } });
    assert.deepEqual(steps, [
      "makeLink lan0 eth1 1 02:77:00:00:00:50",
      "setIpv6 lan0 none",
      "raiseLink lan0",
      "startClient lan0",
    ]);
    assert.equal(first.isPending, true);
  });

  test("that is right is never touched", () => {
    const { steps, first } = planned({
      vnics: [fixed()],
      links: [link(["10.0.0.50/24"])],
      routes: isUp,
      known: { lan0: { free } },
    });
    assert.deepEqual(steps, []);
    assert.deepEqual([first.phase, first.linkOn, first.ownsDefaultRoute], [Phase.UP, 7, true]);
  });

  for (const [what, wrong] of Object.entries({
    "its parent was made anew": link([], { parentIndex: 6 }),
    "it has another MAC": link([], { mac: "02:00:00:00:00:01" }),
    "it is of another mode": link([], { mode: "vepa" }),
    "it is of another kind": link([], { kind: "veth", mode: "" }),
  })) {
    test(`is made anew when ${what}`, () => {
      const { steps } = planned({ links: [wrong] });
      assert.deepEqual(steps.slice(0, 3), [
        "stopClient lan0",
        "removeLink lan0",
        "makeLink lan0 eth1 1 02:77:00:00:00:50",
      ]);
    });
  }

  test("is not made without its parent, whose whole name counts, and not in a container that does not run", () => {
    const without = planned({ parents: [parent({ name: "eth10" })], links: [] });
    assert.deepEqual([without.first.phase, without.first.reason], [Phase.NO_PARENT, "eth1 is not there"]);
    assert.deepEqual(without.steps, ["stopClient lan0"]);
    const stopped = planned({ links: undefined });
    assert.deepEqual([stopped.first.phase, stopped.steps], [Phase.NO_RUNTIME, []]);
  });

  test("finds its parent by MAC whatever that is called, and a bond before its ports", () => {
    const vnics = [wish({ parent: "", parentMac: "00:1b:21:00:00:01" })];
    const renamed = parent({ name: "enp1s0", index: 9 });
    const bond = parent({ name: "bond0", kind: "bond", index: 11 });
    const vlan = parent({ name: "a.10", kind: "vlan", index: 12 });
    assert.match(
      planned({ vnics, parents: [vlan, renamed], links: [] }).steps.join(),
      /makeLink lan0 enp1s0/,
    );
    assert.match(planned({ vnics, parents: [renamed, bond], links: [] }).steps.join(), /makeLink lan0 bond0/);
  });

  test("in a VLAN waits for the sub-interface, and is made upon that", () => {
    const vnics = [wish({ vlanId: 20 })];
    assert.deepEqual(planned({ vnics, links: [] }).steps, ["makeVlan lan0 eth1 20"]);
    const upon = { name: "eth1.20", index: 30 };
    assert.match(
      planned({ vnics, links: [], known: { lan0: { upon } } }).steps.join(),
      /makeLink lan0 eth1\.20/,
    );
    assert.deepEqual(
      planned({ vnics, links: [link([], { parentIndex: 30 })], known: { lan0: { upon } } }).steps,
      [],
    );
  });

  test("is made as its mode says, and as its parent can", () => {
    const made = (mode: VnicMode, kind: "physical" | "wireless" | "tun") =>
      planned({ vnics: [wish({ mode })], parents: [parent({ kind })], links: [] });
    assert.match(made(VnicMode.MACVLAN_VEPA, "physical").steps.join(), /makeLink lan0 eth1 3/);
    assert.match(made(VnicMode.IPVLAN_L2, "physical").steps.join(), /makeLink lan0 eth1 4/);
    assert.match(made(VnicMode.UNSPECIFIED, "wireless").steps.join(), /makeLink lan0 eth1 5/);
    assert.equal(made(VnicMode.MACVLAN_BRIDGE, "wireless").first.phase, Phase.FAILED);
    assert.equal(made(VnicMode.UNSPECIFIED, "tun").first.phase, Phase.FAILED);
  });

  test("of a vNIC that is not wanted any more is removed, and nothing else", () => {
    const links = [
      link(["10.0.0.50/24"]),
      link([], { name: "old0" }),
      link([], { name: "eth0", kind: "veth" }),
    ];
    const { steps } = planned({
      vnics: [fixed()],
      links,
      routes: isUp,
      known: { lan0: { free } },
      more: { gone: ["old0", "old1"] },
    });
    assert.deepEqual(steps, ["removeLink old0"]);
  });

  test("that failed is left as it is until it is time to try again", () => {
    const problem = { reason: "eth1 is full", isWaiting: true };
    const waiting = planned({ links: [], known: { lan0: { problem } } });
    assert.deepEqual(
      [waiting.steps, waiting.first.phase, waiting.first.reason],
      [[], Phase.FAILED, "eth1 is full"],
    );
    const again = planned({ links: [], known: { lan0: { problem: { ...problem, isWaiting: false } } } });
    assert.match(again.steps.join(), /makeLink/);
    assert.deepEqual(
      [again.first.phase, again.first.isPending],
      [Phase.FAILED, true],
      "failed until it works",
    );
  });

  test("of a whole NIC is taken, and is not on the node then", () => {
    const vnics = [wish({ mode: VnicMode.DEDICATED, mac: "", addressMode: AddressMode.NONE })];
    assert.deepEqual(planned({ vnics, links: [] }).steps, ["takeNic lan0 eth1"]);
    const nic = { name: "eth1", mac, permanentMac: mac, mtu: 1500, isUp: true, addresses: [], routes: [] };
    const taken = planned({ vnics, parents: [], links: [link([], { kind: "" })], known: { lan0: { nic } } });
    assert.deepEqual([taken.steps, taken.first.phase, taken.first.parent?.name], [[], Phase.UP, "eth1"]);
    assert.equal(planned({ vnics, parents: [], links: [] }).first.phase, Phase.NO_PARENT);
  });
});

describe("the address of a vNIC", () => {
  test("that is static is asked for before it is used, and kept whatever the parent's subnet is", () => {
    const asked = planned({ vnics: [fixed()] });
    assert.deepEqual(
      [asked.steps, asked.first.phase, asked.first.isPending],
      [["probe lan0 10.0.0.50/24"], Phase.NO_ADDRESS, true],
    );
    const moved = {
      vnics: [fixed()],
      parents: [parent({ addresses: ["172.16.0.2/16"], subnets: ["172.16.0.0/16"], gateways: [] })],
    };
    const put = planned({ ...moved, known: { lan0: { free } } });
    assert.deepEqual(put.steps, [
      "addAddress lan0 10.0.0.50/24 true",
      "replaceRoute lan0 0.0.0.0/0 via 10.0.0.1 lan0 100",
    ]);
    assert.deepEqual(planned({ ...moved, links: [link(["10.0.0.50/24"])], routes: isUp }).steps, []);
  });

  test("without a carrier is not asked for, and one that is there stays", () => {
    const parents = [parent({ carrier: false })];
    const unasked = planned({ vnics: [fixed()], parents });
    assert.deepEqual([unasked.steps, unasked.first.phase], [[], Phase.NO_CARRIER]);
    const kept = planned({
      vnics: [fixed()],
      parents,
      links: [link(["10.0.0.50/24"])],
      routes: isUp,
      known: { lan0: { free } },
    });
    assert.deepEqual(
      [kept.steps, kept.first.phase, kept.first.addresses],
      [[], Phase.NO_CARRIER, ["10.0.0.50/24"]],
    );
  });

  test("that another machine has fails, naming it, while the address from before stays", () => {
    const problem = {
      reason: "10.0.0.50 is used by 02:aa:00:00:00:01",
      otherMac: "02:aa:00:00:00:01",
      isWaiting: true,
    };
    const { steps, first } = planned({
      vnics: [fixed()],
      links: [link(["10.0.0.49/24"])],
      known: { lan0: { problem } },
    });
    assert.deepEqual([steps, first.phase, first.otherMac], [[], Phase.FAILED, "02:aa:00:00:00:01"]);
    assert.deepEqual(first.addresses, ["10.0.0.49/24"]);
    const own = planned({ vnics: [fixed({ address: "10.0.0.2/24" })] });
    assert.match(own.first.reason, /10\.0\.0\.2 is the node's own address on eth1/);
  });

  test("is replaced by putting the new one on before the old one goes", () => {
    const { steps } = planned({
      vnics: [fixed({ address: "10.0.0.60/24" })],
      links: [link(["10.0.0.50/24"])],
      routes: isUp,
      known: { lan0: { free: new Set(["10.0.0.60"]) } },
    });
    assert.deepEqual(steps, ["addAddress lan0 10.0.0.60/24 true", "removeAddress lan0 10.0.0.50/24"]);
  });

  test("follows the first subnet of its parent that a network gave it, with the gateway and the name servers there", () => {
    const parents = [
      parent({
        subnets: ["169.254.0.0/16", "10.7.0.0/24", "10.8.0.0/24"],
        gateways: ["10.8.0.1", "10.7.0.254"],
        addresses: ["10.7.0.2/24"],
      }),
    ];
    const known = { lan0: { free: new Set(["10.7.0.50"]) } };
    const { steps, reasons } = planned({
      vnics: [follow(50)],
      parents,
      known,
      dnsServers: ["127.0.0.53", "10.7.0.53"],
      links: [link(["10.0.0.50/24"])],
      routes: isUp,
    });
    assert.deepEqual(steps, [
      "addAddress lan0 10.7.0.50/24 true",
      "replaceRoute lan0 0.0.0.0/0 via 10.7.0.254 lan0 100",
      "removeRoute lan0 0.0.0.0/0 via 10.0.0.1 lan0 100 false",
      "writeNameServers lan0 10.7.0.53",
      "removeAddress lan0 10.0.0.50/24",
    ]);
    assert.equal(reasons[0], "eth1 is in 10.7.0.0/24, of which it has host 50");
  });

  for (const [host, subnet, has] of [
    [50, "10.0.0.0/28", false],
    [0, "10.0.0.0/24", false],
    [255, "10.0.0.0/24", false],
    [256, "10.0.0.0/23", true],
    [14, "10.0.0.0/28", true],
    [1, "10.0.0.0/31", true],
  ] as const) {
    test(`host ${host} of ${subnet} ${has ? "is one" : "is none, which is said"}`, () => {
      const { first } = planned({
        vnics: [follow(host)],
        parents: [parent({ subnets: [subnet], addresses: [] })],
      });
      assert.equal(first.phase, has ? Phase.NO_ADDRESS : Phase.FAILED);
      if (!has) assert.equal(first.reason, `eth1 is in ${subnet}, which has no host ${host}`);
    });
  }

  test("stays while there is no subnet to follow", () => {
    const { steps, first } = planned({
      vnics: [follow(50)],
      parents: [parent({ subnets: [], addresses: [] })],
      links: [link(["10.0.0.50/24"])],
    });
    assert.deepEqual([steps, first.phase, first.addresses], [[], Phase.NO_ADDRESS, ["10.0.0.50/24"]]);
    assert.deepEqual([first.reason, first.isPending], ["eth1 has no IPv4 subnet to follow", false]);
  });

  test("that was leased before is put on at once in the LAN that gave it, until the lease ends", () => {
    const known = (more: object) => ({
      known: { lan0: { lease: lease(), leaseLan: "10.0.0.0/24", ...more } },
    });
    const put = [
      "addAddress lan0 10.0.0.120/24 600 true",
      "replaceRoute lan0 0.0.0.0/0 via 10.0.0.1 lan0 100",
    ];
    const named = "writeNameServers lan0 10.0.0.53 plant.example";
    assert.deepEqual(planned(known({})).steps, [...put, named]);
    const elsewhere = [parent({ subnets: ["10.9.0.0/24"], addresses: [] })];
    const waits = planned({ parents: elsewhere, links: [link(["10.0.0.120/24"])], ...known({}) });
    assert.deepEqual([waits.steps, waits.first.phase, waits.first.isPending], [[], Phase.NO_ADDRESS, true]);
    assert.deepEqual(planned({ parents: elsewhere, ...known({ isConfirmed: true }) }).steps, [...put, named]);
    assert.deepEqual(planned({ parents: [parent({ subnets: [], addresses: [] })], ...known({}) }).steps, [
      ...put,
      named,
    ]);
    const ended = planned({
      links: [link(["10.0.0.120/24"])],
      ...known({ lease: lease({ expiresAt: now }), silence: "no DHCP server answers" }),
    });
    assert.deepEqual(
      [ended.steps, ended.first.reason],
      [["removeAddress lan0 10.0.0.120/24"], "no DHCP server answers"],
    );
  });

  test("of a renewed lease gets its time anew, and nothing else happens to it", () => {
    const found = link(["10.0.0.120/24"]).addresses.map((one) => ({ ...one, validSeconds: 300 }));
    const renewed = (validSeconds: number) =>
      planned({
        links: [link([], { addresses: found.map((one) => ({ ...one, validSeconds })) })],
        routes: isUp,
        known: { lan0: { lease: lease(), isConfirmed: true } },
        more: { nameServers: "10.0.0.53 plant.example" },
      }).steps;
    assert.deepEqual(renewed(300), ["addAddress lan0 10.0.0.120/24 600 false"]);
    assert.deepEqual(renewed(598), []);
  });

  test("of IPv6 is given, or the kernel's, and a duplicate fails", () => {
    const six = { ipv6Mode: Ipv6Mode.STATIC, ipv6Address: "fd77:0::50/64", ipv6Gateway: "fd77::1" };
    const vnics = [fixed(six)];
    const base = { vnics, routes: isUp, known: { lan0: { free, ipv6: "static" as const } } };
    const steps = planned({ ...base, links: [link(["10.0.0.50/24"])] }).steps;
    assert.deepEqual(steps, [
      "addAddress lan0 fd77::50/64 false",
      "replaceRoute lan0 ::/0 via fd77::1 lan0 100",
    ]);
    const has = (flags: object) =>
      link(["10.0.0.50/24"], {
        addresses: [
          ...link(["10.0.0.50/24"]).addresses,
          {
            address: "fd77::50/64",
            family: "ipv6",
            isLinkLocal: false,
            isTentative: false,
            isDuplicate: false,
            ...flags,
          },
        ],
      });
    const routes = [...isUp, route("lan0", "fd77::1", { destination: "::/0" })];
    assert.deepEqual(planned({ ...base, routes, links: [has({})] }).first.addresses, [
      "10.0.0.50/24",
      "fd77::50/64",
    ]);
    assert.equal(
      planned({ ...base, routes, links: [has({ isDuplicate: true })] }).first.reason,
      "another machine has fd77::50/64",
    );
    assert.equal(planned({ ...base, routes, links: [has({ isTentative: true })] }).first.isPending, true);
  });
});

describe("the default route of a runtime", () => {
  const two = (first: object, second: object) => ({
    vnics: [
      fixed(first),
      fixed({
        name: "lan1",
        mac: "02:77:00:00:00:51",
        address: "10.1.0.50/24",
        gateway: "10.1.0.1",
        ...second,
      }),
    ],
    links: [
      link(["10.0.0.50/24"]),
      link(["10.1.0.50/24"], { name: "lan1", index: 4, mac: "02:77:00:00:00:51" }),
    ],
  });
  const owner = (scene: Parameters<typeof planned>[0]) => {
    const { standings, steps } = planned(scene);
    return { owner: standings.find((one) => one.ownsDefaultRoute)?.vnic.name, steps };
  };

  test("is that of the vNIC with the lowest metric, of equal ones the first, and there is one only", () => {
    assert.equal(owner(two({}, {})).owner, "lan0");
    assert.equal(owner(two({ metric: 200 }, {})).owner, "lan1");
    assert.equal(owner(two({ noDefaultRoute: true }, {})).owner, "lan1");
    assert.equal(owner(two({ gateway: "" }, { gateway: "" })).owner, undefined);
    const change = owner({ ...two({ metric: 200 }, {}), routes: isUp });
    assert.deepEqual(change.steps, [
      "replaceRoute lan1 0.0.0.0/0 via 10.1.0.1 lan1 100",
      "removeRoute lan0 0.0.0.0/0 via 10.0.0.1 lan0 100 false",
    ]);
  });

  test("goes to the next when its owner has no address or no parent", () => {
    const lost = two({ parent: "eth9" }, {});
    assert.equal(owner({ ...lost, links: lost.links.slice(1) }).owner, "lan1");
  });

  test("takes the place of the engine's, which is kept in mind and comes back when no vNIC has one", () => {
    const engines = route("eth0", "172.20.0.1", { metric: 0 });
    const base = { vnics: [fixed()], links: [link(["10.0.0.50/24"])], known: { lan0: { free } } };
    assert.deepEqual(planned({ ...base, routes: [engines] }).steps, [
      "replaceRoute lan0 0.0.0.0/0 via 10.0.0.1 lan0 100",
      "removeRoute eth0 0.0.0.0/0 via 172.20.0.1 eth0 0 true",
    ]);
    const displaced = { life: "1:1", gateway: "172.20.0.1", device: "eth0" };
    const gone = planned({ ...base, parents: [], links: [], more: { displaced } });
    assert.deepEqual(gone.steps, ["replaceRoute 0.0.0.0/0 via 172.20.0.1 eth0 0"]);
    const none = planned({ ...base, vnics: [fixed({ gateway: "" })], routes: [engines] });
    assert.deepEqual(none.steps, [], "without a vNIC's own it stays");
  });

  test("brings its owner's name servers, once, and only when the container has files of its own", () => {
    const scene = {
      vnics: [fixed({ dnsServers: ["10.0.0.53"] })],
      links: [link(["10.0.0.50/24"])],
      routes: isUp,
      known: { lan0: { free } },
    };
    assert.deepEqual(planned(scene).steps, ["writeNameServers lan0 10.0.0.53"]);
    assert.deepEqual(planned({ ...scene, more: { nameServers: "10.0.0.53 " } }).steps, []);
    assert.deepEqual(planned({ ...scene, more: { hasFiles: false } }).steps, []);
  });

  test("of a lease with further routes leaves the runtime's own routes alone", () => {
    const routes = [
      ...isUp,
      route("lan0", "10.0.0.9", { destination: "10.5.0.0/16", metric: 0 }),
      route("lan0", "10.66.0.9", { destination: "10.6.0.0/16", metric: 0 }),
      route("tun0", "10.9.9.1", { destination: "10.8.0.0/16", metric: 0 }),
    ];
    const given = lease({
      routes: [
        { destination: "10.4.0.0/16", gateway: "10.0.0.8" },
        { destination: "0.0.0.0/0", gateway: "10.0.0.1" },
      ],
    });
    const found = link([], {
      addresses: link(["10.0.0.120/24"]).addresses.map((one) => ({ ...one, validSeconds: 600 })),
    });
    const { steps } = planned({
      links: [found],
      routes,
      known: { lan0: { lease: given, isConfirmed: true } },
      more: { nameServers: "10.0.0.53 plant.example" },
    });
    assert.deepEqual(steps, [
      "replaceRoute lan0 10.4.0.0/16 via 10.0.0.8 lan0 0",
      "removeRoute lan0 10.6.0.0/16 via 10.66.0.9 lan0 0 false",
    ]);
  });
});
