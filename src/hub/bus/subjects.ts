/** Whether a subject is one that a pattern means: `*` is one word, `>` at the end one or more. */
export function matches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const words = subject.split(".");
  for (const [at, want] of wanted.entries()) {
    if (want === ">") return words.length > at;
    if (at >= words.length || (want !== "*" && want !== words[at])) return false;
  }
  return words.length === wanted.length;
}

/** @throws {Error} a defect of the caller: subjects are made of ids and words, which hold nothing else. */
export function mustBeSubject(subject: string, { wildcards = false } = {}): void {
  const words = subject.split(".");
  const isGood = (word: string, at: number) =>
    /^[A-Za-z0-9_-]+$/.test(word) ||
    (wildcards && (word === "*" || (word === ">" && at === words.length - 1)));
  if (!words.every(isGood)) throw new Error(`${subject} is no subject of a bus`);
}
