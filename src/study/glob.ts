// Patterns in which * stands for anything.

/** The source of a RegExp that fits what the pattern does. */
export function formatGlob(pattern: string): string {
  return pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
}
