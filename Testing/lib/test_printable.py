"""Text of others cannot change what a terminal shows, and can always be stored."""

from __future__ import annotations

import os
import sys

import pytest

from CovidSegLib.printable import printable, printable_lines

UNTOUCHED = ["Thorax 1.0 B70f", "Müller", "肺 CT", "صدر", "می\u200cخواهم", "naïve 😀"]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_the_writing_of_all_languages_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
        ("CT\rRT", r"CT\x0dRT"),
        ("a\nb", r"a\x0ab"),
        ("\x9b31m", r"\x9b31m"),  # the C1 form of an escape sequence
        ("gpj.\u202etxt", r"gpj.\u202etxt"),  # right-to-left override
        ("a\u2028b\U000e0041", r"a\u2028b\U000e0041"),
        ("a\u00a0b", "a b"),
        (os.fsdecode(b"Z\xfcrich.nii") if sys.platform != "win32" else "Z\udcfcrich.nii", r"Z\xfcrich.nii"),
    ],
)
def test_what_cannot_be_shown_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    shown.encode("utf-8")


def test_lines_and_tabs_can_stay() -> None:
    assert printable_lines("a\n\tb\x1b\r\n") == "a\n\tb\\x1b\\x0d\n"


def test_every_character_becomes_printable() -> None:
    text = "".join(map(chr, range(sys.maxunicode + 1)))
    assert all(character.isprintable() or character in "\u200c\u200d" for character in printable(text))
