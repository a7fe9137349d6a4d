import { areas, everybody, ground, outside } from "./rules.ts";
import type { Import, Source } from "./sources.ts";

const programs = ["daemon", "hub", "netmon", "cli"];

/** The only file that knows all programs: it picks the one that a command line means. */
const picker = "src/orchestrator.ts";

/** Everything that is wrong with a file's imports, each as a sentence with its reason. */
export function wrongImports({ path, imports }: Source): string[] {
  return imports.flatMap((one) => {
    const reason = isOurs(one.of) ? wrongInside(path, one) : wrongOutside(path, one.of);
    return reason === undefined ? [] : [`${path} imports ${one.of}: ${reason}`];
  });
}

function wrongInside(path: string, { of, isTypeOnly, isDynamic }: Import): string | undefined {
  if (of === "package.json") return undefined; // for the version that a program tells
  if (path === picker) {
    const isProgram = programs.includes(areaOf(of).split("/")[0] ?? "");
    if (isProgram && !isDynamic)
      return "a program is loaded when it is meant (await import), so that the others are not";
    return undefined;
  }
  const from = areaOf(path);
  const to = areaOf(of);
  const rule = areas[from];
  if (rule === undefined) {
    return `${from} is not in test/architecture/rules.ts; say there what it may import, and why no more`;
  }
  if (from === to) return undefined;
  if (programOf(from) && programOf(to) && programOf(from) !== programOf(to)) {
    return "programs never import one another; what both need is in the contract or in wire";
  }
  const stoodOn: readonly string[] = (ground as readonly string[]).includes(from) ? [] : everybody;
  const may = [...stoodOn, ...(rule.mayImport ?? []), ...(isTypeOnly ? (rule.mayKnow ?? []) : [])];
  if (!may.includes(to)) {
    const allowed = rule.mayKnow?.includes(to)
      ? `only the types of ${to}`
      : may.join(", ") || "nothing of ours";
    return `${from} may import ${allowed}, because ${rule.because}`;
  }
  if (to.includes("/") && of !== `src/${to}/index.ts`) {
    return `a room is entered through its index.ts; ask ${to} to export what is needed`;
  }
  return undefined;
}

function wrongOutside(path: string, module: string): string | undefined {
  const rule = outside[module];
  if (rule === undefined || rule.onlyIn.some((place) => path.startsWith(place))) return undefined;
  return `only ${rule.onlyIn.join(", ")} may, because ${rule.because}`;
}

/** `src/hub/line/x.ts` is in `hub/line`, `src/hub/hub.ts` in `hub`, `src/base/log.ts` in `base`. */
function areaOf(path: string): string {
  const [top, ...rest] = path.split("/");
  if (top !== "src") return top ?? "";
  return rest.slice(0, -1).slice(0, 2).join("/");
}

function programOf(area: string): string | undefined {
  return programs.find((program) => area === program || area.startsWith(`${program}/`));
}

function isOurs(path: string): boolean {
  return path.includes("/")
    ? /^(src|gen|test|tools|bench|samples|install)\//.test(path)
    : path === "package.json";
}

/** Ways from a file over its imports back to itself, the shortest of each file; each circle once, as `a -> b -> a`. */
export function circles(sources: readonly Source[]): string[] {
  const importsOf = new Map(sources.map(({ path, imports }) => [path, imports.map(({ of }) => of)]));
  const found = new Map<string, string>();
  for (const { path } of sources) {
    const way = wayBack(path, importsOf);
    if (way) found.set([...way].sort().join(), [...way, path].join(" -> "));
  }
  return [...found.values()];
}

function wayBack(to: string, importsOf: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const ways = [[to]];
  const seen = new Set<string>();
  for (const way of ways) {
    for (const next of importsOf.get(way.at(-1) ?? to) ?? []) {
      if (next === to) return way;
      if (!seen.has(next)) ways.push([...way, next]);
      seen.add(next);
    }
  }
  return undefined;
}
