import type { Command, Option } from "commander";

/** What may stand next on a command line. */
export type Next =
  | { is: "known"; candidates: Candidate[] }
  /** The name of something that only a hub or a node knows: `node`, `runtime`; `flags` are the global ones given so far. */
  | { is: "named"; what: string; flags: Record<string, string | boolean> };

export interface Candidate {
  word: string;
  description: string;
}

/** What may stand in place of the last word, which may be empty or only begun; all before it is taken as it stands. */
export function nextOf(program: Command, words: readonly string[]): Next {
  const begun = words.at(-1) ?? "";
  let at = program;
  let operands = 0;
  let awaiting: Option | undefined;
  const flags: Record<string, string | boolean> = {};
  for (const word of words.slice(0, -1)) {
    if (awaiting) {
      if (program.options.includes(awaiting)) flags[awaiting.attributeName()] = word;
      awaiting = undefined;
    } else if (word.startsWith("-")) {
      const option = optionsOf(at).find((one) => one.long === word || one.short === word);
      if (option?.required) awaiting = option;
      else if (option && program.options.includes(option)) flags[option.attributeName()] = true;
    } else {
      const verb = at.commands.find((one) => one.name() === word);
      if (verb) at = verb;
      else operands++;
    }
  }
  if (awaiting) {
    if (awaiting.argChoices) return known(begun, awaiting.argChoices.map(plain));
    return named(wordIn(awaiting.flags), flags);
  }
  if (begun.startsWith("-")) {
    const options = optionsOf(at).map((one) => ({ word: one.long ?? "", description: one.description }));
    return known(begun, [...options, { word: "--help", description: "show help" }]);
  }
  const help = at.createHelp();
  if (at.commands.length > 0) {
    const verbs = help
      .visibleCommands(at)
      .map((one) => ({ word: one.name(), description: one.description() }));
    return known(begun, verbs);
  }
  const argument = at.registeredArguments[operands];
  if (argument?.argChoices) return known(begun, argument.argChoices.map(plain));
  return named(argument?.name() ?? "", flags);
}

/** Candidates that go on as the word has begun. */
export function known(begun: string, candidates: Candidate[]): Next & { is: "known" } {
  return { is: "known", candidates: candidates.filter(({ word }) => word.startsWith(begun)) };
}

function named(what: string, flags: Record<string, string | boolean>): Next {
  return { is: "named", what, flags };
}

/** The options of a command and of all above it. */
function optionsOf(command: Command): Option[] {
  const above = command.parent ? optionsOf(command.parent) : [];
  return [...command.options, ...above].filter((one) => !one.hidden);
}

/** What stands between the angle brackets of `--node <node>`. */
function wordIn(flags: string): string {
  return /<([^>]+)>/.exec(flags)?.[1] ?? "";
}

function plain(word: string): Candidate {
  return { word, description: "" };
}

/**
 * The words as their writer meant them: bash cuts at each `=` and `:`, so that `a=b` comes as three. An empty word after one of
 * them is one that is only about to begin.
 */
export function rejoined(words: readonly string[]): string[] {
  const joined: string[] = [];
  let isOpen = false;
  for (const word of words) {
    const isCut = /^[=:]+$/.test(word);
    if ((isCut || isOpen) && joined.length > 0) joined.push(`${joined.pop()}${word}`);
    else joined.push(word);
    isOpen = isCut;
  }
  return joined;
}
