/** A program that keeps a lease in the network namespace of the given name until it is killed. */
import { systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { LeaseClient } from "../../../src/netmon/lease/index.ts";

LeaseClient.start({
  ...{
    place: { netns: `/run/netns/${process.argv[2]}` },
    device: "lan0",
    mac: "",
    hostName: "",
    clientId: "0102",
  },
  ...{ clock: systemClock, random: Math.random, onNews: () => {} },
  log: openLog({ program: "netmon", level: "silent", format: "json" }),
});
