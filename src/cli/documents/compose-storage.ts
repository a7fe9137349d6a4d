import { evidence } from "../../base/evidence.ts";
import { below, bytesOf, keysOf, oneOrMore, type Refuse, textOf } from "./compose-values.ts";

/** What a service keeps, and where. */
interface Storage {
  volumes: { name: string; path: string; readOnly: boolean }[];
  tmpfs: { path: string; sizeBytes: bigint }[];
}

/** `volumes` of a service: named ones and file systems in memory. Nothing of the machine is mounted. */
export function storageFrom(value: unknown, declared: ReadonlySet<string>, refuse: Refuse): Storage {
  const storage: Storage = { volumes: [], tmpfs: [] };
  if (!Array.isArray(value)) {
    refuse(`is ${evidence(value)}; a list is needed`);
    return storage;
  }
  for (const [index, one] of value.entries()) {
    const at = below(refuse, index);
    if (one instanceof Map) fromLong(one, declared, storage, at);
    else fromShort(textOf(one) ?? "", declared, storage, at);
  }
  return storage;
}

function fromShort(text: string, declared: ReadonlySet<string>, { volumes }: Storage, refuse: Refuse): void {
  const [source = "", path, mode = "rw", ...more] = text.split(":");
  if (isPath(source) && path !== undefined) refuse(whyNoBind(source));
  else if (path === undefined) {
    refuse(
      `${evidence(text)} has no name: a volume without one is lost with its container; say name:${text}`,
    );
  } else if (more.length > 0 || (mode !== "rw" && mode !== "ro")) {
    refuse(`${evidence(text)} must be name:/path, name:/path:ro or name:/path:rw`);
  } else addVolume({ source, path, readOnly: mode === "ro" }, declared, volumes, refuse);
}

function fromLong(
  value: unknown,
  declared: ReadonlySet<string>,
  { volumes, tmpfs }: Storage,
  refuse: Refuse,
): void {
  const {
    type,
    source,
    target,
    read_only: readOnly,
    tmpfs: of,
  } = keysOf(value, ["type", "source", "target", "read_only", "tmpfs"], refuse);
  const path = textOf(target) ?? "";
  if (type === "tmpfs") {
    const { size } = of === undefined ? {} : keysOf(of, ["size"], below(refuse, "tmpfs"));
    const sizeBytes = size === undefined ? 0n : bytesOf(size, below(refuse, "tmpfs", "size"));
    tmpfs.push({ path, sizeBytes: sizeBytes ?? 0n });
  } else if (type === "volume") {
    addVolume({ source: textOf(source) ?? "", path, readOnly: readOnly === true }, declared, volumes, refuse);
  } else if (type === "bind") refuse(whyNoBind(textOf(source) ?? ""));
  else refuse(`${evidence(type)} is not taken; there are volume and tmpfs`, "type");
}

function addVolume(
  { source, path, readOnly }: { source: string; path: string; readOnly: boolean },
  declared: ReadonlySet<string>,
  volumes: Storage["volumes"],
  refuse: Refuse,
): void {
  if (source === "") refuse("has no name: a volume without one is lost with its container");
  else if (!declared.has(source)) {
    refuse(`${evidence(source)} is not among the volumes of the file: add it there`);
  } else volumes.push({ name: source.toLowerCase().replaceAll(/[._]/g, "-"), path, readOnly });
}

function isPath(source: string): boolean {
  return /^[./~\\]/.test(source);
}

function whyNoBind(source: string): string {
  if (/(?:docker|containerd|podman|crio)[^/]*\.sock$/.test(source)) {
    return `${evidence(source)} is the engine's socket, and whoever has it has the whole machine: leave it out`;
  }
  return `${evidence(source)} is a folder or file of the machine, and none is mounted: use a named volume, or put it into the image`;
}

/** `tmpfs` of a service: paths, with a size at most. */
export function tmpfsFrom(value: unknown, refuse: Refuse): Storage["tmpfs"] {
  return oneOrMore(value, refuse).flatMap((text, index) => {
    const at = Array.isArray(value) ? below(refuse, index) : refuse;
    const [path = "", options = ""] = text.split(":");
    const others = options.split(",").filter((one) => one !== "" && !one.startsWith("size="));
    if (others.length > 0) at(`${evidence(others.join(","))} has no meaning here: only size= is taken`);
    const size = /(?:^|,)size=([^,]+)/.exec(options)?.[1];
    return { path, sizeBytes: size === undefined ? 0n : (bytesOf(size, at) ?? 0n) };
  });
}

/** Volumes that a file declares at its top: those of the engine's own kind, and made for it. */
export function declaredVolumes(value: unknown, refuse: Refuse): Set<string> {
  if (value === undefined || value === null) return new Set();
  if (!(value instanceof Map)) {
    refuse(`is ${evidence(value)}; names are needed`);
    return new Set();
  }
  for (const [name, one] of value) {
    if (one === null) continue;
    const at = below(refuse, String(name));
    const { external, driver } = keysOf(
      one,
      ["external", "driver"],
      at,
      () =>
        "has no meaning here: a volume is named after its runtime, and lies where the engine keeps volumes",
    );
    if (external !== undefined && external !== false) {
      at("is somebody else's: a volume belongs to one runtime, and is made with it", "external");
    }
    if (driver !== undefined && driver !== "local")
      at(`${evidence(driver)} is not taken: only local`, "driver");
  }
  return new Set([...value.keys()].map(String));
}
