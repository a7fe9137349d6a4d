/**
 * Topics and the patterns that name them. A topic is parts with dots between; in a pattern `*` stands for one part, and `>` at
 * the end for all that follow, of which there is one at least.
 */

/** First parts that are nobody's to publish to: the node's facts, and what the tasks of one tree tell each other. */
export const ownFirstParts = { node: "node", tree: "tree" } as const;

/** Where the tasks of a tree tell each other. */
export function treeTopic(rootId: string): string {
  return `${ownFirstParts.tree}.${rootId}`;
}

/**
 * Whether a pattern names a topic. What a tree tells is named by patterns that say so only: neither `>` nor `*` at the
 * beginning is meant for another's conversations.
 */
export function matches(pattern: string, topic: string): boolean {
  return matcherOf(pattern)(topic.split("."));
}

/** The same for many topics, which come taken apart. */
export function matcherOf(pattern: string): (topic: readonly string[]) => boolean {
  const parts = pattern.split(".");
  const isOpen = parts.at(-1) === ">";
  if (isOpen) parts.pop();
  const [first] = parts;
  return (topic) => {
    if (isOpen ? topic.length <= parts.length : topic.length !== parts.length) return false;
    if (topic[0] === ownFirstParts.tree && first !== ownFirstParts.tree) return false;
    return parts.every((part, index) => part === "*" || part === topic[index]);
  };
}

/** Whether every topic that `wanted` names is named by `allowed`, too. */
export function covers(allowed: string, wanted: string): boolean {
  const may = allowed.split(".");
  const want = wanted.split(".");
  for (const [index, part] of may.entries()) {
    const asked = want[index];
    if (asked === undefined) return false;
    if (part === ">") return true;
    if (asked === ">" || (part !== "*" && part !== asked)) return false;
  }
  return want.length === may.length;
}
