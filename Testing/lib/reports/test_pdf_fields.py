"""The fields that the reader fills in, in a viewer of PDF: what is blank is a form field, what is stated is text."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from support.reports import small_content, small_pictures

from CovidSegLib.reports.pdf import report_pdf
from CovidSegLib.reports.review import CO_RADS, RSNA, Reader

TEXT, LIST = pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX
KINDS = {"impression": TEXT, "co_rads": LIST, "rsna": LIST, "reviewed_by": TEXT, "date": TEXT}


@contextmanager
def opened(reader: Reader | None = None) -> Iterator[tuple[pypdfium2.PdfDocument, pypdfium2.PdfPage]]:
    """The first page of a report, in a viewer with forms."""
    content = replace(small_content(), reader=reader or Reader())
    document = pypdfium2.PdfDocument(report_pdf(content, small_pictures()))
    document.init_forms()
    page = document[0]
    try:
        yield document, page
    finally:
        page.close()
        document.close()


def text_of(function: object, *arguments: object) -> str:
    """Return the text that a function of PDFium writes as UTF-16."""
    size = function(*arguments, None, 0)  # type: ignore[operator]
    buffer = ctypes.create_string_buffer(size)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)  # type: ignore[operator]
    return buffer.raw.decode("utf-16-le").rstrip("\0")


def fields(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage) -> dict[str, object]:
    """Return the annotations of the form fields by their names."""
    found = {}
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_WIDGET:
            found[text_of(pdfium.FPDFAnnot_GetFormFieldName, document.formenv, annotation)] = annotation
    return found


def centre(annotation: object) -> tuple[float, float]:
    box = pdfium.FS_RECTF()
    assert pdfium.FPDFAnnot_GetRect(annotation, box)
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2


def type_into(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, annotation: object, text: str) -> None:
    """Click on a field, type, and leave it."""
    x, y = centre(annotation)
    pdfium.FORM_OnLButtonDown(document.formenv, page, 0, x, y)
    pdfium.FORM_OnLButtonUp(document.formenv, page, 0, x, y)
    for character in text:
        pdfium.FORM_OnChar(document.formenv, page, ord(character), 0)
    pdfium.FORM_ForceToKillFocus(document.formenv)


def pixels(page: pypdfium2.PdfPage) -> np.ndarray:
    return page.render(scale=1.5, may_draw_forms=True).to_numpy().astype(int)


def test_every_blank_is_a_field_of_its_kind() -> None:
    with opened() as (document, page):
        found = fields(document, page)
        kinds = {name: pdfium.FPDFAnnot_GetFormFieldType(document.formenv, item) for name, item in found.items()}
        assert kinds == KINDS
        for name, classes in (("co_rads", CO_RADS), ("rsna", RSNA)):
            count = pdfium.FPDFAnnot_GetOptionCount(document.formenv, found[name])
            options = [
                text_of(pdfium.FPDFAnnot_GetOptionLabel, document.formenv, found[name], index) for index in range(count)
            ]
            assert options == ["", *classes]
            assert not any(
                pdfium.FPDFAnnot_IsOptionSelected(document.formenv, found[name], index) for index in range(count)
            ), "the class is the reader's choice"
        flags = pdfium.FPDFAnnot_GetFormFieldFlags(document.formenv, found["impression"])
        assert flags & pdfium.FPDF_FORMFLAG_TEXT_MULTILINE


@pytest.mark.parametrize("name", ["impression", "reviewed_by", "date"])
def test_a_reader_can_type(name: str) -> None:
    """The text is the value of the field and is drawn inside it."""
    with opened() as (document, page):
        field, before = fields(document, page)[name], pixels(page)
        type_into(document, page, field, "Seen by A. Reader, 28.11.")
        assert text_of(pdfium.FPDFAnnot_GetFormFieldValue, document.formenv, field) == "Seen by A. Reader, 28.11."
        changed = np.argwhere((pixels(page) != before).any(axis=2)) / 1.5
        box = pdfium.FS_RECTF()
        pdfium.FPDFAnnot_GetRect(field, box)
        height = page.get_height()
    assert len(changed) > 50
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert box.left - 1 <= left and right <= box.right + 1
    assert height - box.top - 1 <= top and bottom <= height - box.bottom + 1


def test_a_reader_can_choose() -> None:
    with opened() as (document, page):
        field = fields(document, page)["co_rads"]
        x, y = centre(field)
        pdfium.FORM_OnFocus(document.formenv, page, 0, x, y)
        assert pdfium.FORM_SetIndexSelected(document.formenv, page, 5, True)
        pdfium.FORM_ForceToKillFocus(document.formenv)
        assert text_of(pdfium.FPDFAnnot_GetFormFieldValue, document.formenv, field) == CO_RADS[4]


def test_what_was_stated_before_is_text() -> None:
    """In any script: form fields are drawn with the fonts of the viewer, which may lack it."""
    with opened(Reader(impression="両肺にすりガラス影", co_rads=CO_RADS[4], reviewed_by="王小明")) as (document, page):
        assert fields(document, page).keys() == {"rsna", "date"}
        text = page.get_textpage().get_text_range()
    assert "両肺にすりガラス影" in text and CO_RADS[4] in text and "王小明" in text


def test_a_complete_report_has_no_fields() -> None:
    reader = Reader("", "No infection.", CO_RADS[1], RSNA[3], "A. Reader", "28.11.2026")
    with opened(reader) as (document, page):
        assert not document.formenv or fields(document, page) == {}
