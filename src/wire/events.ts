import type { Event } from "../../gen/edge/v1/events_pb.ts";

/** The runtime that an event is about, as `ListEventsRequest.runtime` means it; undefined when it is about none. */
export function runtimeOfEvent({ fact }: Event): string | undefined {
  switch (fact.case) {
    case "runtime":
      return fact.value.name;
    case "vnic":
    case "certificate":
    case "device":
      return fact.value.runtime;
    default:
      return undefined;
  }
}
