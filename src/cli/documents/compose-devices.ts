import { evidence } from "../../base/evidence.ts";
import type { SpecInit } from "./compose-limits.ts";
import { below, keysOf, type Refuse, textOf, textsOf } from "./compose-values.ts";

/** `devices` of a service: paths below /dev. */
export function devicesFrom(value: unknown, refuse: Refuse): NonNullable<SpecInit["devices"]> {
  if (!Array.isArray(value)) {
    refuse(`is ${evidence(value)}; a list is needed`);
    return [];
  }
  return value.flatMap((one, index) => {
    const at = below(refuse, index);
    if (one instanceof Map) {
      const { source, target, permissions } = keysOf(one, ["source", "target", "permissions"], at);
      return deviceOf([textOf(source), textOf(target), textOf(permissions)], at);
    }
    const text = textOf(one) ?? "";
    if (!text.startsWith("/") || text.length > 1_000) {
      at(`${evidence(text)} is no path below /dev: say gpus for GPUs`);
      return [];
    }
    // A name below /dev/serial/by-path has colons of its own; what begins with a slash behind one is the other path.
    const [, node, path, permissions] = /^(.+?)(?::(\/.+?))?(?::([rwm]+))?$/.exec(text) ?? [];
    return deviceOf([node, path, permissions], at);
  });
}

function deviceOf(
  [nodePath = "", path = "", permissions = "rwm"]: (string | undefined)[],
  refuse: Refuse,
): NonNullable<SpecInit["devices"]> {
  const isReadOnly = /^rm?$/.test(permissions);
  if (!isReadOnly && !/^rwm?$/.test(permissions))
    refuse(`${evidence(permissions)} is not taken: say r or rw`);
  return [{ nodePath, path: path === nodePath ? "" : path, readOnly: isReadOnly }];
}

/** `gpus` of a service: all, or one list of which. */
export function gpusFrom(value: unknown, refuse: Refuse): SpecInit {
  if (value === "all") return { gpus: {} };
  const [first, ...more] = Array.isArray(value) ? (value as unknown[]) : [];
  if (first === undefined || more.length > 0) {
    refuse("must be all, or a list of one request with count or device_ids");
    return {};
  }
  const at = below(refuse, 0);
  const known = ["driver", "count", "device_ids", "capabilities"] as const;
  const { driver = "nvidia", count = "all", device_ids, capabilities } = keysOf(first, known, at);
  if (driver !== "nvidia") at(`${evidence(driver)} is not taken: only nvidia`, "driver");
  const few = textOf(count) ?? "";
  if (few !== "all" && !/^\d+$/.test(few)) at("must be all, or a number", "count");
  const texts = (of: unknown, key: string) => (of === undefined ? [] : textsOf(of, below(at, key)));
  return {
    gpus: {
      count: few === "all" || device_ids !== undefined ? 0 : Number(few),
      ids: texts(device_ids, "device_ids"),
      capabilities: texts(capabilities, "capabilities").filter((one) => one !== "gpu"),
    },
  };
}
