// From a postgres:// address to a connection, by the rules of libpq: what the address leaves out comes from the PG*
// variables and the password file, `sslmode` means what it means there. The password stands nowhere else afterwards.

import { readFileSync, statSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { findNearest, InputError } from "../../input-error.ts";

/** Where a PostgreSQL is and how it is entered. */
export interface PostgresAddress {
  /** As it may be shown: without password and parameters. */
  readonly name: string;
  /** A host, or the folder of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: string;
  readonly options?: string;
  readonly connectTimeoutMs: number;
  /** False: no TLS. */
  readonly tls: ConnectionOptions | false;
  /** Whether a server without TLS will do. */
  readonly plainWillDo: boolean;
}

/** Whether a store's name is the address of a PostgreSQL. */
export function isPostgresAddress(path: string): boolean {
  return /^postgres(ql)?:\/\//.test(path);
}

/** Parameters of an address, and the variables that stand for them. */
const parameters: Record<string, string> = {
  host: "PGHOST",
  port: "PGPORT",
  user: "PGUSER",
  dbname: "PGDATABASE",
  password: "PGPASSWORD",
  passfile: "PGPASSFILE",
  options: "PGOPTIONS",
  connect_timeout: "PGCONNECT_TIMEOUT",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
};

const sslModes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/** @throws InputError that never repeats the address, which may hold a password */
export function parsePostgresAddress(text: string, environment = process.env): PostgresAddress {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InputError(
      "The address of the database cannot be read; expected postgres://USER@HOST:PORT/DATABASE, special characters as %XX.",
    );
  }
  const given = Object.fromEntries(url.searchParams);
  for (const name of Object.keys(given)) {
    if (name in parameters) continue;
    const nearest = findNearest(name, Object.keys(parameters));
    throw new InputError(
      `The address of the database has a parameter ${name} that is not known; ${nearest ? `did you mean ${nearest}?` : `expected one of ${Object.keys(parameters).join(", ")}.`}`,
    );
  }
  const take = (name: string, inUrl = "") => decode(inUrl) || given[name] || environment[parameters[name]] || undefined;

  const host = take("host", url.hostname.replace(/^\[|\]$/g, "")) ?? "localhost";
  const port = Number(take("port", url.port) ?? 5432);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new InputError("The port of the database is no number.");
  const user = take("user", url.username) ?? userInfo().username;
  const database = take("dbname", url.pathname.slice(1)) ?? user;
  const password =
    take("password", url.password) ?? findPassword([host, String(port), database, user], take("passfile"));
  const mode = take("sslmode") ?? "prefer";
  if (!sslModes.includes(mode))
    throw new InputError(`sslmode ${mode} of the database is not known; expected one of ${sslModes.join(", ")}.`);
  const usesTls = mode !== "disable" && mode !== "allow" && !host.startsWith("/");
  return {
    name: `postgres://${encodeURIComponent(user)}@${host.includes(":") ? `[${host}]` : host}:${port}/${encodeURIComponent(database)}`,
    host,
    port,
    user,
    database,
    password,
    options: take("options"),
    connectTimeoutMs: 1000 * (Number(take("connect_timeout")) || 10),
    tls: usesTls && describeTls(mode, host, take),
    plainWillDo: mode === "prefer",
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InputError("The address of the database holds a % that is no %XX; write it as %25.");
  }
}

/** With `require` a certificate is looked at only where a root to hold it against is named, as in libpq. */
function describeTls(mode: string, host: string, take: (name: string) => string | undefined): ConnectionOptions {
  const root = take("sslrootcert");
  const read = (path: string | undefined) => path && readCertificate(path);
  const isChecked = mode.startsWith("verify") || (mode === "require" && root !== undefined);
  return {
    rejectUnauthorized: isChecked,
    servername: /^[\d.]+$|:/.test(host) ? undefined : host,
    ca: root === "system" ? undefined : read(root),
    cert: read(take("sslcert")),
    key: read(take("sslkey")),
    ...(mode !== "verify-full" && { checkServerIdentity: () => undefined }),
  };
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new InputError(`The certificate ${path} for the database cannot be read.`);
  }
}

/** The password of the first line of the password file that fits: `host:port:database:user:password`, `*` for any. */
function findPassword(place: readonly string[], file = join(homedir(), ".pgpass")): string | undefined {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile()) return undefined;
  if (process.platform !== "win32" && (stats.mode & 0o077) !== 0)
    throw new InputError(`Others may read the password file ${file}; allow it to you alone (chmod 600).`);
  for (const line of readFileSync(file, "utf8").split(/\r?\n/)) {
    if (line.startsWith("#")) continue;
    const fields = [...line.matchAll(/((?:\\.|[^:\\])*)(?::|$)/g)].map(([, field]) => field.replace(/\\(.)/g, "$1"));
    if (fields.length >= 5 && place.every((value, i) => fields[i] === "*" || fields[i] === value)) return fields[4];
  }
  return undefined;
}
