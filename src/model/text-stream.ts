// Tokens to text while they are written: a token alone may be part of a character, or lose the space before it.

/** Text that grows token by token. */
export interface TextStream {
  /** The text that the token adds; empty while a character is unfinished. */
  push(token: number): string;
  /** What is left of an unfinished character at the end. */
  finish(): string;
}

// An unfinished character decodes to this; more than so many tokens never belong to one.
const unfinished = "\ufffd";
const longestWait = 8;

/**
 * A stream of text behind a prompt.
 *
 * @param decode - the tokenizer's decoding
 * @param prompt - the tokens before: decoding begins among them, so that the first token keeps its space
 */
export function createTextStream(decode: (tokens: readonly number[]) => string, prompt: readonly number[]): TextStream {
  let known = prompt.slice(-longestWait); // tokens whose text was given
  let waiting: number[] = [];

  function take(): string {
    const added = decode([...known, ...waiting]).slice(decode(known).length);
    known = [...known, ...waiting].slice(-longestWait);
    waiting = [];
    return added;
  }
  return {
    push(token) {
      waiting.push(token);
      const isWhole = !decode([...known, ...waiting]).endsWith(unfinished);
      return isWhole || waiting.length >= longestWait ? take() : "";
    },
    finish: () => (waiting.length > 0 ? take() : ""),
  };
}
