/**
 * The command `orchestrator`: picks the program that a command line means. This is the only file that knows all programs, and
 * it loads the one that is meant: the CLI answers fast because it does not carry a hub, and the daemon is small because it
 * does not carry the CLI.
 */
const programs = {
  "hub start": () => import("./hub/main.ts"),
  "daemon start": () => import("./daemon/main.ts"),
  "daemon enroll": () => import("./daemon/enroll.ts"),
  "netmon start": () => import("./netmon/main.ts"),
};

/** Aborted at the first SIGINT or SIGTERM. The second ends the process at once, as a shell would name it. */
function untilAskedToEnd(): AbortSignal {
  const controller = new AbortController();
  for (const [name, number] of [["SIGINT", 2] as const, ["SIGTERM", 15] as const]) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(128 + number);
      controller.abort();
    });
  }
  return controller.signal;
}

const args = process.argv.slice(2);
const name = args.slice(0, 2).join(" ");
const asksForHelp = args.includes("--help") || args.includes("-h");
const world = { env: process.env, signal: untilAskedToEnd() };

if (Object.hasOwn(programs, name) && !asksForHelp) {
  const [{ runProgram }, program] = await Promise.all([
    import("./wire/program.ts"),
    programs[name as keyof typeof programs](), // It is one of them: that was just asked.
  ]);
  process.exitCode = await runProgram(name, program, args.slice(2), world);
} else {
  const { main } = await import("./cli/main.ts");
  process.exitCode = await main(args, world);
}
