import type { AgentSpec, GatewayUpstream } from "../../../gen/edge/v1/agents_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";

/** A request that may be sent on. */
export interface Planned {
  credential: string;
  url: URL;
  /** The path and the query, as the agent wrote them. */
  path: string;
  header: string;
  prefix: string;
}

/** Methods that are not requests for something of the upstream. */
const neverMethods = ["CONNECT", "TRACE", "TRACK"];

/**
 * What becomes of an agent's request to `/upstream/CREDENTIAL/...`: where it goes, or why it does not.
 * @throws {Failure} denied, invalid: with a sentence for whoever wrote the agent.
 */
export function planUpstream(
  spec: AgentSpec,
  { method, target }: { method: string; target: string },
): Planned {
  const [, credential = "", rest = ""] = /^\/upstream\/([^/?]+)(.*)$/s.exec(target) ?? [];
  const upstream = spec.credentials.find(({ name }) => name === credential)?.upstream;
  if (!upstream) {
    throw failure(
      "denied",
      `agent ${spec.name} has no credential ${JSON.stringify(credential)} with an upstream: its manifest lists them`,
    );
  }
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  const [bare = ""] = path.split("?");
  const problem = ambiguity(path, bare) ?? notAllowed(upstream, method, bare);
  if (problem) throw problem;
  const url = new URL(upstream.url);
  const header = upstream.header.toLowerCase() || "authorization";
  const prefix = upstream.prefix || (header === "authorization" ? "Bearer " : "");
  return { credential, url, path, header, prefix };
}

function notAllowed(upstream: GatewayUpstream, method: string, bare: string): Failure | undefined {
  const { methods, paths, url } = upstream;
  if (neverMethods.includes(method) || (methods.length > 0 && !methods.includes(method))) {
    return failure("denied", `${method} is not allowed at ${url}: the manifest lists the methods`);
  }
  if (paths.length === 0 || paths.some((one) => isMatch(one, bare))) return undefined;
  return failure("denied", `${bare} is not allowed at ${url}: the manifest lists the paths`);
}

function isMatch(allowed: string, bare: string): boolean {
  return allowed.endsWith("*") ? bare.startsWith(allowed.slice(0, -1)) : bare === allowed;
}

/** A path that an upstream may read as another one than we do is not sent. */
function ambiguity(path: string, bare: string): Failure | undefined {
  const isPlain =
    /^[\x21-\x7e]*$/.test(path) && !/[\\#]|%(?:2f|5c|00|2e)/i.test(bare) && !bare.includes("//");
  const hasDots = bare.split("/").some((part) => part.split(";")[0] === "." || part.split(";")[0] === "..");
  if (isPlain && !hasDots) return undefined;
  return failure("invalid", "the path is not plain: no `..`, `//`, `\\`, or encoded `/` and `.` in it");
}
