import { create } from "@bufbuild/protobuf";
import {
  type ListEventsRequest,
  type ListEventsResponse,
  ListEventsResponseSchema,
} from "../../../gen/edge/v1/events_pb.ts";
import { failure } from "../../base/failure.ts";
import type { Journal } from "./journal.ts";

/** Events of the journal. @throws {Failure} unavailable: the state file cannot be read. */
export async function listEvents(
  { journal }: { journal: Journal },
  request: ListEventsRequest,
): Promise<ListEventsResponse> {
  try {
    const events = journal.history(request);
    return create(ListEventsResponseSchema, { events, lastSequence: BigInt(journal.lastSequence) });
  } catch (cause) {
    throw failure("unavailable", "the journal cannot be read: look at the disk of the state file", { cause });
  }
}
