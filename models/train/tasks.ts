// Builds the two bundled tasks and the text for perplexity from the held-out books, which no model was trained on.
// Deterministic: items are taken in the order of the SHA-256 of their text, so the first N are spread over all books.
//
//     node models/train/tasks.ts WORK/heldout.txt models/families
//
// lastword.jsonl      a passage without its last word, and the word, which stands in the passage before (as in LAMBADA)
// continuation.jsonl  a passage that breaks off within a sentence, its end, and an end of equal length from the same book
// heldout.txt         stretches of every book in turn; nothing of it is in the tasks

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findSentences, type Sentence, splitBooks } from "./sentences.ts";

/** Items of a task. */
const mostItems = 3_000;
/** Characters of each book that are the text for perplexity, and of a stretch of it. */
const excerpt = 20_000;
const stretch = 2_500;
/** Characters of a passage of the last words, the word included; the models' window of 256 tokens holds about 680. */
const passage = { least: 160, most: 600 };
/** Last words are among so many of the most frequent: names and rare words are beyond models of this size. */
const knownWords = 500;
/** Characters of the passage, of what the broken sentence has at least before the break, and of an end. */
const broken = { least: 120, most: 400, begun: 30, shortest: 20, longest: 40 };
/** Words of contempt, which stand in these books and need not stand in a test. */
const leftOut = /nigg|\bcoon|darky|darkies|pickaninn/i;

const [source, folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("Usage: node models/train/tasks.ts WORK/heldout.txt FOLDER");
const books = splitBooks(readFileSync(source, "utf8"));
const beginnings = books.map((book) => book.lastIndexOf("\n\n", excerpt));
writeFileSync(join(folder, "heldout.txt"), interleave(books.map((book, i) => book.slice(0, beginnings[i]))));
const sentencesOf = books.map((book, i) => findSentences(book, beginnings[i]));
writeLines("lastword.jsonl", buildLastWords());
writeLines("continuation.jsonl", buildContinuations());

function writeLines(name: string, documents: readonly object[]): void {
  const kept = documents.slice(0, mostItems);
  writeFileSync(join(folder, name), kept.map((document) => `${JSON.stringify(document)}\n`).join(""));
  console.log(`${name}: ${kept.length} items`);
}

/** The texts in turn, a stretch of each that ends with a paragraph. */
function interleave(texts: readonly string[]): string {
  const at = texts.map(() => 0);
  let result = "";
  while (texts.some((text, i) => at[i] < text.length)) {
    for (const [i, text] of texts.entries()) {
      if (at[i] >= text.length) continue;
      const end = text.indexOf("\n\n", at[i] + stretch);
      const stop = end < 0 ? text.length : end + 2;
      result += `${text.slice(at[i], stop).trim()}\n\n`;
      at[i] = stop;
    }
  }
  return result;
}

/** A stretch of a book, which becomes an item. */
interface Piece {
  readonly book: number;
  readonly start: number;
  readonly end: number;
  /** SHA-256 of its text: an order that depends on nothing else. */
  readonly order: string;
}

function createPiece(book: number, start: number, end: number): Piece {
  return { book, start, end, order: createHash("sha256").update(books[book].slice(start, end)).digest("hex") };
}

/** The pieces in the order of their hash, without those that overlap an earlier one. */
function selectApart<P extends Piece>(pieces: readonly P[]): P[] {
  const taken: Piece[][] = books.map(() => []);
  return pieces
    .toSorted((a, b) => (a.order < b.order ? -1 : 1))
    .filter((piece) => {
      const isFree = taken[piece.book].every((other) => other.end <= piece.start || other.start >= piece.end);
      if (isFree) taken[piece.book].push(piece);
      return isFree;
    });
}

/** The nearest sentence up to `last` from whose start on the prose is unbroken and all that is wanted; -1 if there is none. */
function findStart(sentences: readonly Sentence[], last: number, isEnough: (start: number) => boolean): number {
  for (let first = last; first >= 0; first--) {
    if (first < last && sentences[first + 1].paragraph - sentences[first].paragraph > 1) return -1;
    if (isEnough(sentences[first].start)) return first;
  }
  return -1;
}

/** A passage and its last word. The passage begins with the nearest sentence that lets it be long enough and hold the word. */
function buildLastWords(): object[] {
  const words = listFrequentWords();
  const pieces: (Piece & { word: string })[] = [];
  for (const [book, sentences] of sentencesOf.entries()) {
    for (const [last, sentence] of sentences.entries()) {
      const text = books[book].slice(sentence.start, sentence.end).replace(/[.!?"')\]]+$/, "");
      const word = / ([a-z]{2,})$/.exec(text)?.[1];
      if (word === undefined || !words.has(word)) continue;
      const end = sentence.start + text.length;
      const holdsWord = new RegExp(`(?<![A-Za-z])${word}(?![A-Za-z])`);
      const first = findStart(sentences, last, (start) => {
        const isLong = start < sentence.start && end - start >= passage.least;
        return end - start > passage.most || (isLong && holdsWord.test(books[book].slice(start, end - word.length)));
      });
      if (first < 0 || end - sentences[first].start > passage.most) continue;
      if (!leftOut.test(books[book].slice(sentences[first].start, end)))
        pieces.push({ ...createPiece(book, sentences[first].start, end), word });
    }
  }
  return selectApart(pieces).map(({ book, start, end, word }) => ({
    context: books[book].slice(start, end - word.length - 1),
    word,
  }));
}

/** The most frequent words of all books, as they are written. */
function listFrequentWords(): Set<string> {
  const counts = new Map<string, number>();
  for (const book of books)
    for (const [word] of book.matchAll(/(?<![A-Za-z])[a-z]+(?![A-Za-z])/g))
      counts.set(word, (counts.get(word) ?? 0) + 1);
  return new Set([...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!).slice(0, knownWords));
}

/** A piece that ends with its sentence and is broken off before that, at a space. */
interface BrokenPiece extends Piece {
  readonly break: number;
  readonly ending: string;
}

function buildContinuations(): object[] {
  const documents: { order: string; document: object }[] = [];
  for (const [book, sentences] of sentencesOf.entries()) {
    const pieces = selectApart(listBroken(book, sentences));
    const isUsed = new Set<BrokenPiece>();
    for (const [i, right] of pieces.entries()) {
      const wrong = pieces.find((other, j) => j > i && !isUsed.has(other) && isLike(other.ending, right.ending));
      if (isUsed.has(right) || wrong === undefined) continue;
      isUsed.add(right).add(wrong);
      const context = books[book].slice(right.start, right.break);
      if (context.includes(right.ending) || context.includes(wrong.ending)) continue;
      const label = Number.parseInt(right.order.slice(-1), 16) % 2;
      const choices = label === 0 ? [right.ending, wrong.ending] : [wrong.ending, right.ending];
      documents.push({ order: right.order, document: { context, choices, label } });
    }
  }
  return documents.sort((a, b) => (a.order < b.order ? -1 : 1)).map(({ document }) => document);
}

/** Whether one ending may stand against the other: as long, to a character, with the same sign at the end and another first word. */
function isLike(a: string, b: string): boolean {
  return Math.abs(a.length - b.length) <= 1 && a.at(-1) === b.at(-1) && a.split(" ")[0] !== b.split(" ")[0];
}

/** Sentences of a book broken at one of the places that leave the right length, with what stands before. */
function listBroken(book: number, sentences: readonly Sentence[]): BrokenPiece[] {
  const found: BrokenPiece[] = [];
  for (const [last, { start, end }] of sentences.entries()) {
    const text = books[book].slice(start, end);
    const places = [...text.matchAll(/(?<=[a-z,]) (?=[a-z])/g)].map(({ index }) => index);
    const fitting = places.filter((place) => {
      const left = text.length - place - 1;
      return place >= broken.begun && left >= broken.shortest && left <= broken.longest;
    });
    if (fitting.length === 0) continue;
    const place = start + fitting[Math.floor(fitting.length / 2)];
    const first = findStart(sentences, last, (from) => place - from >= broken.least);
    if (first < 0 || place - sentences[first].start > broken.most) continue;
    const piece = createPiece(book, sentences[first].start, end);
    if (!leftOut.test(books[book].slice(piece.start, end)))
      found.push({ ...piece, break: place, ending: books[book].slice(place + 1, end) });
  }
  return found;
}
