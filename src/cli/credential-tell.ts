import type { Credential, SetCredentialResponse } from "../../gen/edge/v1/credentials_pb.ts";
import { ago, moment } from "./answer.ts";
import type { Run } from "./run.ts";
import { rows } from "./table.ts";

/** Secrets as a table for people: all that is known of them, which is never a value. */
export function tableOfCredentials(credentials: readonly Credential[], { terminal, clock }: Run): string {
  const now = clock.now();
  return rows(
    terminal,
    ["NAME", "REVISION", "CHANGED", "EXPIRES", "USES", "LAST USED", "AGENTS", "DESCRIPTION"],
    credentials.map(({ name, revision, updatedAt, expiresAt, uses, usedAt, agents, description }) => [
      ...[name, String(revision), ago(updatedAt, now), moment(expiresAt), String(uses), ago(usedAt, now)],
      ...[agents.join(","), description],
    ]),
    "no credentials",
  );
}

/** What became of a value that was set. */
export function setInWords({ credential }: SetCredentialResponse): string {
  if (!credential) return "";
  const { name, revision, expiresAt } = credential;
  const is = revision === 1 ? "is kept" : `has a new value, its revision ${revision}`;
  return `credential ${name} ${is}${expiresAt ? `, and is lent until ${moment(expiresAt)}` : ""}\n`;
}
