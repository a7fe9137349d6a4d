/**
 * `npm run check`: everything that can be said about the code without running it. All steps run, also after one failed, and
 * each prints its time; the output of a step is shown when it fails.
 */
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const bin = (name: string) => `${root}node_modules/.bin/${name}`;

/** What a step found: nothing, a reason why there was nothing to look at, or the text of what is wrong. */
type Finding = { is: "fine" } | { is: "nothing to check"; because: string } | { is: "wrong"; text: string };

const steps: Record<string, () => Finding> = {
  "format and lint (biome)": () => command(bin("biome"), ["check", "--error-on-warnings", "."]),
  "types (tsc)": () => command(bin("tsc"), ["--noEmit", "-p", "."]),
  "lint with types (eslint)": () => command(bin("eslint"), ["--max-warnings", "0", "."]),
  "proto lint (buf)": () => command(bin("buf"), ["lint"]),
  "proto format (buf)": () => command(bin("buf"), ["format", "-d", "--exit-code"]),
  "proto compatible with main (buf)": breaking,
  "generated code is fresh (buf)": generatedIsFresh,
  "nothing unused (knip)": () => command(bin("knip"), ["--no-progress"]),
  "shell scripts (shellcheck)": () =>
    command("shellcheck", [...globSync("{tools,install,test,bench}/**/*.sh", { cwd: root }), ".ci/run"]),
};

const failed = Object.entries(steps).filter(([name, step]) => {
  const startedAt = performance.now();
  const finding = step();
  const time = `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s`;
  console.log(`${finding.is === "wrong" ? "✖" : "✔"} ${time}  ${name}`);
  if (finding.is === "nothing to check") console.log(`           not done: ${finding.because}`);
  if (finding.is === "wrong") console.log(finding.text.trimEnd().replaceAll(/^/gm, "    "));
  return finding.is === "wrong";
});
console.log(failed.length === 0 ? "All fine." : `${failed.length} of ${Object.keys(steps).length} failed.`);
process.exitCode = failed.length === 0 ? 0 : 1;

function command(program: string, args: string[]): Finding {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: root, encoding: "utf8" });
  return status === 0 ? { is: "fine" } : { is: "wrong", text: error?.message ?? stdout + stderr };
}

/** Where continuous integration has no local branch main, the remote's is meant. */
function breaking(): Finding {
  const git = (...args: string[]) => spawnSync("git", args, { cwd: root, encoding: "utf8" });
  const refs = ["main", "origin/main"];
  const ref = refs.find((name) => git("rev-parse", "--verify", "--quiet", name).status === 0);
  if (ref === undefined)
    return { is: "wrong", text: "There is no branch main to compare with; fetch it first." };
  if (git("ls-tree", ref, "proto").stdout === "") {
    return { is: "nothing to check", because: `${ref} has no proto yet.` };
  }
  return command(bin("buf"), ["breaking", "--against", `.git#ref=${ref}`]);
}

/** Generates anew in a copy of what the generator reads, and compares with what is committed. */
function generatedIsFresh(): Finding {
  const copy = mkdtempSync(join(tmpdir(), "orchestrator-gen-"));
  try {
    for (const part of ["proto", "buf.yaml", "buf.gen.yaml"])
      cpSync(join(root, part), join(copy, part), { recursive: true });
    const env = { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` };
    const made = spawnSync(bin("buf"), ["generate"], { cwd: copy, env, encoding: "utf8" });
    if (made.status !== 0) return { is: "wrong", text: made.stdout + made.stderr };
    const finding = command("diff", ["-r", "gen", join(copy, "gen")]);
    return finding.is === "wrong" ? { ...finding, text: `${finding.text}Run \`npm run gen\`.` } : finding;
  } finally {
    rmSync(copy, { recursive: true });
  }
}
