"""The report as PDF.

fpdf2 is used: it is pure Python, installs from a wheel on every platform, embeds and subsets fonts, falls back to
another font for missing characters, and orders and joins Arabic and Hebrew letters (with uharfbuzz, which has wheels).
WeasyPrint needs the libraries of Pango, which Windows and macOS lack. PyMuPDF is under the AGPL. reportlab has no
fallback fonts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos
from fpdf.fonts import FontFace, TTFFont

from ..notices import NOT_FOR_DIAGNOSIS
from . import wording
from .content import ReportContent
from .fonts import BOLD, EAST_ASIAN, REGULAR
from .form_fields import FormProducer, add_field
from .pictures import Picture, Pictures
from .review import CO_RADS, RSNA
from .wording import Table

_FONT, _EAST_ASIAN = "DejaVu", "DroidSansFallback"
_INK, _FAINT, _LINE = (27, 33, 39), (91, 102, 112), (201, 208, 214)
_INFECTION, _WARNING, _BANNER = (198, 58, 23), (138, 75, 0), (255, 226, 122)
#: A4 in mm, and its margin.
_WIDTH, _HEIGHT, _MARGIN = 210.0, 297.0, 13.0
_INNER = _WIDTH - 2 * _MARGIN
_GAP = 6.0
#: Height in mm of an impression that is left blank, and of the other fields.
_IMPRESSION, _FIELD = 18.0, 5.0


def report_pdf(content: ReportContent, pictures: Pictures) -> bytes:
    """Return the report as PDF: one page, a second with pictures, and the list of lesions if it is long.

    Args:
        content: What it says.
        pictures: Its pictures.
    """
    document = _Document(_names(content))
    document.add_page()
    _first_page(document, content)
    document.add_page()
    _picture_page(document, pictures)
    if len(content.lesions) > wording.FIRST_LESIONS or content.rejected:
        document.add_page()
        document.heading("All lesions")
        document.write_table(wording.lesion_table([*content.lesions, *content.rejected]))
    return bytes(document.output(output_producer_class=FormProducer))


class _Document(FPDF):
    """A4 pages with the notice at the top and the page number at the bottom.

    Args:
        names: Texts that may hold any character. The large font is loaded only if they need it.
    """

    def __init__(self, names: Sequence[str]):
        super().__init__(format="A4")
        self.set_margins(_MARGIN, _MARGIN)
        self.c_margin = 0
        self.set_auto_page_break(True, margin=_MARGIN)
        self.set_title("CovidSeg report")
        self.set_creator("CovidSeg")
        self.set_lang("en")
        self.add_font(_FONT, "", REGULAR)
        self.add_font(_FONT, "B", BOLD)
        self._glyphs = set(self.current_glyphs(_FONT))
        self._has_fallback = any(
            ord(character) not in self._glyphs for name in names for character in name if character != "\n"
        )
        if self._has_fallback:
            self.add_font(_EAST_ASIAN, "", EAST_ASIAN)
            self.set_fallback_fonts([_EAST_ASIAN], exact_match=False)
            self._glyphs |= set(self.current_glyphs(_EAST_ASIAN))
        self.set_text_shaping(True)
        self.use(9)

    def header(self) -> None:
        """Write the title and the notice. fpdf2 calls this for each page."""
        self.use(13, bold=True)
        self.cell(_INNER / 2, 6, "CovidSeg report")
        self.use(9, _INFECTION, bold=True)
        self.cell(_INNER / 2, 6, NOT_FOR_DIAGNOSIS, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_draw_color(*_INK)
        self.line(_MARGIN, self.get_y(), _WIDTH - _MARGIN, self.get_y())
        self.ln(2)

    def footer(self) -> None:
        """Write the page number. fpdf2 calls this for each page."""
        self.set_y(-10)
        self.use(7, _FAINT)
        self.cell(0, 4, f"Page {self.page_no()}", align="R")

    def current_glyphs(self, family: str) -> Iterable[int]:
        """Return the characters of a font."""
        font = self.fonts[family.lower()]
        return font.cmap if isinstance(font, TTFFont) else ()

    def shown(self, text: str) -> str:
        """Return a text with a replacement character for each one that no font has."""
        return "".join(
            character if ord(character) in self._glyphs or character == "\n" else "\N{REPLACEMENT CHARACTER}"
            for character in text
        )

    def use(self, size: float, colour: tuple[int, int, int] = _INK, *, bold: bool = False) -> None:
        """Set font size in points and colour."""
        self.set_font(_FONT, "B" if bold else "", size)
        self.set_text_color(*colour)
        if self.page and self._has_fallback:
            # fpdf2 2.8.9 does not restore this font after a line that begins with a character of the fallback font, and
            # draws wrong letters. A space sets the font for the page.
            self.cell(0.1, 0, " ", new_x=XPos.LEFT, new_y=YPos.TOP)

    def paragraph(self, text: str, width: float = 0, line: float = 1.3) -> None:
        """Write a text from the left margin, or from the right for scripts that are written from right to left."""
        for part in text.split("\n"):
            self.multi_cell(
                width,
                self.font_size * line,
                self.shown(part),
                align="R" if is_right_to_left(part) else "L",
                wrapmode=WrapMode.CHAR if _has_no_spaces(part) else WrapMode.WORD,
                new_x=XPos.LEFT,
                new_y=YPos.NEXT,
            )

    def heading(self, text: str, width: float = 0) -> None:
        """Write a heading."""
        self.ln(1.4)
        self.use(9, bold=True)
        self.paragraph(text, width)
        self.ln(0.4)

    def write_table(self, table: Table, width: float = _INNER, bold_row: int | None = None) -> None:
        """Write a table of a width in mm at the present position. Its head is repeated on each page."""
        self.use(7.5, bold=True)
        self.set_draw_color(*_LINE)
        # As wide as the longest word, so that none is broken.
        words = [[*title.split(), *(row[index] for row in table.rows)] for index, title in enumerate(table.head)]
        weights = [6.0 + max(self.get_string_width(word) for word in column) for column in words]
        aligned = tuple("L" if index < table.texts else "R" for index in range(len(table.head)))
        self.use(7.5)
        left = self.l_margin
        self.l_margin = self.get_x()
        with self.table(
            width=width,
            col_widths=weights,
            align="L",
            text_align=aligned,
            line_height=self.font_size * 1.45,
            padding=(0.25, 0.8),
            borders_layout="HORIZONTAL_LINES",
            headings_style=FontFace(color=_FAINT, emphasis="BOLD"),
        ) as written:
            for index, cells in enumerate((table.head, *table.rows)):
                style = FontFace(emphasis="BOLD") if bold_row is not None and index == bold_row + 1 else None
                row = written.row(style=style)
                for cell in cells:
                    row.cell(self.shown(cell))
        self.l_margin = left


def _first_page(document: _Document, content: ReportContent) -> None:
    if content.banner:
        document.set_fill_color(*_BANNER)
        document.use(9, bold=True)
        document.cell(0, 6, content.banner, fill=True, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        document.set_fill_color(255)
    if content.reader.patient:
        _fact(document, "Patient", content.reader.patient, 9)
    document.use(15, _INFECTION, bold=True)
    document.paragraph(wording.headline(content))
    document.use(8.5)
    document.paragraph(wording.summary(content))
    document.use(7.5, _WARNING)
    for text in content.warnings:
        document.paragraph(f"• {text}")
    document.heading("Lungs and zones")
    document.write_table(wording.region_table(content), bold_row=2)
    document.ln(1)
    document.use(9, bold=True)
    document.paragraph(wording.severity_line(content))
    document.use(7, _FAINT)
    severity = content.severity
    document.paragraph(f"{severity.definition} {severity.source}. Computed from the masks, not estimated by a reader.")
    _columns(document, content)
    _fields(document, content)
    document.heading("Model and CT")
    for name, value in (*content.facts, ("Report", content.created)):
        _fact(document, name, value, 7)
    if any(document.shown(text) != text for text in _names(content)):
        document.paragraph(wording.MISSING_CHARACTERS)


def _columns(document: _Document, content: ReportContent) -> None:
    """Write the lesions on the left, and edits and accuracy on the right."""
    top, half = document.get_y(), (_INNER - _GAP) / 2
    document.heading(wording.lesion_title(content), half)
    if content.lesions:
        document.write_table(wording.lesion_table(content.lesions[: wording.FIRST_LESIONS]), half)
    bottom = document.get_y()
    document.set_xy(_MARGIN + half + _GAP, top)
    for title, sentences in (
        ("What a person changed", wording.edit_sentences(content)),
        ("Measured accuracy of the model", content.accuracy),
    ):
        document.set_x(_MARGIN + half + _GAP)
        y = document.get_y()
        document.set_xy(_MARGIN + half + _GAP, y + 1.4)
        document.use(9, bold=True)
        document.paragraph(title, half)
        document.use(7.5)
        for sentence in sentences:
            document.paragraph(sentence, half)
    document.set_xy(_MARGIN, max(bottom, document.get_y()) + 2)


def _fields(document: _Document, content: ReportContent) -> None:
    """Write what the reader has stated. What is still blank is a form field with a line, on paper to write on."""
    reader = content.reader
    document.heading("Impression")
    document.use(9)
    if reader.impression:
        document.paragraph(reader.impression)
        document.ln(1)
    else:
        place = (_MARGIN, document.get_y(), _INNER, _IMPRESSION)
        add_field(document, "impression", "Impression", place, multiline=True)
        document.ln(_IMPRESSION)
        _rule(document, _MARGIN, _INNER)
    half = (_INNER - _GAP) / 2
    names = {"co_rads": "CO-RADS", "rsna": "RSNA class", "reviewed_by": "Reviewed by", "date": "Date"}
    choices = {"co_rads": CO_RADS, "rsna": RSNA}
    for pair in (("co_rads", "rsna"), ("reviewed_by", "date")):
        top = bottom = document.get_y() + 1.5
        for column, name in enumerate(pair):
            left, value = _MARGIN + column * (half + _GAP), getattr(reader, name)
            document.set_xy(left, top)
            document.use(8, bold=True)
            document.cell(22, _FIELD, names[name])
            document.use(8)
            if not value:
                add_field(document, name, names[name], (left + 22, top, half - 22, _FIELD), choices.get(name, ()))
            text = document.shown(value) or " "
            document.multi_cell(half - 22, _FIELD, text, align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)
            _rule(document, left + 22, half - 22)
            bottom = max(bottom, document.get_y())
        document.set_xy(_MARGIN, bottom)
    document.ln(0.8)
    document.use(7, _FAINT)
    document.paragraph(wording.CLASSES_NOTE)


def _rule(document: _Document, left: float, width: float) -> None:
    document.set_draw_color(*_FAINT)
    document.line(left, document.get_y(), left + width, document.get_y())


def _fact(document: _Document, name: str, value: str, size: float) -> None:
    """Write a name and its value in two columns."""
    document.use(size, _FAINT, bold=True)
    top = document.get_y()
    document.cell(42, document.font_size * 1.3, name)
    document.use(size, _INK if size > 7 else _FAINT)
    document.multi_cell(
        _INNER - 42, document.font_size * 1.3, document.shown(value), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
    )
    document.set_y(max(document.get_y(), top))


def _picture_page(document: _Document, pictures: Pictures) -> None:
    document.heading("Key images")
    _row(document, pictures.planes, 78)
    document.heading("3D")
    if pictures.views:
        _row(document, pictures.views, 48)
    else:
        document.use(8)
        document.paragraph(wording.NO_VIEWS)
    document.heading("Axial slices from apex to base")
    for start in range(0, len(pictures.levels), 3):
        _row(document, pictures.levels[start : start + 3], 46)
    document.use(7, _FAINT)
    document.paragraph(wording.LEGEND)


def _row(document: _Document, pictures: tuple[Picture, ...], highest: float) -> None:
    """Draw pictures side by side at the same height, at most `highest` mm, with captions."""
    gap = 2.0
    across = sum(picture.size[0] / picture.size[1] for picture in pictures)
    height = min(highest, (_INNER - gap * (len(pictures) - 1)) / across)
    top, left = document.get_y(), _MARGIN
    document.use(7, _FAINT)
    for picture in pictures:
        width = height * picture.size[0] / picture.size[1]
        document.image(picture.jpeg, left, top, width, height, alt_text=picture.title)
        document.set_xy(left, top + height + 0.4)
        document.cell(width, 3.4, picture.title)
        left += width + gap
    document.set_xy(_MARGIN, top + height + 4.4)


def _names(content: ReportContent) -> list[str]:
    """Return the texts that others have written."""
    reader = list(vars(content.reader).values())
    facts = [value for _, value in content.facts]
    return [*reader, *facts, *content.warnings, *content.accuracy]


def _has_no_spaces(text: str) -> bool:
    """Return whether most letters are Chinese or Japanese, which are written without spaces between words."""
    letters = [character for character in text if character.isalpha()]
    wide = sum(unicodedata.name(character, "").startswith(("CJK", "HIRAGANA", "KATAKANA")) for character in letters)
    return wide > 0.3 * len(letters)


def is_right_to_left(text: str) -> bool:
    """Return whether a text begins with a letter of a script that is written from right to left.

    >>> is_right_to_left("12 שלום"), is_right_to_left("CT שלום")
    (True, False)
    """
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False
