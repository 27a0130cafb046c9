"""Fields of a PDF that its reader can fill in (AcroForm, ISO 32000-1, section 12.7).

fpdf2 draws pages and annotations, but has no form fields. `FormField` and `FormProducer` add them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fpdf import FPDF
from fpdf.annotations import PDFAnnotation
from fpdf.output import OutputProducer
from fpdf.syntax import PDFString, Raw

#: Flags of fields: text of several lines, and a list that drops down (ISO 32000-1, tables 228 and 230).
_MULTILINE, _COMBO = 1 << 12, 1 << 17
#: Font of what is typed, in points: one of the fonts that every viewer has. Its name is defined in the form.
_APPEARANCE = "/Helv 9 Tf 0 g"
_RESOURCES = "<< /Font << /Helv << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >> >> >>"
#: Pale background, so that a viewer that does not highlight fields shows where they are.
_BACKGROUND = "<< /BG [0.95 0.96 0.97] >>"


class FormField(PDFAnnotation):
    """An empty field: a text, or one of several choices.

    Args:
        name: Its name, unique in the document.
        label: What it is for. Viewers show it as a tool tip, and read it aloud.
        place: Left and top edge, width and height in points; top is measured from the bottom of the page.
        choices: What can be chosen; none for a text.
        multiline: Whether the text may have several lines.
    """

    def __init__(
        self,
        name: str,
        label: str,
        place: tuple[float, float, float, float],
        choices: Sequence[str] = (),
        *,
        multiline: bool = False,
    ):
        super().__init__("Widget", *place, field_type="Ch" if choices else "Tx", title=name)
        # fpdf2 writes attributes as keys: t_u as /TU, ff as /Ff.
        self.t_u = PDFString(label)
        self.ff = _COMBO if choices else _MULTILINE if multiline else 0
        self.d_a = PDFString(_APPEARANCE)
        self.m_k = Raw(_BACKGROUND)
        texts = " ".join(PDFString(choice).serialize() for choice in ("", *choices))
        self.opt = Raw(f"[{texts}]") if choices else None


class FormProducer(OutputProducer):
    """Writes a document with its form fields: `FPDF.output(output_producer_class=FormProducer)`."""

    def _finalize_catalog(self, catalog_obj: Any, *arguments: Any, **options: Any) -> None:
        super()._finalize_catalog(catalog_obj, *arguments, **options)
        annotations = [item for page in self.fpdf.pages.values() for item in page.annots or ()]
        fields = [item for item in annotations if isinstance(item, FormField)]
        if fields:
            catalog_obj.acro_form = _Form(fields)


class _Form:
    """The dictionary of the form. The viewer draws what is typed."""

    def __init__(self, fields: Sequence[FormField]):
        self._fields = fields

    def serialize(self, **_security: Any) -> str:
        references = " ".join(field.ref for field in self._fields)
        return f"<< /Fields [{references}] /NeedAppearances true /DA ({_APPEARANCE}) /DR {_RESOURCES} >>"


def add_field(
    document: FPDF,
    name: str,
    label: str,
    place: tuple[float, float, float, float],
    choices: Sequence[str] = (),
    *,
    multiline: bool = False,
) -> None:
    """Add an empty field to the present page of a document.

    Args:
        document: The document. Write it with `FormProducer`.
        name: Name of the field, unique in the document.
        label: What it is for.
        place: Left and top edge, width and height in the unit of the document, from the top left corner of the page.
        choices: What can be chosen; none for a text.
        multiline: Whether the text may have several lines.
    """
    left, top, width, height = (value * document.k for value in place)
    points = (left, document.h_pt - top, width, height)
    document.pages[document.page].add_annotation(FormField(name, label, points, choices, multiline=multiline))
