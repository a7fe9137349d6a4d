import { InvalidArgumentError } from "commander";
import { parseDuration } from "../base/quantity.ts";

/** A flag's value by a parser that says what is allowed; what it refuses is a mistyped command line. */
export function checked<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (thrown) {
      const sentence = thrown instanceof Error ? thrown.message : String(thrown);
      throw new InvalidArgumentError(/[.?]$/.test(sentence) ? sentence : `${sentence}.`);
    }
  };
}

/** A flag that may be given often: the list of its values. */
export function collect<T>(parse: (text: string) => T): (text: string, before: T[]) => T[] {
  return (text, before) => [...before, checked(parse)(text)];
}

/** A duration such as `15m`, in milliseconds. */
export const duration = checked(parseDuration);

/** A whole number within a range. */
export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** The value that one of a few words stands for, however it is written. */
export function oneOf<T>(words: Readonly<Record<string, T>>): (text: string) => T {
  return (text) => {
    const found = Object.entries(words).find(
      ([word]) => word === text.trim().toLowerCase().replaceAll("-", "_"),
    );
    if (found) return found[1];
    throw new InvalidArgumentError(`There are ${Object.keys(words).join(", ")}.`);
  };
}
