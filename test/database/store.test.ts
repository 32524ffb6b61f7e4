// The store in a real PostgreSQL: what every store does, who may enter, and what each refusal says.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { openStore } from "../../src/study/store/store.ts";
import { describeQueue } from "../study/queue-conformance.ts";
import { makeRow } from "../study/rows.ts";
import { describeStore } from "../study/store-conformance.ts";
import { startPostgres, type TestServer } from "./postgres.ts";
import { start } from "./processes.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-database-"));
let server: TestServer;
beforeAll(async () => {
  // The user kbit comes in freely, everybody else with a password.
  server = await startPostgres({ access: "host all kbit all trust\nhost all all all scram-sha-256\n" });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describeStore("PostgreSQL", () => server.createDatabase());
describeQueue("PostgreSQL", () => server.createDatabase());

const secret = "s3cret of ada";

/** An address of a new database for the user ada, who has a password. */
async function admitAda(): Promise<{ address: string; name: string }> {
  const open = await server.createDatabase();
  const client = new pg.Client(open);
  await client.connect();
  await client.query(
    `do $$ begin create role ada login password '${secret}'; exception when duplicate_object then null; end $$`,
  );
  await client.query("grant all on schema public to ada");
  await client.end();
  return { address: open.replace("kbit@", "ada@"), name: open.replace("kbit@", "ada@") };
}

const refusal = async (address: string) => {
  const error = await openStore(address).then(
    (store) => store.close(),
    (error) => error,
  );
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).not.toContain(secret);
  return error.message as string;
};

describe("a password", () => {
  test("comes from the address, the environment or the password file, and stands in no name", async () => {
    const { address, name } = await admitAda();
    const enter = async (way: string) => {
      const store = await openStore(way);
      expect(store.path).toBe(name);
      await store.close();
    };
    await enter(address.replace("ada@", `ada:${encodeURIComponent(secret)}@`));
    await enter(`${address}?password=${encodeURIComponent(secret)}`);
    vi.stubEnv("PGPASSWORD", secret);
    await enter(address);
    vi.stubEnv("PGPASSWORD", "");
    const file = join(folder, "pgpass");
    writeFileSync(file, `# of ada\nelsewhere:*:*:ada:no\n127.0.0.1:${server.port}:*:ada:${secret}\n`, { mode: 0o600 });
    vi.stubEnv("PGPASSFILE", file);
    await enter(address);
    chmodSync(file, 0o644);
    expect(await refusal(address)).toMatch(/^Others may read the password file .*pgpass; allow it to you alone/);
    const { port, pathname } = new URL(address);
    for (const [variable, value] of Object.entries({
      PGHOST: "127.0.0.1",
      PGPORT: port,
      PGUSER: "ada",
      PGDATABASE: pathname.slice(1),
      PGPASSWORD: secret,
    }))
      vi.stubEnv(variable, value);
    await enter("postgres://");
  });

  test("that is wrong or missing is refused in a sentence", async () => {
    const { address, name } = await admitAda();
    vi.stubEnv("PGPASSFILE", join(folder, "none"));
    const wrong = `The store ${name} cannot be used: the password is wrong or missing; give it in PGPASSWORD or the password file.`;
    expect(await refusal(address)).toBe(wrong);
    expect(await refusal(address.replace("ada@", "ada:wrong@"))).toBe(wrong);
  });

  test("appears in nothing that a command says, whether it succeeds or fails", async () => {
    const { address } = await admitAda();
    const told = address.replace("ada@", `ada:${encodeURIComponent(secret)}@`);
    const commands = [
      ["study", "status", "--db", told],
      ["study", "show", "--json", "--db", told],
      ["study", "failures", "--json", "--db", told.replace(/test_\d+/, "nowhere")],
      ["worker", "--db", told, "--models", folder, "--until-done", "--log", "json"],
    ].map((args) => start(args));
    const said = await Promise.all(commands.map(async ({ ended, output }) => `${await ended} ${output()}`));
    expect(said.map((text) => text[0])).toEqual(["0", "0", "2", "0"]);
    for (const text of said) expect(text).not.toMatch(/s3cret/);
  });
});

describe("what cannot be entered is refused in a sentence:", () => {
  test("another port, host, database, user, parameter", async () => {
    const address = await server.createDatabase();
    expect(await refusal(address.replace(/:\d+\//, ":1/"))).toMatch(
      /cannot be used: nothing listens there; check host/,
    );
    expect(await refusal(address.replace(/test_\d+/, "nowhere"))).toMatch(
      /nowhere cannot be used: there is no such database/,
    );
    expect(await refusal(address.replace("127.0.0.1", "no-such-host.invalid"))).toMatch(
      /no such host|cannot be looked up/,
    );
    expect(await refusal(`${address}?sslmod=require`)).toMatch(
      /parameter sslmod that is not known; did you mean sslmode\?/,
    );
    expect(await refusal(`${address}?sslmode=always`)).toMatch(/sslmode always .* expected one of disable, allow/);
    expect(await refusal("postgres://ada:s3cret%@host/x")).toMatch(/holds a % that is no %XX/);
    expect(await refusal("postgres://ada:s3cret@host:none/x")).toBe(
      "The address of the database cannot be read; expected postgres://USER@HOST:PORT/DATABASE, special characters as %XX.",
    );
  });

  test("no TLS where it is asked for; where it is only preferred, the connection is plain", async () => {
    const address = await server.createDatabase();
    expect(await refusal(`${address}?sslmode=require`)).toMatch(/cannot be used: it has no TLS; say sslmode=disable/);
    await (await openStore(`${address}?sslmode=prefer`)).close();
  });

  test("a certificate that is not that of the host, where it is looked at", async () => {
    const tls = fileURLToPath(new URL("./tls", import.meta.url));
    const secure = await startPostgres({ tls, access: "hostssl all all all trust\n" });
    try {
      const address = await secure.createDatabase(true);
      const named = address.replace("127.0.0.1", "localhost");
      const root = `&sslrootcert=${encodeURIComponent(join(tls, "server.crt"))}`;
      const enter = async (way: string) => (await openStore(way)).close();
      await enter(address); // preferred
      await enter(`${address}?sslmode=require`);
      await enter(`${address}?sslmode=verify-ca${root}`);
      await enter(`${named}?sslmode=verify-full${root}`);
      expect(await refusal(`${address}?sslmode=disable`)).toMatch(/this user may not enter from here/);
      for (const way of [`${address}?sslmode=verify-full${root}`, `${named}?sslmode=verify-full`])
        expect(await refusal(way)).toMatch(/its certificate is not trusted; name the root with sslrootcert/);
      expect(await refusal(`${named}?sslmode=verify-ca&sslrootcert=/no/root.crt`)).toMatch(
        /certificate \/no\/root\.crt .* cannot be read/,
      );
    } finally {
      await secure.close();
    }
  });

  test("a server of an older PostgreSQL", async () => {
    const old = await startServerOfVersion(110022);
    try {
      expect(await refusal(`postgres://ada@127.0.0.1:${old.port}/x?sslmode=disable`)).toBe(
        `The database postgres://ada@127.0.0.1:${old.port}/x is PostgreSQL 11; kbit needs 12 or newer.`,
      );
    } finally {
      old.close();
    }
  });

  test("tables of another program, and a newer version", async () => {
    const address = await server.createDatabase();
    const client = new pg.Client(address);
    await client.connect();
    await client.query("create table albums (title text)");
    expect(await refusal(address)).toMatch(/was not made by kbit \(it holds a table albums\)/);
    await client.query("drop table albums");
    await (await openStore(address)).close();
    await client.query("insert into kbit_schema values (1000, '2030-01-01')");
    await client.end();
    expect(await refusal(address)).toMatch(/has schema version 1000, this kbit knows versions up to \d+; update kbit/);
  });
});

/** Says of PostgreSQL's protocol only what a server says that lets everyone in and is asked for its version. */
async function startServerOfVersion(version: number): Promise<{ port: number; close(): void }> {
  const message = (type: string, ...parts: (Buffer | string)[]) => {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
    const head = Buffer.alloc(5, type);
    head.writeInt32BE(4 + body.length, 1);
    return Buffer.concat([head, body]);
  };
  const int = (value: number, bytes: number) => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeIntBE(value, 0, bytes);
    return buffer;
  };
  const ready = message("Z", "I");
  const text = String(version);
  // One column of type text (25), of any length, as text; one row of it.
  const column = [int(1, 2), "server_version_num\0", int(0, 6), int(25, 4), int(-1, 2), int(-1, 4), int(0, 2)];
  const answer = [
    message("T", ...column),
    message("D", int(1, 2), int(text.length, 4), text),
    message("C", "SHOW\0"),
    ready,
  ];
  const listener = createServer((socket) => {
    socket.once("data", () => {
      socket.write(Buffer.concat([message("R", int(0, 4)), ready])); // whatever it began with: come in
      socket.on("data", (bytes) => bytes.toString("latin1").startsWith("Q") && socket.write(Buffer.concat(answer)));
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return { port: (listener.address() as AddressInfo).port, close: () => listener.close() };
}

test("a new database is made once, however many open it at the same time", async () => {
  const address = await server.createDatabase();
  const stores = await Promise.all(Array.from({ length: 8 }, () => openStore(address)));
  await stores[0].add(makeRow(1));
  for (const store of stores) {
    expect(await store.rows()).toEqual([makeRow(1)]);
    await store.close();
  }
});
