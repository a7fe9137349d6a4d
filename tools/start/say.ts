/** What a person reads while npm start works: a line for each stage, and below it what is being done. */
export type Say = (sentence: string) => void;

/** Says what comes, does it, and hands it a way to say more. */
export async function stage<T>(title: string, work: (say: Say) => Promise<T>): Promise<T> {
  process.stdout.write(`\n${bold(title)}\n`);
  return await work((sentence) => process.stdout.write(`  ${sentence}\n`));
}

/** Text for a person, in bold where that is a terminal's. */
export function bold(text: string): string {
  return process.stdout.isTTY && !process.env.NO_COLOR ? `\x1b[1m${text}\x1b[0m` : text;
}

/** Something that a person can mend: told as a sentence with what to do, without a stack. */
export class Trouble extends Error {}
