/** Numbers as a reader wants them: medians of pairs, ratios to a baseline of the same run. */

/** One row of results: what was measured, against what, and what was hoped for. */
export interface Figure {
  what: string;
  /** The measured value with its unit. */
  measured: string;
  /** The baseline of the same run with its unit; empty when there is none. */
  baseline: string;
  /** Measured over baseline, as `1.8x`; empty without a baseline. */
  ratio: string;
  /** The aim, as in issue or design; empty when none was set. */
  aim: string;
}

export interface Section {
  title: string;
  /** How it was measured, in one or two sentences. */
  how: string;
  figures: Figure[];
}

/** Makes a figure; `value` and `base` share a unit. */
export function figure(
  what: string,
  value: number,
  unit: string,
  { base, baseUnit = unit, aim = "" }: { base?: number; baseUnit?: string; aim?: string } = {},
): Figure {
  return {
    what,
    measured: `${round(value)} ${unit}`,
    baseline: base === undefined ? "" : `${round(base)} ${baseUnit}`,
    ratio: base === undefined || unit !== baseUnit ? "" : `${round(value / base)}x`,
    aim,
  };
}

function round(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3).replace(/\.?0+$/, "");
}

/** A section as Markdown; `where` says when and on what it was measured. */
export function sectionText({ title, how, figures }: Section, where: string): string {
  const rows = figures.map(
    ({ what, measured, baseline, ratio, aim }) =>
      `| ${what} | ${measured} | ${baseline} | ${ratio} | ${aim} |`,
  );
  const head = ["| what | measured | baseline | ratio | aim |", "| --- | ---: | ---: | ---: | --- |"];
  return [`## ${title}`, "", how, "", where, "", ...head, ...rows, ""].join("\n");
}
