// Python's string functions where JavaScript's differ, for tasks that lm-eval defines in Python.
// Lengths are code points, white space includes U+001C..001F and U+0085 and excludes U+FEFF.
// Leaves out everything on which the two languages agree.

/** The inside of a character class: what `str.isspace` and `\s` of Python's `re` take for white space. */
const pythonSpaces = "\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const leading = new RegExp(`^[${pythonSpaces}]+`);
const space = new RegExp(`^[${pythonSpaces}]$`);
const spaces = new RegExp(`[${pythonSpaces}]+`);

/** `text.strip()`. */
export function strip(text: string): string {
  return stripEnd(stripStart(text));
}

/** `text.lstrip()`. */
export function stripStart(text: string): string {
  return text.replace(leading, "");
}

/** `text.rstrip()`. */
export function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && space.test(text[end - 1])) end--;
  return text.slice(0, end);
}

/** `re.split(r"\s+", text)`: the pieces between runs of white space, empty ones at the ends included. */
export function splitAtSpaces(text: string): string[] {
  return text.split(spaces);
}

/**
 * `re.sub` of the pattern "`open`, as little as possible that is not `close`, `close`", in time linear in the text
 * where the pattern would try again from every `open` that is never closed.
 *
 * @param replace - given what stands between the two
 */
export function replaceSpans(text: string, open: string, close: string, replace: (inside: string) => string): string {
  let out = "";
  let done = 0;
  for (;;) {
    const start = text.indexOf(open, done);
    const end = start < 0 ? -1 : text.indexOf(close, start + 1);
    if (end < 0) return out + text.slice(done);
    out += text.slice(done, start) + replace(text.slice(start + 1, end));
    done = end + 1;
  }
}

/** `len(text)`: code points. */
export function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** `len(text.encode("utf-8"))`. */
export function countBytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** `text.capitalize()`: the first character in title case, the rest in lower case. */
export function capitalize(text: string): string {
  const first = [...text.slice(0, 2)][0] ?? "";
  // Lowering the whole text first keeps the context that decides the form of a final sigma.
  return toTitleCase(first) + text.toLowerCase().slice(first.toLowerCase().length);
}

/** Title case by upper case, where no rule gives it. */
const titles: Readonly<Record<string, string>> = { Ǆ: "ǅ", Ǉ: "ǈ", Ǌ: "ǋ", Ǳ: "ǲ", ʼN: "ʼN" };
const iota = "\u0399";
const iotaBelow = "\u0345";

/** Title case of one character, as in Unicode's SpecialCasing: `ǆ` -> `ǅ`, `ﬁ` -> `Fi`, `ᾳ` -> `ᾼ`; Georgian has none. */
function toTitleCase(character: string): string {
  if (character >= "\u10d0" && character <= "\u10ff") return character;
  const upper = character.toUpperCase();
  if (Object.hasOwn(titles, upper)) return titles[upper];
  if (character >= "\u1f80" && character <= "\u1fff" && upper.length > 1 && upper.endsWith(iota)) {
    const apart = upper.slice(0, -1) + iotaBelow;
    const composed = apart.normalize("NFC");
    return upper.length === 2 && composed.length === 1 ? composed : apart;
  }
  const [head = "", ...rest] = upper;
  return head + rest.join("").toLowerCase();
}
