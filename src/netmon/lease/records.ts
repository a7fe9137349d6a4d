/** One event as udhcpc's script told it: its name, and what was in the environment. */
export interface Told {
  readonly event: string;
  readonly values: ReadonlyMap<string, string>;
}

/** DHCP options are some kilobytes at most; what is longer is not a record. */
const longest = 256 * 1_024;

/** Takes the script's output as it comes, in whatever pieces, and calls `onTold` with each record that is whole. */
export function readRecords(onTold: (told: Told) => void): (text: string) => void {
  let rest = "";
  return (text) => {
    const records = (rest + text).split("\0\0");
    rest = records.pop() ?? "";
    if (rest.length > longest) rest = "";
    for (const record of records) onTold(parse(record));
  };
}

function parse(record: string): Told {
  const [event = "", ...items] = record.split("\0");
  const values = items.map((item): [string, string] => {
    const at = item.indexOf("=");
    return at < 0 ? [item, ""] : [item.slice(0, at), item.slice(at + 1)];
  });
  return { event, values: new Map(values) };
}
