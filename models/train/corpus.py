"""Public-domain books as plain text: a clone of mlschmitt/classic-books-markdown -> WORK/{train,heldout,books}.txt.

Usage: python corpus.py CLONE WORK
Books are ordered by a hash of their path, so the split depends on nothing else; every ninth is held out until those are full.
"""
import hashlib
import re
import subprocess
import sys
from pathlib import Path

TRAIN_CHARACTERS, HELDOUT_CHARACTERS, HELDOUT_OF_A_BOOK = 130_000_000, 4_000_000, 400_000
# The two longest files; the models were trained without them.
LEFT_OUT = ("Samuel Richardson/Clarissa.md", "Various/King James Bible.md")
PLAIN = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "--", "…": "...", "\u00a0": " ", "\ufeff": None, "\r": None}
)


def git(clone: str, *arguments: str) -> str:
    return subprocess.run(["git", "-C", clone, *arguments], capture_output=True, check=True).stdout.decode("utf-8", "replace")


def clean(text: str) -> str:
    """Drops the front matter, Markdown's marks and links; keeps paragraphs, with plain quotes and dashes."""
    text = re.split(r"\n-{5,}\n", text, maxsplit=1)[-1].translate(PLAIN)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^#{1,6} *", "", text, flags=re.M)
    text = re.sub(r"[*_`\\]+", "", text)
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" *\n *", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def is_english_prose(text: str) -> bool:
    return len(text) >= 2000 and sum(ord(character) > 127 for character in text) / len(text) <= 0.01


def main(clone: str, work: Path) -> None:
    names = git(clone, "-c", "core.quotepath=off", "ls-tree", "-r", "--name-only", "HEAD").split("\n")
    books = [name for name in names if name.endswith(".md") and "/" in name and name not in LEFT_OUT]
    books.sort(key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    trained = held = 0
    with open(work / "train.txt", "w") as train, open(work / "heldout.txt", "w") as heldout, open(work / "books.txt", "w") as titles:
        for index, name in enumerate(books):
            text = clean(git(clone, "show", f"HEAD:{name}"))
            if not is_english_prose(text):
                continue
            if held < HELDOUT_CHARACTERS and index % 9 == 0:
                text = text[:HELDOUT_OF_A_BOOK]
                heldout.write(text + "\n\n")
                held += len(text)
                titles.write(f"heldout {name}\n")
            elif trained < TRAIN_CHARACTERS:
                train.write(text + "\n\n")
                trained += len(text)
                titles.write(f"train {name}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
