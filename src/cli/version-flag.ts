/** Verbs that are about a version of an agent, and their flag for it. */
const flagOf: Readonly<Record<string, string>> = {
  "agent rollback": "--to",
  "task execute": "--agent-version",
};

/**
 * A command line whose `--version` is what its writer meant: behind these verbs that of the agent. Everywhere else it asks for the
 * program's own, which would be printed here, too, with nothing done and nothing said.
 */
export function withVersionMeant(args: readonly string[]): readonly string[] {
  const at = args.findIndex((word, index) => `${args[index - 1]} ${word}` in flagOf);
  const flag = flagOf[`${args[at - 1]} ${args[at]}`];
  if (flag === undefined) return args;
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  return args.map((word, index) =>
    index > at && index < end ? word.replace(/^--version(?==|$)/, flag) : word,
  );
}
