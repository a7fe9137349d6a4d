import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { isIP } from "node:net";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { ended, mayNotLook } from "./netns.ts";
import { isAlive, type Owner } from "./owner.ts";
import { below, openRoot } from "./root.ts";

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

/**
 * Writes the name servers into the container's `/etc/resolv.conf`, in place, because engines mount that file by itself. The
 * container may have put anything there, so each step of the way is opened without following links, and only a regular file is
 * written. Returns whether the file says so now: a container that has none needs none, and one that is read-only, as with a
 * read-only root, keeps the engine's.
 * @throws {Failure} not_found: the container does not run any more. denied: the file is something else, or a right is missing.
 * unavailable: the container is just being started, and its process still sees the node's files: `hasOwnRoot` says when.
 */
export async function writeNameServers(
  owner: Owner,
  servers: readonly string[],
  searchDomain = "",
): Promise<boolean> {
  await using steps = new AsyncDisposableStack();
  const step = async (path: string, flags: number) => steps.use(await open(path, flags));
  try {
    const root = steps.use(await openRoot(owner));
    const etc = await step(below(root, "etc"), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    const file = await step(below(etc, "resolv.conf"), O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    if (!(await file.stat()).isFile()) throw refused("it is no regular file");
    await writeOver(file, resolvConf(servers, searchDomain));
    return true;
  } catch (thrown) {
    const code = systemCode(thrown);
    const isGone = code === "ENOENT" || code === "ESRCH";
    if (code === "EROFS" || (isGone && isAlive(owner))) return false;
    if (isGone) throw ended(owner, thrown);
    if (code === "") throw thrown;
    throw refused(meanings[code] ?? `the kernel says ${code}`, thrown);
  }
}

const notPlain = "it, or the folder above it, is no plain file or folder";

const meanings: Readonly<Record<string, string>> = {
  ...{ ELOOP: notPlain, ENOTDIR: notPlain, ENXIO: notPlain, EISDIR: notPlain },
  EACCES: mayNotLook,
  EPERM: mayNotLook,
};

/** The text of a resolv.conf(5). What is no address, or no domain, came from a LAN's DHCP server and is left out. */
export function resolvConf(servers: readonly string[], searchDomain: string): string {
  const domains = searchDomain.split(/\s+/).filter((one) => /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}$/.test(one));
  const lines = [
    ...(domains.length > 0 ? [`search ${domains.join(" ")}`] : []),
    ...servers.filter((one) => isIP(one) !== 0).map((one) => `nameserver ${one}`),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** The end is cut last, so that a reader in between sees too much rather than nothing. */
async function writeOver(file: FileHandle, text: string): Promise<void> {
  const content = Buffer.from(text);
  await file.write(content, 0, content.length, 0);
  await file.truncate(content.length);
}

function refused(why: string, cause?: unknown) {
  return failure("denied", `cannot write the container's /etc/resolv.conf: ${why}`, { cause });
}
