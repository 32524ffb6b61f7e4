// The findings of the paper, each checked on the rows of the report: what can be told first, the rest folded with what it needs.

import type { ResultRow } from "../result.ts";
import { formatNumber } from "../scaling/claims/verdict.ts";
import { type ClaimAnswer, checkClaims } from "../scaling/claims.ts";
import { cleanText, escapeHtml } from "./text.ts";

const verdictClass: Readonly<Record<string, string>> = { "does not hold": ' class="unstable"' };

/**
 * The section of findings; empty without rows.
 *
 * @param isWhole - whether these are all rows of the store
 */
export function renderFindings(rows: readonly ResultRow[], isWhole = true): string {
  if (rows.length === 0) return "";
  const answers = checkClaims(rows);
  const told = answers.filter(({ verdict }) => verdict !== "not enough evidence");
  const untold = answers.filter(({ verdict }) => verdict === "not enough evidence");
  const table = told.length === 0 ? "" : renderTable(told);
  const rest = untold.map(
    ({ sentence, reason, needs }) =>
      `<dt>${escapeHtml(sentence)}</dt><dd>${escapeHtml(`${reason} It needs ${needs}.`)}</dd>`,
  );
  const folded =
    untold.length === 0
      ? ""
      : `<details><summary>Not enough evidence <span>${untold.length} of ${answers.length} findings</span></summary><dl class="stacked">${rest.join("")}</dl></details>`;
  return `<section><h2>Findings of the paper, on these rows</h2>
<p class="note">Each is asked of all rows${isWhole ? "" : " that are shown"}, every family; an interval is of 95 %.${isWhole ? " kbit claims prints the same." : ""}${renderTraced(rows)}</p>
${table}${folded}</section>`;
}

/** Families that have a button. */
const mostFamilies = 12;

// Thousands of rows can stand behind a finding: a button sets the table's filter to its family.
function renderTraced(rows: readonly ResultRow[]): string {
  const families = [...new Set(rows.map((row) => row.model.family))].slice(0, mostFamilies);
  const buttons = families.map(
    (family) =>
      `<button class="plain" type="button" data-words="${escapeHtml(family)}"><bdi>${escapeHtml(cleanText(family, 40))}</bdi></button>`,
  );
  return ` <span class="script-only saves">Their rows: ${buttons.join(" ")}</span>`;
}

function renderTable(answers: readonly ClaimAnswer[]): string {
  const body = answers.map(({ sentence, section, verdict, effect, interval, unit, reason }) => {
    const range = interval === null ? "" : ` [${formatNumber(interval[0])}, ${formatNumber(interval[1])}]`;
    const size = effect === null ? "" : `${formatNumber(effect)}${range} ${unit}`;
    const where = /^\d/.test(section) ? `section ${section}` : section;
    return `<tr><td${verdictClass[verdict] ?? ""}>${verdict}</td><td class="wrap"><bdi>${escapeHtml(sentence)}</bdi> <span class="note">(${escapeHtml(where)})</span><br><span class="note"><bdi>${escapeHtml(reason)}</bdi></span></td><td class="right">${escapeHtml(size)}</td></tr>`;
  });
  return `<div class="scroll" tabindex="0" role="region" aria-label="Findings of the paper"><table><thead><tr><th scope="col">Verdict</th><th scope="col">Finding</th><th scope="col" class="right">Effect</th></tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}
