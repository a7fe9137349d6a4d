import { Argument, type Command } from "commander";
import { RolloutState } from "../../gen/edge/v1/rollouts_pb.ts";
import { RuntimePhase } from "../../gen/edge/v1/runtimes_pb.ts";
import { TaskState } from "../../gen/edge/v1/tasks_pb.ts";
import { word } from "./answer.ts";
import { type Candidate, known, nextOf, rejoined } from "./candidates.ts";
import { type Door, withDoor } from "./door.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import { findTarget } from "./target.ts";
import { vnicWords } from "./vnic-flag.ts";

/** A person who presses Tab does not wait longer for a hub that does not answer, in milliseconds. */
const patienceMs = 1000;

/**
 * What each shell is told once. All ask the program itself at each Tab, so that nothing in them grows old. The words never
 * pass through `eval`.
 */
const scripts = {
  bash: `# orchestrator completion for bash: put  source <(orchestrator completion bash)  into ~/.bashrc
_orchestrator() {
  local candidates word=\${COMP_WORDS[COMP_CWORD]} typed=\${COMP_LINE:0:COMP_POINT}
  mapfile -t candidates < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=("\${candidates[@]%%$'\\t'*}")
  # Bash cuts words at each = and :, and wants only what is behind the last.
  case $word in [=:]) word= ;; esac
  typed=\${typed##*[[:space:]]}
  COMPREPLY=("\${COMPREPLY[@]#"\${typed%"$word"}"}")
  case \${COMPREPLY[0]-} in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -o default -F _orchestrator orchestrator
`,
  zsh: `#compdef orchestrator
# orchestrator completion for zsh: put  source <(orchestrator completion zsh)  into ~/.zshrc, after compinit
_orchestrator() {
  local -a candidates
  candidates=("\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  candidates=("\${(@)candidates:#}")
  candidates=("\${(@)candidates//:/\\\\:}")
  candidates=("\${(@)candidates/$'\\t'/:}")
  _describe orchestrator candidates || _files
}
compdef _orchestrator orchestrator
`,
  fish: `# orchestrator completion for fish: orchestrator completion fish > ~/.config/fish/completions/orchestrator.fish
complete -c orchestrator -f -a '(orchestrator complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
} as const;

type Ask = (run: Run, door: Door, begun: string) => Promise<Candidate[]>;

const runtime: Ask = async (run, door) => {
  const target = await findTarget(run, door);
  const { runtimes } = await door.ask("listRuntimes", {}, { nodeId: target?.id, timeoutMs: patienceMs });
  return runtimes.map(({ spec, phase }) => ({
    word: spec?.name ?? "",
    description: word(RuntimePhase, phase),
  }));
};

const agent: Ask = async (run, door) => {
  const target = await findTarget(run, door);
  const { agents } = await door.ask("listAgents", {}, { nodeId: target?.id, timeoutMs: patienceMs });
  return agents.map(({ name, current }) => ({ word: name, description: current?.spec?.description ?? "" }));
};

/** What only a hub or a node knows, by the word that stands for it in the help. */
const named: Record<string, Ask> = {
  runtime,
  agent,
  async workload(...asked) {
    const all = await Promise.all([runtime, agent].map((ask) => ask(...asked).catch(() => [])));
    return all.flat();
  },
  async node({ signal }, door) {
    const { nodes } = await door.fleet.listNodes({}, { signal, timeoutMs: patienceMs });
    return nodes.map(({ id, hostName }) => ({ word: id, description: hostName }));
  },
  async rollout({ signal }, door) {
    const { rollouts } = await door.rollouts.listRollouts({}, { signal, timeoutMs: patienceMs });
    return rollouts.map(({ id, state }) => ({ word: id, description: word(RolloutState, state) }));
  },
  async "node-group"({ signal }, door) {
    const { groups } = await door.groups.listGroups({}, { signal, timeoutMs: patienceMs });
    return groups.map(({ name, selector }) => ({ word: name, description: selector }));
  },
  async credential(run, door) {
    const target = await findTarget(run, door);
    const { credentials } = await door.ask(
      "listCredentials",
      {},
      { nodeId: target?.id, timeoutMs: patienceMs },
    );
    return credentials.map(({ name, description }) => ({ word: name, description }));
  },
  async task(run, door) {
    const target = await findTarget(run, door);
    const newest = { agent: "", states: [], parentId: "", limit: 50, beforeId: "" };
    const { tasks } = await door.ask("listTasks", newest, { nodeId: target?.id, timeoutMs: patienceMs });
    return tasks.map(({ id, agent, state }) => ({
      word: id,
      description: `${agent} ${word(TaskState, state)}`,
    }));
  },
  async session(run, door) {
    const target = await findTarget(run, door);
    const newest = { agent: "", owner: "", states: [], limit: 50 };
    const { sessions } = await door.ask("listSessions", newest, {
      nodeId: target?.id,
      timeoutMs: patienceMs,
    });
    return sessions.map(({ id, agent, title }) => ({ word: id, description: `${agent} ${title}` }));
  },
  async group(run, door) {
    const target = await findTarget(run, door);
    const { groups } = await door.ask("listMemoryGroups", {}, { nodeId: target?.id, timeoutMs: patienceMs });
    return groups.map(({ name, entries }) => ({ word: name, description: `${entries} memories` }));
  },
  async vnic(run, door, begun) {
    const [, before, part = ""] = /^(.*,)([^,]*)$/.exec(begun) ?? [];
    if (before === undefined) return []; // Its name is for the person to choose.
    if (!part.startsWith("parent=")) return vnicWords.map((one) => ({ word: before + one, description: "" }));
    const target = await findTarget(run, door);
    const { interfaces } = await door.ask("getInterfaces", {}, { nodeId: target?.id, timeoutMs: patienceMs });
    return interfaces.map(({ name, kind, addresses }) => ({
      word: `${before}parent=${name}`,
      description: [kind, ...addresses].join(" "),
    }));
  },
};

/** `orchestrator completion <shell>`, and the hidden `complete`, which the shells call. */
export function defineCompletion(program: Command, run: Run): void {
  program
    .command("completion")
    .description("print what makes a shell complete our command lines")
    .addArgument(new Argument("<shell>", "your shell").choices(Object.keys(scripts)))
    .action((shell: keyof typeof scripts) => run.terminal.out(scripts[shell]));

  program
    .command("complete", { hidden: true })
    .argument("[words...]")
    .action(async (words: string[]) => {
      const candidates = await complete(program, words, run);
      const lines = candidates.map(
        ({ word, description }) => `${printable(word)}\t${printable(description)}\n`,
      );
      run.terminal.out(lines.join(""));
    });
}

/** A failure is no candidates: at a Tab there is nobody to tell. */
async function complete(program: Command, given: string[], run: Run): Promise<Candidate[]> {
  const words = rejoined(given);
  const begun = words.at(-1) ?? "";
  const next = nextOf(program, words);
  if (next.is === "known") return next.candidates;
  const ask = named[next.what];
  if (!ask) return [];
  const signal = AbortSignal.any([run.signal, AbortSignal.timeout(patienceMs)]);
  const asking: Run = { ...run, signal, flags: next.flags };
  const all = await withDoor(asking, (door) => ask(asking, door, begun)).catch(() => []);
  return known(begun, all).candidates;
}
