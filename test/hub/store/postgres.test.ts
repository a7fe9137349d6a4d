import { after } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { PostgresStore } from "../../../src/hub/store/index.ts";
import { startPostgres } from "../../fixtures/postgres.ts";
import { factsSchema, storeSuite } from "./store.suite.ts";

const postgres = await startPostgres();
after(() => postgres[Symbol.asyncDispose]());

const open = (url: string, schemas = [factsSchema], more = {}) =>
  PostgresStore.open({ url, schemas, clock: systemClock, connections: 5, random: Math.random, ...more });

storeSuite("PostgreSQL", async () => {
  const url = await postgres.newDatabase();
  return { open: () => open(url), [Symbol.asyncDispose]: async () => {} };
});
