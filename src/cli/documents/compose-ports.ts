import { evidence } from "../../base/evidence.ts";
import { below, keysOf, type Refuse, textOf } from "./compose-values.ts";

interface Port {
  nodePort: number;
  runtimePort: number;
}

/** `ports` of a service: TCP ports of the node's loopback address. Whatever would be open to the LAN is refused. */
export function portsFrom(value: unknown, refuse: Refuse): Port[] {
  if (!Array.isArray(value)) {
    refuse(`is ${evidence(value)}; a list is needed`);
    return [];
  }
  return value.flatMap((one, index) => {
    const at = below(refuse, index);
    return (one instanceof Map ? fromLong(one, at) : fromShort(textOf(one) ?? "", at)) ?? [];
  });
}

function fromShort(text: string, refuse: Refuse): Port | undefined {
  const found = /^(?:(\[[0-9a-f:.]+\]|[0-9.]+|::1):)?(?:([\d-]+):)?([\d-]+)(?:\/(\w+))?$/.exec(text);
  if (!found) return refuse(`${evidence(text)} must be as 127.0.0.1:8080:80`);
  const [, address, published, target, protocol] = found;
  // What looks like an address without dots is the node's port.
  const isPort = address !== undefined && /^\d+$/.test(address) && published === undefined;
  return portOf(
    { address: isPort ? undefined : address, published: isPort ? address : published, target, protocol },
    refuse,
  );
}

function fromLong(value: unknown, refuse: Refuse): Port | undefined {
  const known = ["target", "published", "host_ip", "protocol", "mode"] as const;
  const { target, published, host_ip, protocol } = keysOf(value, known, refuse);
  const given = { address: host_ip, published, target, protocol };
  const texts = Object.entries(given).map(([key, one]) => [key, textOf(one)] as const);
  return portOf(Object.fromEntries(texts), refuse);
}

function portOf(
  of: { [K in "address" | "published" | "target" | "protocol"]?: string | undefined },
  refuse: Refuse,
): Port | undefined {
  const { address = "", published = "", target = "", protocol = "tcp" } = of;
  if (protocol !== "tcp")
    return refuse(`is ${protocol}, and only TCP ports are published: give it a vNIC on the LAN`);
  if (published.includes("-") || target.includes("-")) return refuse("is a range: say each port by itself");
  if (published === "") {
    return refuse(
      `leaves the node's port to chance: say 127.0.0.1:${target}:${target}, or another that is free`,
    );
  }
  if (address !== "127.0.0.1") {
    const where = address === "" || address === "0.0.0.0" ? "on all addresses of the node" : `on ${address}`;
    return refuse(
      `would be open ${where}: say 127.0.0.1:${published}:${target}, or give it a vNIC, an address of its own on the LAN`,
    );
  }
  return { nodePort: Number(published), runtimePort: Number(target) };
}
