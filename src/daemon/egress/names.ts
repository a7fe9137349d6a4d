import type { EgressRule } from "../../../gen/edge/v1/agents_pb.ts";

/** The longest name of DNS, and the longest part of one, in bytes. */
const [longest, longestPart] = [253, 63];

/** A name of DNS as rules write it: lower case, no dot at the end. Undefined for what is no host's name. */
export function hostName(asked: string): string | undefined {
  const name = asked.replace(/\.$/, "").toLowerCase();
  const isName = name.length <= longest && name.split(".").every((part) => isPart(part));
  return isName ? name : undefined;
}

/** Some hosts have an underscore, although they should not. */
function isPart(part: string): boolean {
  return part.length <= longestPart && /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/.test(part);
}

/** The rules that allow a name, as `hostName` gives it. `*.example.com` allows all below it, at any depth, and not itself. */
export function rulesFor(name: string, allow: readonly EgressRule[]): EgressRule[] {
  return allow.filter(({ host }) => {
    if (!host.startsWith("*.")) return host !== "" && host === name;
    const suffix = host.slice(1);
    return name.length > suffix.length && name.endsWith(suffix);
  });
}
