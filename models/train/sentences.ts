// The held-out text as books, and a book as sentences. The first step of tasks.ts.

/** The held-out books in their order in heldout.txt, each by how it opens. */
const openings = [
  "CHAPTER I\n\nAnd though amidst the calm of thought entire", // James Fenimore Cooper, The Spy
  "1 - The Singular Experience of Mr. John Scott Eccles", // Arthur Conan Doyle, The Adventure of Wisteria Lodge
  "'The essential Saltes of Animals may be so prepared and preserved, that", // H. P. Lovecraft, Charles Dexter Ward
  "Translated by Henry Cole\n\nIntroduction", // Martin Luther, On the Bondage of the Will
  "CHAPTER I\n\nThe towers of Zenith aspired", // Sinclair Lewis, Babbitt
  "Translated by Walter Lowrie\n\nPreface", // Søren Kierkegaard, Fear and Trembling
  "VOLUME I\n\nCHAPTER 1\n\nIn Which the Reader Is Introduced", // Harriet Beecher Stowe, Uncle Tom's Cabin
  "CHAPTER I - BEAUTIFUL AS THE DAY", // Edith Nesbit, Five Children and It
  "I.\n\nTHE AFRO-AMERICAN PEOPLE INDICTED", // Frederick Douglass, Why Is the Negro Lynched?
  "VOLUME ONE\n\nChapter 1. Marseilles--The Arrival.", // Alexandre Dumas, The Count of Monte Cristo
  "Translated by Charles Derbyshire\n\nChapter I", // José Rizal, Noli Me Tángere
  "Translated by Constance Garnett\n\nPART I", // Fyodor Dostoyevsky, Crime and Punishment
  "This is America--a town of a few thousand, in a region of wheat", // Sinclair Lewis, Main Street
];

/** The books of the held-out text. @throws Error if it is not that text */
export function splitBooks(text: string): string[] {
  let from = 0;
  const starts = openings.map((opening) => {
    const start = text.indexOf(opening, from);
    if (start < 0) throw new Error(`This is not the held-out text: it lacks "${opening.slice(0, 40)}".`);
    from = start + 1;
    return start;
  });
  return starts.map((start, i) => text.slice(start, starts[i + 1]).trim());
}

/** A sentence of a book. */
export interface Sentence {
  /** Characters from the start of the book; the white space after it is not part of it. */
  readonly start: number;
  readonly end: number;
  /** Paragraphs are numbered through the book; a piece that is not prose (verse, headings) has a number too. */
  readonly paragraph: number;
}

/** What ends with a full stop and is no end of a sentence. */
const abbreviation =
  /(?:^|[^A-Za-z])(?:[A-Z]|Mrs?|Ms|Dr|St|Messrs|Mme|Mlle|Gen|Col|Capt|Lieut|Rev|Hon|Prof|Jr|Sr|No|Esq|vol|cf|viz|etc|[ie]\.[eg])$/;
const ending = /[.!?]+["')\]]*(?=\s+["'(]*[A-Z])|[.!?]+["')\]]*$/g;

/** The sentences of the prose of a book, from `from` on, in order. */
export function findSentences(book: string, from: number): Sentence[] {
  const sentences: Sentence[] = [];
  let paragraph = 0;
  for (const { 0: text, index } of book.matchAll(/(?:(?!\n\n).)+/gs)) {
    paragraph++;
    if (index < from || !isProse(text.trim())) continue;
    let start = text.length - text.trimStart().length;
    for (const end of text.matchAll(ending)) {
      if (end[0].startsWith(".") && abbreviation.test(text.slice(start, end.index))) continue;
      const stop = end.index + end[0].length;
      sentences.push({ start: index + start, end: index + stop, paragraph });
      start = stop + (/^\s+/.exec(text.slice(stop))?.[0].length ?? 0);
    }
  }
  return sentences;
}

/** A paragraph on one line that ends as a sentence does and does not shout. */
function isProse(text: string): boolean {
  return (
    !text.includes("\n") && /[.!?]["')\]]*$/.test(text) && /[a-z]/.test(text) && !/^(CHAPTER|Chapter|PART)\b/.test(text)
  );
}
