/** What a look may see, for tests of what is made of it. */
import type { Interface, Seen } from "../../../src/netmon/picture/state.ts";

const usual: Omit<Interface, "name"> = {
  ...{ index: 1, mac: "", kind: "physical", mtu: 1500, operstate: "up", carrier: true, speedMbps: 0 },
  ...{ addresses: [], subnets: [], gateways: [], routes: [] },
};

export function seen(...of: (Pick<Interface, "name"> & Partial<Interface>)[]): Seen {
  return { interfaces: of.map((one) => ({ ...usual, ...one })), dnsServers: [] };
}
