import type { Observed } from "../engine/index.ts";
import { isLeftPlugged } from "./lan.ts";
import { news } from "./news.ts";
import { plan, planSweep, theContainer } from "./plan.ts";
import { isProbationToDo } from "./probation.ts";
import { groundOf, situationOf } from "./situation.ts";
import type { Tended } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** Whether what was seen of a runtime asks for a round: something is new, or not as wished. */
export function isToDo(tools: Tools, tended: Tended, observed: Observed): boolean {
  const { name, causes } = tended;
  const { store, network } = tools;
  const wish = store.get(name);
  if (wish) {
    const seen = theContainer(wish, observed, groundOf(tools));
    const { changes } = news(wish, seen, causes);
    if (isProbationToDo(tools, tended, wish, seen)) return true;
    return changes.length > 0 || plan(wish, observed, situationOf(tools, tended, wish, seen)).length > 0;
  }
  const ended = store.lastEndOf(name);
  const isLate = ended !== undefined && planSweep(ended, observed).length > 0;
  return isLate || isLeftPlugged(network.netmon, name);
}
