// The playground: a model at a spec writes on behind a text, token by token, with its speed.

import { formatPlural, formatSize } from "../src/report/units.ts";
import type { ModelFacts } from "./page.ts";
import type { WorkerClient } from "./worker-client.ts";

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

/** The model shown first is the last of at most so many bytes. */
const maxFirst = 20e6;

/** Brings the playground's form to life. */
export function startPlayground(models: readonly ModelFacts[], worker: WorkerClient): void {
  const form = byId<HTMLFormElement>("play");
  const stop = byId<HTMLButtonElement>("stop");
  const [status, written] = [byId("play-status"), byId("written")];
  const start = form.querySelector<HTMLButtonElement>("button[type=submit]")!;
  const select = form.elements.namedItem("model") as HTMLSelectElement;
  select.append(...models.map(({ name, bytes }, i) => new Option(`${name} (${formatSize(bytes * 8)})`, String(i))));
  select.value = String(models.findLastIndex(({ bytes }) => bytes < maxFirst));

  stop.addEventListener("click", () => worker.stop());
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || start.disabled) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = new FormData(form);
    const read = (name: string) => String(fields.get(name) ?? "");
    const [model, spec, prompt] = [Number(read("model")), read("spec"), read("prompt")];
    const begin = document.createElement("span");
    begin.className = "prompt";
    begin.textContent = prompt;
    const text = document.createElement("span");
    written.replaceChildren(begin, text);
    const say = (message: string, isTrouble = false) => {
      status.textContent = message;
      status.classList.toggle("trouble", isTrouble);
    };
    [start.disabled, stop.disabled] = [true, false];
    try {
      const numbers = {
        maxTokens: Number(read("maxTokens")),
        temperature: Number(read("temperature")),
        seed: Number(read("seed")),
      };
      const reply = await worker.ask(
        { kind: "write", model, facts: models[model], spec, prompt, ...numbers },
        (part) => {
          if (part.kind === "progress") say(part.note);
          if (part.kind !== "text") return;
          text.append(part.text);
          say(`${formatPlural(part.tokens, "token")}${formatSpeed(part.tokensPerSecond)}`);
        },
      );
      if (reply.kind !== "written") return;
      const threads = reply.threads === 1 ? "1 thread" : `${reply.threads} threads`;
      say(
        `${formatPlural(reply.tokens, "token")}${formatSpeed(reply.tokensPerSecond)}; ${formatSize(reply.bits)}, ` +
          `${reply.bitsPerParameter.toFixed(2)} bits a parameter; ${reply.kernels} kernels on ${threads}`,
      );
    } catch (error) {
      say((error as Error).message, true);
    } finally {
      [start.disabled, stop.disabled] = [false, true];
    }
  });
}

function formatSpeed(tokensPerSecond: number | null): string {
  if (tokensPerSecond === null) return "";
  return `, ${tokensPerSecond.toFixed(tokensPerSecond < 10 ? 1 : 0)} tokens a second`;
}
