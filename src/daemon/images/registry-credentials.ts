import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { AuthConfig } from "dockerode";
import * as v from "valibot";
import { failure } from "../../base/failure.ts";

/** Who a registry is asked as: one entry of the credentials file. */
export interface Credentials {
  /** The entry's name in the file, as in `ghcr.io/owner`. */
  entry: string;
  /** For the engine. Never logged, never told. */
  auth: AuthConfig | { identitytoken: string; serveraddress: string };
  /** What must never be said, in any of its forms. */
  secrets: readonly string[];
}

const text = v.optional(v.string(), "");
const schema = v.object({
  auths: v.optional(
    v.record(v.string(), v.object({ auth: text, username: text, password: text, identitytoken: text })),
    {},
  ),
  credsStore: text,
  credHelpers: v.optional(v.record(v.string(), v.string()), {}),
});
type Content = v.InferOutput<typeof schema>;
type Entry = Content["auths"][string];

/** A file of credentials is small; what is larger is something else. */
const maxBytes = 1 << 20;

/**
 * Finds who a registry is asked as for an image, in a file in the format of `~/.docker/config.json`. It is read at each pull,
 * so a change of it counts at once. No file means no credentials.
 * @throws {Failure} invalid, denied, unsupported: the file cannot be used; named, and nothing of its content.
 */
export async function credentialsFor(image: string, file: string): Promise<Credentials | undefined> {
  const content = await read(file);
  if (!content) return undefined;
  const found = longestMatch(Object.keys(content.auths), image);
  const entry = found === undefined ? undefined : content.auths[found];
  const helper = longestMatch(Object.keys(content.credHelpers), image);
  const isEmpty = !entry || (entry.auth === "" && entry.username === "" && entry.identitytoken === "");
  if (found !== undefined && entry && !isEmpty) return credentialsOf(found, entry, file);
  const program = helper === undefined ? content.credsStore : content.credHelpers[helper];
  if (!program) return undefined;
  const sentence = `the credentials file ${file} leaves ${registryOf(image)} to the helper program ${JSON.stringify(program)}`;
  throw failure("unsupported", `${sentence}, and the daemon starts none: put an entry with auth into auths`);
}

async function read(file: string): Promise<Content | undefined> {
  const bytes = await readOwn(file);
  if (bytes === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(bytes);
  } catch {
    // Without the cause: it quotes the file.
    throw failure("invalid", `the credentials file ${file} is not JSON: write it anew`);
  }
  const parsed = v.safeParse(schema, Array.isArray(json) ? undefined : json); // A list would pass as an empty object.
  if (parsed.success) return parsed.output;
  const at = parsed.issues[0]?.path?.map(({ key }) => String(key)).join(".") ?? "its top";
  const sentence = `the credentials file ${file} is not in the format of docker's config.json at ${at}`;
  throw failure(
    "invalid",
    `${sentence}: it needs {"auths": {"<registry>": {"auth": "<base64 of name:password>"}}}`,
  );
}

async function readOwn(file: string): Promise<string | undefined> {
  try {
    // A pipe of this name must not keep a pull waiting for somebody who writes into it.
    await using opened = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await opened.stat();
    if (!stat.isFile()) throw failure("invalid", `the credentials file ${file} is not a file`);
    const { mode, size } = stat;
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, "0");
      const sentence = `the credentials file ${file} has mode ${shown}, so others may use it`;
      throw failure("denied", `${sentence}: chmod 600 ${file}`);
    }
    if (size > maxBytes) throw failure("invalid", `the credentials file ${file} is larger than a megabyte`);
    return await opened.readFile("utf8");
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException; // Node's own errors have one.
    if (code === "ENOENT") return undefined;
    if (typeof code !== "string" || !/^E[A-Z]+$/.test(code)) throw thrown;
    throw failure(
      "denied",
      `the credentials file ${file} cannot be read (${code}): check its owner and mode`,
    );
  }
}

function credentialsOf(entry: string, { auth, identitytoken, ...named }: Entry, file: string): Credentials {
  const serveraddress = normal(entry);
  if (identitytoken !== "") {
    return { entry, auth: { identitytoken, serveraddress }, secrets: [identitytoken] };
  }
  const [, user = named.username, password = named.password] =
    /^([^:]+):(.*)$/s.exec(Buffer.from(auth, "base64").toString()) ?? [];
  if (user === "" || password === "") {
    const sentence = `the entry ${JSON.stringify(entry)} of the credentials file ${file} has no name and password`;
    throw failure("invalid", `${sentence}: auth is the base64 of name:password`);
  }
  const base64 = Buffer.from(`${user}:${password}`).toString("base64");
  return {
    entry,
    auth: { username: user, password, serveraddress },
    secrets: [password, base64, Buffer.from(password).toString("base64"), encodeURIComponent(password)],
  };
}

/** The key that says most of the image's registry and repository: `ghcr.io/owner` before `ghcr.io`. */
export function longestMatch(keys: readonly string[], image: string): string | undefined {
  const name = `${registryOf(image)}/${repositoryOf(image)}/`;
  return keys
    .filter((key) => name.startsWith(`${normal(key)}/`))
    .toSorted((one, other) => normal(other).length - normal(one).length)[0];
}

/** The registry that an image reference means. */
export function registryOf(image: string): string {
  const first = image.slice(0, Math.max(0, image.indexOf("/")));
  return /[.:]|^localhost$/.test(first) ? canonical(first) : "docker.io";
}

function repositoryOf(image: string): string {
  const bare = image.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  const first = bare.slice(0, Math.max(0, bare.indexOf("/")));
  const path = /[.:]|^localhost$/.test(first) ? bare.slice(first.length + 1) : bare;
  return registryOf(image) === "docker.io" && !path.includes("/") ? `library/${path}` : path;
}

/** An entry's name as docker writes it, without scheme and version: `https://index.docker.io/v1/` is `docker.io`. */
function normal(key: string): string {
  const bare = key
    .replace(/^https?:\/\//, "")
    .replace(/\/(?:v[12]\/?)?$/, "")
    .toLowerCase();
  const [host = "", ...path] = bare.split("/");
  return [canonical(host), ...path].join("/");
}

function canonical(host: string): string {
  return /^(?:index|registry-1)\.docker\.io$/.test(host) ? "docker.io" : host;
}
