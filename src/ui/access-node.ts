// Who may ask, and what a page may do: the headers that keep the live page to itself, the host names that are this
// machine, and the token that anything else needs. Decides and says why not; server-node.ts carries it out.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/**
 * Sent with every response. Scripts, styles and data come from this server alone, and nothing but the WASM kernels is
 * compiled; isolation gives these their threads.
 */
export const pageHeaders: Readonly<Record<string, string>> = {
  "Content-Security-Policy": [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-store",
};

/** Whether a host to bind to can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Name of the cookie that keeps the token; one a port, since cookies do not tell ports apart. */
export function cookieName(port: number): string {
  return `kbit-${port}`;
}

/**
 * Why a request is refused; undefined if it may pass. Without a token the `Host` must be a name of this machine, or a
 * page of another site could reach the server by a name that it points here.
 *
 * @param offered - the token in the address, where there is one
 */
export function refuse(
  headers: IncomingHttpHeaders,
  port: number,
  token: string | undefined,
  offered: string | null,
): string | undefined {
  if (token === undefined) {
    const name = (headers.host ?? "").replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
    return isLoopback(name) ? undefined : "This page is open on its own machine only; ask for it as localhost.";
  }
  const kept = readCookie(headers.cookie ?? "", cookieName(port));
  const isKnown = [offered, kept].some((one) => one != null && isEqual(one, token));
  return isKnown ? undefined : "This page needs its token: open the address that kbit ui printed.";
}

function readCookie(cookies: string, name: string): string | undefined {
  for (const cookie of cookies.split(";")) {
    const [key, ...value] = cookie.trim().split("=");
    if (key === name) return value.join("=");
  }
  return undefined;
}

/** Compares in constant time, whatever the lengths. */
function isEqual(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
