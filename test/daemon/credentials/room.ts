/** The rooms of secrets on a state file of their own, and what they told. */
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type AgentSpec, AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { ListAuditRequestSchema } from "../../../gen/edge/v1/audit_pb.ts";
import { SetCredentialRequestSchema } from "../../../gen/edge/v1/credentials_pb.ts";
import type { Clock } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { newId } from "../../../src/base/ids.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { seal } from "../../../src/cli/seal.ts";
import { Audit, schema as auditSchema } from "../../../src/daemon/audit/index.ts";
import { CredentialsRoom, credentialsSchema, keySettingsOf } from "../../../src/daemon/credentials/index.ts";
import { Gateway, gatewaySchema } from "../../../src/daemon/gateway/index.ts";
import type { LlmProvider } from "../../../src/daemon/gateway/llm-settings.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";

export interface SecretsOptions {
  folder: string;
  clock?: Clock;
  lentFolder?: string;
  providers?: LlmProvider[];
  extraCa?: string[];
  /** Manifests of agents, by name. */
  agents?: Record<string, AgentSpec>;
}

/** Opens them; the same folder again is the next life of the same daemon. */
export function openSecrets({ folder, clock = systemClock, agents = {}, ...options }: SecretsOptions) {
  const schemas = [journalSchema, auditSchema, credentialsSchema, gatewaySchema];
  const sql = Sql.open(join(folder, "daemon.db"), schemas, clock.now);
  const journal = Journal.open(sql, { now: clock.now });
  const log = openLog({ program: "test", level: "silent", format: "json" });
  const audit = Audit.open({ sql, journal, clock, log, keyPem: () => undefined });
  const config = {
    ...{ "credentials.key_source": "file" as const, "credentials.key_file": undefined },
    ...{ "credentials.passphrase_file": undefined, "credentials.systemd_folder": undefined },
    ...{
      "credentials.lent_folder": options.lentFolder ?? "/proc/orchestrator-secrets",
      "credentials.ca_file": undefined,
    },
  };
  const parts = { sql, journal, audit, clock, log };
  const room = CredentialsRoom.open({
    ...{
      ...parts,
      folder: join(folder, "vault"),
      keys: keySettingsOf(config, folder),
      instanceId: "instance",
    },
    lentFolder: config["credentials.lent_folder"],
    agentsOf: (name) =>
      Object.values(agents)
        .filter((one) => one.credentials.some((it) => it.name === name))
        .map((one) => one.name),
  });
  const gateway = Gateway.open({
    ...{ ...parts, credentials: room.credentials, extraCa: options.extraCa ?? [] },
    providers: () => options.providers ?? [],
    specOf: ({ agent }) => agents[agent],
    currentOf: (agent) => agents[agent],
  });
  const { credentials, lending } = room;
  return {
    ...{ sql, journal, credentials, lending, gateway, room },
    /** Seals a value as the CLI does, and sets it. */
    async set(name: string, value: string, init: { expiresAtMs?: number; id?: string } = {}) {
      const { jwk = "" } = await credentials.sealingKey();
      const { expiresAtMs, id = newId("cmd") } = init;
      const end =
        expiresAtMs === undefined
          ? {}
          : {
              expiresAt: {
                seconds: BigInt(Math.floor(expiresAtMs / 1000)),
                nanos: (expiresAtMs % 1000) * 1e6,
              },
            };
      const sealed = await seal(Buffer.from(value), name, jwk);
      return await credentials.set(create(SetCredentialRequestSchema, { name, sealed, ...end }), { id });
    },
    /** What the audit trail says: action, subject, outcome, detail. */
    async audited() {
      const request = create(ListAuditRequestSchema, { limit: 1000 });
      const { entries } = await audit.list(request, AbortSignal.timeout(10_000));
      return entries.map(
        ({ action, subject, outcome, detail }) => `${action} ${subject} ${outcome}: ${detail}`,
      );
    },
    /** The facts of the journal. */
    facts: () =>
      journal
        .history({ afterSequence: 0n, limit: 1000, runtime: "", agent: "" })
        .flatMap(({ event }) => event?.fact ?? []),
    [Symbol.dispose]() {
      gateway[Symbol.dispose]();
      room[Symbol.dispose]();
      sql[Symbol.dispose]();
    },
  };
}

/** A manifest, as it is given. */
export function agent(init: Parameters<typeof create<typeof AgentSpecSchema>>[1]): AgentSpec {
  return create(AgentSpecSchema, { image: "none", ...init });
}
