/**
 * A test file that imports this before anything else runs in a network namespace of its own: what is netmon's "own namespace" to
 * the rooms, and a parent's to what it makes, is then the test's and not the machine's. The file starts itself once more within it,
 * and the second run tells the test runner how each test went, as the first would have.
 */
import { spawnSync } from "node:child_process";
import { ownNetwork } from "../../fixtures/network.ts";

const variable = "TEST_OWN_NETWORK";

/** The name of the namespace, for `ip -n` and for cables that end in it. */
export const ownName = process.env[variable] ?? endThere();

function endThere(): never {
  const network = ownNetwork();
  try {
    const [, file = ""] = process.argv;
    const self = [process.execPath, ...process.execArgv, file];
    // Whoever kills the first run, as the runner does when the time is up, has killed the second.
    const words = ["--pdeathsig", "KILL", "nsenter", `--net=/run/netns/${network.name}`, ...self];
    const env = { ...process.env, [variable]: network.name };
    const { status } = spawnSync("setpriv", words, { stdio: "inherit", env });
    process.exitCode = status ?? 1;
  } finally {
    network[Symbol.dispose]();
  }
  process.exit();
}
