import type { Facts } from "./facts.ts";
import { type Check, fail, ok, unknown, type Verdict, warn } from "./finding.ts";

/** What keeps and lends secrets; and, if somebody asked, whether language models are there. */
export function secretChecks({ providers }: Facts): Check[] {
  const asked: Check[] = providers
    ? [{ id: "providers", why: "agents reach their language models there", judge: judgeProviders }]
    : [];
  return [
    { id: "vault", why: "it keeps the secrets of agents, under a key from elsewhere", judge: judgeVault },
    { id: "lending", why: "agents see secrets as files in memory, never on a disk", judge: judgeLending },
    ...asked,
  ];
}

const places: Readonly<Record<string, string>> = {
  file: "a file: whoever copies the disk has both; passphrase, systemd or tpm keep them apart",
  passphrase: "a passphrase",
  systemd: "a credential of systemd",
  tpm: "this machine's TPM",
};

function judgeVault({ vault }: Facts): Verdict {
  if (vault.is === "unknown") {
    return vault.isDenied
      ? unknown(vault.problem)
      : fail(vault.problem, "docs/credentials.md tells what to do");
  }
  const { keySource, thumbprint } = vault.value;
  return ok(
    `it is open; its key is from ${places[keySource] ?? keySource}; values are sealed to ${thumbprint}`,
  );
}

function judgeLending({ vault, swap }: Facts): Verdict {
  if (vault.is === "unknown") return unknown(vault.problem, "mend what comes before it");
  const { lendingProblem } = vault.value;
  if (lendingProblem !== "")
    return warn(lendingProblem, "only agents that are lent secrets as files need it");
  if (swap.is === "known" && swap.value.length > 0) {
    const next = "mount the lent folder with noswap, encrypt the swap, or turn it off";
    return warn(`secrets can be lent, and the kernel may swap to ${swap.value.join(", ")}`, next);
  }
  return ok("secrets can be lent, from memory");
}

function judgeProviders({ providers }: Facts): Verdict {
  if (!providers || providers.is === "unknown") return unknown(providers?.problem ?? "nobody asked");
  const away = providers.value.filter(({ problem }) => problem !== "");
  if (away.length === 0)
    return ok(providers.value.map(({ url }) => url).join(", ") || "llm_providers names none");
  return fail(
    away.map(({ url, problem }) => `${url}: ${problem}`).join("; "),
    "check the address, and whether it is up",
  );
}
