/** A station on a test's LAN whose address comes from a lease, with real clients and servers. */
import { execFileSync } from "node:child_process";
import { systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { type DhcpLease, LeaseClient, type LeaseNews } from "../../../src/netmon/lease/index.ts";
import type { Lan } from "../../fixtures/lan.ts";
import { ownNetwork } from "../../fixtures/network.ts";
import { until } from "../../journeys/until.ts";

export const mac = "02:77:00:00:00:32";
export const clientId = `01:${mac}`;

/** A station that is plugged into a LAN and has no address yet. */
export function station(lan: Lan) {
  const network = ownNetwork();
  network.ip("link set lo up");
  const cable = lan.attach(network.name, "lan0", { mac });
  const place = { netns: `/run/netns/${network.name}` };
  const news: LeaseNews[] = [];
  /** News before this place were waited for. */
  let heard = 0;
  const log = openLog({ program: "netmon", level: "silent", format: "json" });
  const pids = () =>
    execFileSync("ip", ["netns", "pids", network.name], { encoding: "utf8" }).split("\n").filter(Boolean);
  return {
    ...{ network, cable, place, news, pids },
    /** Starts a client, and has its link's address follow the news as netmon's attachments do. */
    lease: (known?: DhcpLease) =>
      LeaseClient.start({
        ...{
          place,
          device: "lan0",
          mac,
          hostName: "press_7",
          clientId,
          clock: systemClock,
          log,
          random: Math.random,
        },
        ...(known && { known }),
        onNews: (one) => {
          news.push(one);
          if ("before" in one) network.ip(`address delete ${one.before.address} dev lan0`);
          if ("lease" in one) network.ip(`address replace ${one.lease.address} dev lan0`);
        },
      }),
    kinds: () => news.map(({ kind }) => kind),
    /** The next news of a kind after the one that was waited for last; it may have come already. */
    next: async <Kind extends LeaseNews["kind"]>(kind: Kind) => {
      const is = (one: LeaseNews): one is Extract<LeaseNews, { kind: Kind }> => one.kind === kind;
      const said = `${kind}, after ${news.map((one) => one.kind).join(", ")}`;
      const found = await until(said, () => news.slice(heard).find(is));
      heard = news.indexOf(found) + 1;
      return found;
    },
    /** Has the one udhcpc here do what it does at a signal. */
    signal: (signal: NodeJS.Signals) => {
      for (const pid of pids()) process.kill(Number(pid), signal);
    },
    [Symbol.dispose]: () => network[Symbol.dispose](),
  };
}
