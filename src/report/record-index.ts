// Searches the records of a page: words, given rows, order, a page at a time. `createRecordIndex` is complete in itself:
// the report carries its text, and the live page's server runs it, so that both show the same rows.

import type { Records } from "./records.ts";

/** Which rows, in which order. */
export interface RecordQuery {
  /** Every word must stand in the row's names, spec, task, machine or id; empty: all rows. */
  readonly words: string;
  /** Only the rows of these ids, whole or their first 16 digits; empty: all. */
  readonly ids: readonly string[];
  /** Name of the column to sort by; empty: as they stand. */
  readonly sort: string;
  readonly descending: boolean;
  readonly from: number;
  readonly count: number;
}

/** A row by the names of its columns. */
export type RecordRow = Readonly<Record<string, string | number | null>>;

/** Some of the rows that were found, and how many there are. */
export interface RecordPage {
  readonly total: number;
  readonly from: number;
  readonly rows: readonly RecordRow[];
}

/** Records that can be searched. */
export interface RecordIndex {
  find(query: RecordQuery): RecordPage;
  /** Every row and column. */
  csv(): string;
}

/** Makes records searchable; what a search needs is made at the first one. */
export function createRecordIndex(records: Records): RecordIndex {
  const searchable = [
    "model",
    "family",
    "spec",
    "task",
    "measure",
    "profile",
    "machine",
    "kernels",
    "computeType",
    "id",
  ];
  const columns = new Map(records.columns.map((column) => [column.name, column]));
  const read = (name: string, i: number): string | number | null => {
    const column = columns.get(name);
    const value = column?.values[i] ?? null;
    return column?.distinct && value !== null ? column.distinct[value as number] : value;
  };
  let haystack: string[] | undefined;
  const search = (words: readonly string[]): number[] => {
    const found: number[] = [];
    if (words.length > 0) {
      haystack ??= Array.from({ length: records.count }, (_, i) =>
        searchable
          .map((name) => read(name, i) ?? "")
          .join("\n")
          .toLowerCase(),
      );
    }
    for (let i = 0; i < records.count; i++) if (words.every((word) => haystack![i].includes(word))) found.push(i);
    return found;
  };
  const shorten = (id: string) => id.slice(0, 16);
  let places: Map<string, number> | undefined;
  const pick = (ids: readonly string[]): Set<number> => {
    places ??= new Map(Array.from({ length: records.count }, (_, i) => [shorten(String(read("id", i))), i]));
    return new Set(ids.flatMap((id) => places!.get(shorten(id)) ?? []));
  };
  // Where each row stands in the order of a column; texts are compared once each, however often they repeat.
  const ranks = new Map<string, Float64Array>();
  const rank = (name: string): Float64Array => {
    const known = ranks.get(name);
    if (known) return known;
    const values = Array.from({ length: records.count }, (_, i) => read(name, i));
    const { compare } = new Intl.Collator("en", { numeric: true });
    const texts = [...new Set(values.filter((value) => typeof value === "string"))].sort(compare);
    const placeOf = new Map(texts.map((text, i) => [text, i]));
    const made = Float64Array.from(values, (value) =>
      value === null ? Number.NaN : typeof value === "number" ? value : placeOf.get(value)!,
    );
    ranks.set(name, made);
    return made;
  };
  return {
    find({ words, ids, sort, descending, from, count }) {
      const asked = words.toLowerCase().split(/\s+/).filter(Boolean);
      let found = search(asked);
      if (ids.length > 0) {
        const wanted = pick(ids);
        found = found.filter((i) => wanted.has(i));
      }
      if (columns.has(sort)) {
        const order = rank(sort);
        const sign = descending ? -1 : 1;
        found.sort((a, b) => {
          const [x, y] = [order[a], order[b]];
          if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
          return sign * (x - y) || a - b;
        });
      }
      const start = Math.max(0, Math.min(from, found.length - 1));
      const shown = found.slice(start, start + count);
      const names = [...columns.keys()];
      const rows = shown.map((i) => Object.fromEntries(names.map((name) => [name, read(name, i)])));
      return { total: found.length, from: start, rows };
    },
    csv() {
      // Texts that a spreadsheet would run as a formula get an apostrophe.
      const quote = (value: string | number | null): string => {
        if (value === null) return "";
        if (typeof value === "number") return String(value);
        const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
        return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
      };
      const names = [...columns.keys()];
      const lines = [names.map(quote).join(",")];
      for (let i = 0; i < records.count; i++) lines.push(names.map((name) => quote(read(name, i))).join(","));
      return `${lines.join("\r\n")}\r\n`;
    },
  };
}
