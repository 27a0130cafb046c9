r"""Text from files and their names, made safe to print.

Headers, file names and model cards are written by others. A control character in them can rewrite what a terminal
shows, or the direction of the text. A name that is not valid UTF-8 holds lone surrogates, which no file can store.

Example:
    >>> print(printable("CT\x1b[2J of\u202eMiller"))
    CT\x1b[2J of\u202eMiller
"""

from __future__ import annotations

import unicodedata

#: Joiners, without which names in Persian and some other languages cannot be written.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    r"""Return a text on one line, with an escape such as `\x1b` in place of each character that cannot be shown."""
    return text if text.isprintable() else "".join(map(_shown, text))


def printable_lines(text: str) -> str:
    """Return a text of several lines, made printable like `printable`. Line breaks and tabs stay."""
    return "".join(character if character in "\n\t" else printable(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if unicodedata.category(character) == "Zs":  # a wide or narrow space
        return " "
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8, as Python represents it
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
