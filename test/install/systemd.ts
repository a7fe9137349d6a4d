import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Ran } from "../journeys/program.ts";
import { until } from "../journeys/until.ts";
import type { Machine } from "./machine.ts";

const script = new URL("systemd.sh", import.meta.url).pathname;

/** A systemd that runs as process 1 of a machine of its own; what is run on it sees the system's usual folders. */
export interface Systemd extends AsyncDisposable {
  run(...command: string[]): Promise<Ran>;
}

/** Boots a systemd in the network of `machine`, and with its engine at the usual place. */
export async function bootSystemd(machine: Machine): Promise<Systemd> {
  const { netns, socketPath } = machine.engine;
  const boot = spawn("sh", [script, "boot", netns, socketPath], { stdio: ["ignore", "pipe", "pipe"] });
  let complaint = "";
  boot.stderr.on("data", (text: Buffer) => {
    complaint += text.toString();
  });
  const lines = createInterface({ input: boot.stdout });
  const [line] = (await Promise.race([once(lines, "line"), once(lines, "close")])) as [string?];
  const init = line?.match(/^init (\d+)$/)?.[1];
  if (init === undefined) throw new Error(`systemd could not be booted here: ${complaint.trim()}`);
  const env = { DOCKER_HOST: "", PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" };
  const systemd: Systemd = {
    run: (...command) => machine.run(["nsenter", "--all", "--target", init, "--", ...command], env),
    async [Symbol.asyncDispose]() {
      boot.kill("SIGKILL");
      if (boot.exitCode === null && boot.signalCode === null) await once(boot, "exit");
    },
  };
  await until(
    "systemd is up",
    async () => (await systemd.run("systemctl", "is-active", "multi-user.target")).code === 0,
  );
  return systemd;
}
