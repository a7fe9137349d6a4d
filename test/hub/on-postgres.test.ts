/** The hub's rooms once more, on PostgreSQL: all that they promise on SQLite, with one server for all. */
import { after } from "node:test";
import { startPostgres } from "../fixtures/postgres.ts";
import { keepStoresIn } from "../fixtures/stores.ts";

// What a power cut leaves is tried elsewhere.
const postgres = await startPostgres(["-c", "synchronous_commit=off"]);
after(() => postgres[Symbol.asyncDispose]());
keepStoresIn(postgres);

await import("./api/enrolment.test.ts");
await import("./commands/commands.test.ts");
await import("./commands/room.test.ts");
await import("./fleet/fleet.test.ts");
await import("./fleet/labels.test.ts");
await import("./operators/operators.test.ts");
await import("./reports/reports.test.ts");
await import("./rollouts/rollouts.test.ts");
