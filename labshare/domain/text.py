"""Text as it is searched and sorted: without accents, case or punctuation, the same on every database.

What must not live here: sentences for people; they are made at the edge.
"""

from __future__ import annotations

import unicodedata

# Unicode does not decompose the barred d, so it is mapped by hand (ARCHITECTURE.md, decision 14).
_BARRED = str.maketrans({"đ": "d", "Đ": "D"})


def fold(text: str) -> str:
    """The text in lower case, without accents and with single spaces: `Điện  TỬ` -> `dien tu`.

    It is stable: folding what is folded changes nothing.
    """
    plain = unicodedata.normalize("NFKD", text.translate(_BARRED)).casefold()
    marks_gone = "".join(sign for sign in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(sign))
    return " ".join(marks_gone.split())


def searchable(text: str) -> str:
    """The folded words of a text, each after a space: ` sem kem edxs`, so that ` ed` finds a word by its beginning."""
    return "".join(f" {word}" for word in _plain(text))


def words(text: str) -> tuple[str, ...]:
    """The folded words of a search, each once, in their order. Punctuation only separates: `S-4800` is two words."""
    return tuple(dict.fromkeys(_plain(text)))


def _plain(text: str) -> list[str]:
    return "".join(sign if sign.isalnum() else " " for sign in fold(text)).split()


def sort_key(text: str) -> str:
    """A key that sorts alike under every collation: folded, and only digits and letters with 0 between the words.

    Databases disagree on how spaces and punctuation sort, never on digits and plain letters.
    """
    plain = (sign if sign.isascii() and sign.isalnum() else " " for sign in fold(text))
    return "0".join("".join(plain).split())
