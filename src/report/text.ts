// Texts from rows are hostile until escaped: model names and reasons come from files of others.

// Controls, and the marks that reorder or hide text around them.
const unsafe = /[\p{Cc}\p{Bidi_Control}\u200b\u2028\u2029\ufeff]/gu;

/** No spec that kbit writes is as long: its text is shown whole, to be copied. */
export const longestSpec = 160;

/** Text for a terminal or an SVG label: controls and marks of direction become U+FFFD, length at most `limit`. */
export function cleanText(text: string, limit = Number.POSITIVE_INFINITY): string {
  const clean = text.replace(unsafe, "\ufffd").toWellFormed();
  if (clean.length <= limit) return clean;
  const characters = [...clean];
  return characters.length <= limit ? clean : `${characters.slice(0, limit - 1).join("")}…`;
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text for HTML, inside an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replace(/\p{Cc}/gu, (control) => ("\t\n\r".includes(control) ? control : "\ufffd"))
    .toWellFormed()
    .replace(/[&<>"']/g, (character) => entities[character]);
}

/** JSON for a script element: no `<` survives, so that no text can end the element. */
export function escapeJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
