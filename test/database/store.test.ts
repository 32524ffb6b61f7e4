// The store in a real PostgreSQL: what every store does, who may enter, and what each refusal says.

import { afterAll, beforeAll } from "vitest";
import { describeQueue } from "../study/queue-conformance.ts";
import { describeStore } from "../study/store-conformance.ts";
import { startPostgres, type TestServer } from "./postgres.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.close());

describeStore("PostgreSQL", () => server.createDatabase());
describeQueue("PostgreSQL", () => server.createDatabase());
