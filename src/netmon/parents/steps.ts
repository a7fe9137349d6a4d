import { asFailure } from "../../base/failure.ts";
import { run } from "../namespaces/index.ts";
import { writeSetting } from "./settings.ts";

/**
 * One change of the node's own network, as people write it: `ip link set dev eth0 up`. Nothing in it has spaces of its own, since
 * the kernel allows none in the names of interfaces. `sysctl net/ipv4/conf/eth0.10/forwarding=1` is no program but a file.
 */
export type Step = string;

/**
 * Makes the changes, one after the other, up to the first that fails: whoever plans anew goes on from there. What should be
 * deleted and is gone is no failure.
 */
export async function carryOut(steps: readonly Step[], signal: AbortSignal): Promise<void> {
  for (const step of steps) {
    const [program = "", ...args] = step.split(" ");
    if (program === "sysctl") change(args);
    else await runStep(program, args, signal);
  }
}

async function runStep(program: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  await run({}, program, args, { signal }).catch((thrown: unknown) => {
    if (!args.includes("delete") || asFailure(thrown).kind !== "not_found") throw thrown;
  });
}

function change([assignment = ""]: readonly string[]): void {
  const [name = "", value = ""] = assignment.split("=");
  writeSetting(name, value);
}
