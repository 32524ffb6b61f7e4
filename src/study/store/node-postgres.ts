// Kysely on PostgreSQL: a pool of connections that never waits for ever, and what the server's errors mean.

import { PostgresDialect, type PostgresPoolClient, sql } from "kysely";
import pg from "pg";
import { InputError } from "../../input-error.ts";
import { type Backend, explainError } from "./backend.ts";
import { type PostgresAddress, parsePostgresAddress } from "./postgres-address.ts";

/** Connections of one process: one writes while another reads. */
const maxConnections = 3;
/** What a statement may take, in milliseconds, reading a million rows included; a connection that is silent longer is given up. */
const defaultStatementMs = 120_000;
/** How long the server keeps the locks of a transaction whose client has gone silent, in milliseconds. */
const idleTransactionMs = 10_000;
/** The first that has all that the queries use. */
const oldestVersion = 12;

/**
 * Connects to a PostgreSQL.
 *
 * @param url - `postgres://USER@HOST:PORT/DATABASE`; what it leaves out comes from PG* variables and the password file
 * @param statementMs - a connection that is silent for so long is given up
 * @throws InputError if it cannot be entered or is too old
 */
export async function openPostgres(url: string, statementMs = defaultStatementMs): Promise<Backend> {
  const address = parsePostgresAddress(url);
  try {
    return await connect(address, address.tls, statementMs);
  } catch (error) {
    const isPlain = error instanceof Error && error.message.includes("does not support SSL");
    if (!isPlain || !address.plainWillDo) throw explainError(error, address.name, explainRefusal);
  }
  return connect(address, false, statementMs).catch((error) => {
    throw explainError(error, address.name, explainRefusal);
  });
}

async function connect(address: PostgresAddress, tls: PostgresAddress["tls"], statementMs: number): Promise<Backend> {
  const { name, host, port, user, database, password, options, connectTimeoutMs } = address;
  const pool = new pg.Pool({
    host,
    port,
    user,
    database,
    password: password ?? "", // as a function or undefined, pg would look for one by itself
    options,
    ssl: tls,
    application_name: "kbit",
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    idle_in_transaction_session_timeout: Math.min(idleTransactionMs, statementMs),
    keepAlive: true,
  });
  pool.on("error", () => {}); // of a connection that lay idle: the next statement gets a new one
  try {
    const version = await readVersion(await pool.connect(), statementMs);
    if (version < oldestVersion)
      throw new InputError(`The database ${name} is PostgreSQL ${version}; kbit needs ${oldestVersion} or newer.`);
  } catch (error) {
    await pool.end();
    throw error;
  }
  const dialect = new PostgresDialect({
    pool: { connect: async () => guard(await pool.connect(), statementMs), end: () => pool.end() },
  });
  return {
    dialect,
    name,
    now: sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as double precision)`,
    locksRows: true,
    lockSchema: sql`select pg_advisory_xact_lock(1801611636)`, // "kbit" in bytes: any number that others do not use
    schema: sql<{ name: string | null }>`select current_schema() as name`,
    explain: explainRefusal,
    isPassing,
  };
}

async function readVersion(client: pg.PoolClient, statementMs: number): Promise<number> {
  const { query, release } = guard(client, statementMs);
  try {
    const { rows } = await query<{ server_version_num: string }>("show server_version_num", []);
    return Math.floor(Number(rows[0].server_version_num) / 10_000);
  } finally {
    release();
  }
}

/** The client with a limit on every statement: a connection that answers no more is closed, not waited for. */
function guard(client: pg.PoolClient, statementMs: number): PostgresPoolClient {
  let broken: Error | undefined;
  const query = async (text: string, values: readonly unknown[]) => {
    if (broken) throw broken; // a rollback on a dead connection would wait as long again
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        broken = Object.assign(new Error("The connection is silent."), { code: "ETIMEDOUT" });
        reject(broken);
      }, statementMs);
    });
    try {
      const answer = client.query(text, values as unknown[]);
      answer.catch(() => {}); // once given up, how it ends is nobody's matter
      return await Promise.race([answer, silence]);
    } catch (error) {
      if (isCut(error)) broken = error as Error;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
  return { query: query as unknown as PostgresPoolClient["query"], release: () => client.release(broken) };
}

/** SQLSTATE and system codes, https://www.postgresql.org/docs/current/errcodes-appendix.html. */
const reasons: Record<string, string> = {
  ECONNREFUSED: "nothing listens there; check host and port, and whether the server runs",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "its host cannot be looked up",
  ENOENT: "there is no socket in that folder",
  EHOSTUNREACH: "its host cannot be reached",
  ENETUNREACH: "its host cannot be reached",
  ETIMEDOUT: "it does not answer",
  ECONNRESET: "the connection was cut",
  EPIPE: "the connection was cut",
  "28P01": "the password is wrong or missing; give it in PGPASSWORD or the password file",
  "28000": "this user may not enter from here (see the server's pg_hba.conf)",
  "3D000": "there is no such database; make it with createdb",
  "42501": "this user may not do that there; grant the rights on the schema",
  "25006": "it may only be read",
  "53100": "the disk is full",
  "53200": "it is out of memory",
  "53300": "it has no connection left; raise max_connections or put pgbouncer before it",
  "57P01": "it is being shut down",
  "57P02": "it crashed",
  "57P03": "it is starting or shutting down",
};

/** Where pg has words instead of a code. */
const messages: readonly [RegExp, string][] = [
  [/No space left on device|File too large|could not extend file/, reasons["53100"]],
  [/password must be a (non-empty )?string/, reasons["28P01"]],
  [/does not support SSL/, "it has no TLS; say sslmode=disable if that is right"],
  [/timeout expired|connect timeout|Connection terminated due to connection timeout/, reasons["ETIMEDOUT"]],
  [
    /[Cc]onnection terminated|not queryable|connection error|error establishing an SSL connection/,
    reasons["ECONNRESET"],
  ],
  [
    /self[- ]signed|unable to (verify|get)|certificate/,
    "its certificate is not trusted; name the root with sslrootcert",
  ],
];

function codeOf(error: unknown): string {
  const { code, errors } = error as { code?: string; errors?: readonly unknown[] };
  return code ?? (errors?.[0] ? codeOf(errors[0]) : ""); // of several addresses of a host the first
}

function explainRefusal(error: unknown): string | undefined {
  const known = reasons[codeOf(error)];
  if (known !== undefined || !(error instanceof Error)) return known;
  return messages.find(([words]) => words.test(error.message))?.[1];
}

/** Whether the connection is of no use any more. */
function isCut(error: unknown): boolean {
  const code = codeOf(error);
  if (/^[0-9A-Z]{5}$/.test(code) && !code.startsWith("E")) return code.startsWith("57P") || code.startsWith("08");
  return code !== "" || explainRefusal(error) === reasons["ECONNRESET"];
}

/** A cut connection, a server that starts again or has no place; two transactions that met. */
function isPassing(error: unknown): boolean {
  const code = codeOf(error);
  const lasting = ["ENOTFOUND", "28P01", "28000", "3D000"].includes(code);
  return !lasting && (isCut(error) || ["53300", "40001", "40P01", "25P03"].includes(code) || isAway(error));
}

/** No answer for now, or no room. */
function isAway(error: unknown): boolean {
  return [reasons["ETIMEDOUT"], reasons["53100"]].includes(explainRefusal(error) ?? "");
}
