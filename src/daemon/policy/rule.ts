/** One rule, as the profiles and the owner's file write it. */
export interface Rule {
  id: string;
  /** What it judges. */
  on: "command" | "container";
  /** A CEL expression that is true when it denies. */
  denyWhen: string;
  /** The field that it is about, as in `spec.image`; empty for the whole. */
  field: string;
  /** A CEL expression for the value that a denial tells; empty when it tells none. */
  value: string;
  /** The sentence that it denies with, which ends with the next step. */
  message: string;
}

/** The lists of what is allowed, which rules reach as `allow`. */
export const allowNames = [
  "images",
  "mounts",
  "writable_mounts",
  "devices",
  "capabilities",
  "networks",
] as const;
export type AllowName = (typeof allowNames)[number];
export type Allow = Readonly<Record<AllowName, readonly string[]>>;

/** The quotas, which rules reach as `quotas`; 0 is none. Those that count bytes are written as sizes. */
export const quotaNames = [
  "max_containers",
  "max_memory",
  "max_total_memory",
  "max_containers_per_agent",
  "max_containers_per_tenant",
  "max_memory_per_tenant",
  "max_runtimes",
] as const;
export type QuotaName = (typeof quotaNames)[number];
export type Quotas = Readonly<Record<QuotaName, bigint>>;
