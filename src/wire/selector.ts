import type { Label } from "../../gen/edge/v1/runtimes_pb.ts";

/** A label as whoever selects by it knows it. */
type Named = Pick<Label, "key" | "value">;

/** Whether labels hold all of a selector's, with their values. An empty selector selects everything. */
export function isSelected(labels: readonly Named[], selector: readonly Named[]): boolean {
  return selector.every(({ key, value }) => labels.some((one) => one.key === key && one.value === value));
}
