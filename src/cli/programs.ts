import type { Command } from "commander";

/** The programs that orchestrator.ts starts without us: here they have their place in the help and in completion only. */
const programs = [
  ["hub", "start", "run a hub until it is stopped"],
  ["daemon", "start", "run the daemon of this node until it is stopped"],
  ["daemon", "enroll", "let this node into a fleet with a token of its hub"],
  ["netmon", "start", "run the sidecar that sees the node's network"],
] as const;

/** Adds the verbs that are programs of their own to their nouns. */
export function definePrograms(program: Command): void {
  const netmon = program
    .command("netmon")
    .description("the sidecar that sees the node's network")
    .helpCommand(false);
  for (const [noun, verb, description] of programs) {
    const parent = noun === "netmon" ? netmon : program.commands.find((one) => one.name() === noun);
    const command = parent
      ?.command(verb)
      .description(description)
      .configureHelp({ showGlobalOptions: false });
    if (verb === "enroll") {
      command
        ?.option("--token <token>", "the token, or - to read it from standard input")
        .option("--token-file <path>", "file that holds the token")
        .option("--force", "take a new identity although there is one");
    } else {
      command?.option("--print-config", "print every setting, its value and where it came from, and end");
    }
    command?.addHelpText("after", `\nEvery setting is a flag too: ${noun} start --print-config lists them.`);
  }
}
