import { Command } from "commander";
import { version } from "../wire/version.ts";
import { defineAgent } from "./agent.ts";
import { defineApply, defineDiff } from "./apply.ts";
import { defineAudit } from "./audit.ts";
import { defineCommand } from "./command.ts";
import { defineCompletion } from "./completion.ts";
import { defineCredential } from "./credential.ts";
import { defineDaemon } from "./daemon.ts";
import { defineDoctor } from "./doctor.ts";
import { defineEvents } from "./events.ts";
import { defineExport } from "./export.ts";
import { duration } from "./flags.ts";
import { defineGroup } from "./group.ts";
import { defineHub } from "./hub.ts";
import { defineLlm } from "./llm.ts";
import { defineMemory } from "./memory.ts";
import { defineNetwork } from "./network.ts";
import { defineNode } from "./node.ts";
import { definePlc } from "./plc.ts";
import { definePolicy } from "./policy.ts";
import { definePrograms } from "./programs.ts";
import { defineRollout } from "./rollout.ts";
import type { Run } from "./run.ts";
import { defineRuntime } from "./runtime.ts";
import { defineSession } from "./session.ts";
import { defineSupportBundle } from "./support-bundle.ts";
import { defineTask } from "./task.ts";
import { defineTopic } from "./topic.ts";
import { defineWhy } from "./why.ts";

/** Every noun, what it is, and who defines its verbs. */
const nouns = [
  ["hub", "the cloud control plane: tokens for nodes and operators", defineHub],
  ["daemon", "the program that runs on a node", defineDaemon],
  ["node", "the machines of the fleet", defineNode],
  ["network", "the network of this machine, as netmon sees it", defineNetwork],
  ["runtime", "long-lived containers on a node, such as a soft PLC", defineRuntime],
  ["plc", "the program in an OpenPLC runtime: upload, start, stop", definePlc],
  ["agent", "sandboxed programs, deployed from a manifest", defineAgent],
  ["task", "executions of agents", defineTask],
  ["credential", "secrets that a node keeps, and lends to agents", defineCredential],
  ["llm", "language models of agents, and what they used of them", defineLlm],
  ["session", "the context of conversations with agents", defineSession],
  ["memory", "what agents keep between tasks", defineMemory],
  ["topic", "messages of agents and of the node, by publish and subscribe", defineTopic],
  ["policy", "what a node's owner allows, whoever asks", definePolicy],
  ["audit", "who asked a node for what, and what came of it", defineAudit],
  ["group", "selectors with a name", defineGroup],
  ["rollout", "wishes on their way to many nodes, a batch at a time", defineRollout],
  ["command", "what was asked of a node, and what became of it", defineCommand],
  ["events", "what happened, whoever caused it", defineEvents],
] as const;

/** The whole command line as a tree. It never ends the process: what is wrong with a command line is thrown. */
export function defineProgram(run: Run): Command {
  const program = new Command("orchestrator")
    .description(
      "Runs vPLC runtimes and sandboxed agents on machines at the edge, under a hub's orchestration.",
    )
    .version(version, "-V, --version", "print the version")
    .option("--json", "print for programs: protobuf's JSON, every field")
    .option("--hub <url>", "the hub's API, as in https://hub.example.com:7444")
    .option("--token-file <path>", "file that holds an operator token")
    .option("--ca-file <path>", "file with the hub's CA certificate")
    .option("--node <node>", "the node that is meant: an id, the beginning of one, or a host name")
    .option("--local", "ask the daemon of this machine instead of a hub")
    .option("--socket <path>", "the daemon's socket; means --local")
    .option("--timeout <duration>", "give up after this long, as in 30s", duration)
    .option("--config <path>", "settings file")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: run.terminal.out, writeErr: run.terminal.err })
    .showHelpAfterError("(--help shows what there is)")
    .exitOverride();
  for (const [name, description, define] of nouns) {
    define(program.command(name).description(description).helpCommand(false), run);
  }
  defineApply(program, run);
  defineDiff(program, run);
  defineExport(program, run);
  defineWhy(program, run);
  defineDoctor(program, run);
  defineSupportBundle(program, run);
  definePrograms(program);
  defineCompletion(program, run);
  return program;
}
