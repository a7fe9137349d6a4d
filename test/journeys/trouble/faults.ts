/** What goes wrong with an engine while others work with it: each fault comes, stays for a while, and is over again. */
import { setTimeout as sleep } from "node:timers/promises";
import type { EngineProxy, Fate } from "../../fakes/engine-proxy.ts";
import type { Chance } from "../../fixtures/chance.ts";
import type { Engine } from "../../fixtures/engine.ts";

export interface Fault {
  /** What goes wrong, in words. */
  name: string;
  /** Lets it go wrong, and is over when it is mended. */
  happen(): Promise<void>;
}

/** How long a fault stays at most, in milliseconds. */
const longestMs = 1200;

/** Every kind of fault once, in an order of chance. */
export function faultsOf(engine: Engine, proxy: EngineProxy, chance: Chance): Fault[] {
  const aWhile = () => sleep(50 + chance.below(longestMs));
  const killed: Fault = {
    name: "the engine is killed, and comes back",
    async happen() {
      await engine.kill9();
      await aWhile();
      await engine.start();
    },
  };
  const stopped: Fault = {
    name: "the engine stands still",
    async happen() {
      await engine.sigstop();
      await aWhile();
      engine.sigcont();
    },
  };
  const onRequests = (fate: Fate, share: number): Fault => ({
    name: `${share === 1 ? "every request" : "some requests"}: ${fate}`,
    async happen() {
      proxy.decide = () => (chance.next() < share ? fate : "pass");
      await aWhile();
      proxy.decide = () => "pass";
    },
  });
  const fates: Fate[] = ["fail-instead", "fail-afterwards", "break-afterwards", "hang"];
  const faults = [killed, stopped, ...fates.flatMap((fate) => [onRequests(fate, 1), onRequests(fate, 0.3)])];
  return faults
    .map((fault) => ({ fault, at: chance.next() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ fault }) => fault);
}
