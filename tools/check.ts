/**
 * `npm run check`: everything that can be said about the code without running it. All steps run, also after one failed, and
 * each prints its time; what a step has to say is shown when it fails.
 *
 *   npm run check -- types knip     only steps whose name contains one of these
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const wanted = process.argv.slice(2);

interface Finding {
  isFine: boolean;
  /** What is wrong, or else what a reader should know about how it was looked at. */
  text: string;
}

const steps: Record<string, () => Finding> = {
  "format and lint (biome)": () => command("biome", ["check", "--error-on-warnings", "."]),
  "types (tsc)": () => command("tsc", ["--noEmit"]),
  "lint with types (eslint)": () => command("eslint", ["--max-warnings", "0", "."]),
  "proto lint (buf)": () => command("buf", ["lint"]),
  "proto format (buf)": () => command("buf", ["format", "--diff", "--exit-code"]),
  "proto compatible (buf breaking)": breaking,
  "generated code is fresh (buf generate)": generatedIsFresh,
  "nothing unused (knip)": () => command("knip", ["--no-progress"]),
  "shell scripts (shellcheck)": () =>
    command("shellcheck", [...globSync("{tools,install,test,bench}/**/*.sh", { cwd: root }), ".ci/run"]),
};

const chosen = Object.entries(steps).filter(
  ([name]) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
const failed = chosen.filter(([name, step]) => {
  const startedAt = performance.now();
  const { isFine, text } = step();
  const time = `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s`;
  console.log(`${isFine ? "✔" : "✖"} ${time}  ${name}`);
  if (text !== "") console.log(text.trimEnd().replaceAll(/^/gm, "           "));
  return !isFine;
});
if (chosen.length === 0) console.error(`No step has ${wanted.join(" or ")} in its name.`);
else if (failed.length === 0) console.log("All fine.");
else console.log(`${failed.length} of ${chosen.length} failed: ${failed.map(([name]) => name).join(", ")}.`);
process.exitCode = failed.length === 0 && chosen.length > 0 ? 0 : 1;

/** Runs a program, ours before the machine's. Quiet when it is content. */
function command(program: string, args: string[], input?: Uint8Array): Finding {
  const env = { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` };
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: root,
    env,
    encoding: "utf8",
    ...(input && { input }),
  });
  return { isFine: status === 0, text: status === 0 ? "" : (error?.message ?? stdout + stderr) };
}

/**
 * A change to the contract must not break a program that was built from the contract before: on a branch that is main, on
 * main itself what was pushed or else the commit before. The base is taken out of the history by git and handed over as an
 * archive, which works in a shallow clone, on a detached head and in a worktree alike.
 */
function breaking(): Finding {
  const base = baseCommit();
  if (base === undefined) return { isFine: true, text: "not done: this is no git checkout" };
  const archive = spawnSync("git", ["archive", base.commit, "--", "proto", "buf.yaml"], { cwd: root });
  if (archive.status !== 0) return { isFine: true, text: `not done: ${base.what} has no contract yet` };
  const found = command("buf", ["breaking", "--against", "-#format=tar"], archive.stdout);
  return { ...found, text: `${found.text}compared with ${base.what}` };
}

function baseCommit(): { commit: string; what: string } | undefined {
  const head = git("rev-parse", "HEAD");
  if (head === undefined) return undefined;
  for (const branch of ["origin/main", "main"]) {
    const tip = git("rev-parse", "--verify", "--quiet", `${branch}^{commit}`);
    if (tip === undefined || tip === head) continue;
    const fork = git("merge-base", tip, head);
    if (fork === head) continue; // We are behind it: what we have is part of it.
    if (fork === undefined) return { commit: tip, what: `the tip of ${branch}` };
    return { commit: fork, what: `${fork.slice(0, 8)}, where this left ${branch}` };
  }
  const before = git("rev-parse", "--verify", "--quiet", "HEAD~1^{commit}");
  if (before) return { commit: before, what: `${before.slice(0, 8)}, the commit before: this is on main` };
  return { commit: head, what: "HEAD, since the history here has nothing before it" };
}

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** Generates anew beside the checkout and compares. */
function generatedIsFresh(): Finding {
  const made = mkdtempSync(join(tmpdir(), "orchestrator-gen-"));
  try {
    const generated = command("buf", ["generate", "--output", made]);
    if (!generated.isFine) return generated;
    const found = command("diff", ["--recursive", "--brief", "gen", join(made, "gen")]);
    return found.isFine ? found : { ...found, text: `${found.text}Run \`npm run gen\` and commit gen/.` };
  } finally {
    rmSync(made, { recursive: true });
  }
}
