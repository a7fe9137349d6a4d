/** What a decision of the node's policy costs. */
import { create } from "@bufbuild/protobuf";
import { AgentSpecSchema } from "../gen/edge/v1/agents_pb.ts";
import { CallerSchema, type ContainerAsk, Door, PolicyTotalsSchema } from "../gen/edge/v1/policy_pb.ts";
import { DeleteRuntimeRequestSchema } from "../gen/edge/v1/runtimes_pb.ts";
import { containerAskOf } from "../src/daemon/policy/container-ask.ts";
import { parsePolicyFile } from "../src/daemon/policy/file.ts";
import { type Case, judge } from "../src/daemon/policy/judge.ts";
import { type Ruleset, rulesetOf } from "../src/daemon/policy/ruleset.ts";
import { median } from "../tools/measure/spread.ts";
import { type Figure, figure, type Section } from "./figures.ts";

const decisions = 5_000;
const rounds = 7;
const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const usual = { profile: "standard", quotas: { max_containers: 10n, max_memory: 512_000_000n } } as const;

export async function measure(): Promise<Section> {
  const spec = create(AgentSpecSchema, {
    name: "poet",
    image: `ghcr.io/acme/poet@${digest}`,
    mounts: [{ nodePath: "/srv/models/small", path: "/models" }],
    network: { allow: [{ host: "api.example.com" }] },
  });
  const container = containerAskOf(spec);
  const totals = create(PolicyTotalsSchema, { containers: 3n, memoryBytes: 3n << 27n });
  const about = {
    caller: create(CallerSchema, { door: Door.HUB, actor: "operator/alice" }),
    totals,
    nowMs: 0,
  };
  const asked: Case = { ...about, asked: { container } };
  const request = create(DeleteRuntimeRequestSchema, { name: "plc1" });
  const command: Case = { ...about, asked: { command: "delete_runtime", request } };

  const listed = 'allow: {images: ["ghcr.io/acme/*"], mounts: [/srv/models], networks: [none, allow-list]}\n';
  const standard = await ruleset(listed);
  const strict = await ruleset(`profile: strict\n${listed}`);
  const twenty = await ruleset(
    `rules:\n${Array.from({ length: 20 }, (_, at) => `  - {id: r${at}, on: command, deny_when: 'command == "delete_runtime" && caller.actor == "operator/x${at}"', message: m}`).join("\n")}\n`,
  );
  const base = perSecond(() => plain(container, 3n));
  const figures: Figure[] = [
    figure(
      "a container, profile standard",
      perSecond(() => judge(standard, asked).length),
      "/s",
      { base },
    ),
    figure(
      "a container, profile strict",
      perSecond(() => judge(strict, asked).length),
      "/s",
      { base },
    ),
    figure(
      "a command, no rules of a file",
      perSecond(() => judge(standard, command).length),
      "/s",
    ),
    figure(
      "a command, 20 rules of a file",
      perSecond(() => judge(twenty, command).length),
      "/s",
    ),
    figure(
      "rules read and compiled, profile strict",
      1_000 / perSecond(() => void rulesetOf(usual), 50),
      "ms",
    ),
  ];
  return {
    title: "Policy",
    how: `${decisions} decisions that allow, one after the other; medians of ${rounds} rounds. The baseline is the standard profile written by hand as code, which no owner of a node could change.`,
    figures,
  };
}

async function ruleset(yaml: string): Promise<Ruleset> {
  return rulesetOf(usual, await parsePolicyFile(yaml, { path: "policy.yaml", what: "the policy" }));
}

function perSecond(work: () => unknown, times = decisions): number {
  const runs = Array.from({ length: rounds }, () => {
    const startedAt = performance.now();
    for (let at = 0; at < times; at++) work();
    return (times * 1_000) / (performance.now() - startedAt);
  });
  return median(runs);
}

/** The same decision without rules. */
function plain({ image, mounts, devices, memoryBytes, network }: ContainerAsk, containers: bigint): string[] {
  const name = `${image?.registry}/${image?.repository}`;
  return [
    /^ghcr\.io\/acme\/[^/]*$/.test(name) ? "" : "image",
    mounts.every(({ nodePath, writable }) => !writable && `${nodePath}/`.startsWith("/srv/models/"))
      ? ""
      : "mount",
    devices.length === 0 ? "" : "device",
    memoryBytes <= 512_000_000n ? "" : "memory",
    containers + 1n <= 10n ? "" : "containers",
    network === "none" || network === "allow-list" ? "" : "network",
  ].filter((one) => one !== "");
}
