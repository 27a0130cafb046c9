"""The report as HTML and PDF: complete, without network, and right in any script."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from support.reports import many_lesions, small_content, small_pictures
from support.results import SEGMENTATION, VOLUME, write

from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.notices import NOT_FOR_DIAGNOSIS
from CovidSegLib.reports import files, wording
from CovidSegLib.reports.content import ReportContent
from CovidSegLib.reports.files import prepare, write_report
from CovidSegLib.reports.html import report_html
from CovidSegLib.reports.pdf import report_pdf
from CovidSegLib.reports.review import Edits, Reader
from CovidSegLib.reports.templates import environment


class Page(HTMLParser):
    """Collects the elements of a page, and its text."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def attributes_of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


@pytest.fixture(autouse=True)
def pictures_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not draw the same pictures again."""
    monkeypatch.setattr("CovidSegLib.reports.pictures.draw_pictures", lambda volume, segmentation: small_pictures())


def page_of(content: ReportContent) -> Page:
    return Page(report_html(content, small_pictures()))


def document_of(content: ReportContent) -> pypdfium2.PdfDocument:
    return pypdfium2.PdfDocument(report_pdf(content, small_pictures()))


def pages(content: ReportContent) -> list[str]:
    """Return the text of each page of the PDF. A loaded page must outlive its text."""
    document = document_of(content)
    return [document[index].get_textpage().get_text_range().replace("\r\n", "\n") for index in range(len(document))]


def with_reader(**texts: Any) -> ReportContent:
    return replace(small_content(), reader=Reader(**texts))


def test_html_needs_no_other_file() -> None:
    html = report_html(small_content(), small_pictures())
    for tag, attributes in Page(html).elements:
        assert tag not in ("link", "iframe", "object", "embed")
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith("data:"), tag
    assert not re.search(r"url\(|@import|https?://", html)
    assert "default-src 'none'" in html


def test_html_and_pdf_say_the_same() -> None:
    content = replace(
        small_content(),
        edits=Edits(0.873, 12.34, 5.6, 1.2),
        rejected=many_lesions(1, "rejected", 9),
        warnings=("The slices are thick.",),
    )
    html, pdf = (" ".join(text.split()) for text in (page_of(content).text, " ".join(pages(content))))
    for expected in (
        NOT_FOR_DIAGNOSIS,
        wording.headline(content),
        "Left lower zone",
        wording.severity_line(content),
        "12.3 ml of infection added, 5.6 ml removed",
        "The lungs differ in 1.2 ml",
        "Lesions rejected: 1 (11.1 ml; no. 9)",
        "The slices are thick.",
        "Impression",
        "CO-RADS",
        "RSNA class",
        "Reviewed by",
        "Axial 6",
        "Coronal",
        "Versions",
    ):
        assert expected in html, expected
        assert expected in pdf, expected


@pytest.mark.parametrize(("count", "expected"), [(0, 2), (1, 2), (10, 2), (60, 4)])
def test_pages_of_the_pdf(count: int, expected: int) -> None:
    texts = pages(replace(small_content(), lesions=many_lesions(count)))
    assert len(texts) == expected
    # pdfium may take a page with a long table for vertical text.
    joined = [re.sub(r"\s", "", text) for text in texts]
    assert all(NOT_FOR_DIAGNOSIS.replace(" ", "") in text for text in joined)
    listed = "".join(joined[2:] or joined)
    assert listed.count("rightlower") == count


def test_east_asian_names_and_the_latin_letters_beside_them_are_right() -> None:
    """A line that begins in another font than the line before must not get wrong letters."""
    impression = (
        "両肺に末梢優位のすりガラス影を認める。COVID-19肺炎に典型的。经与2026年3月的CT比较,病灶增多。양측 폐 하엽." * 3
    )
    first = pages(with_reader(patient="王小明 佐藤さくら 김민준", impression=impression, reviewed_by="李医生 MD"))[0]
    assert "王小明 佐藤さくら 김민준" in first
    assert impression.replace(" ", "") in re.sub(r"\s", "", first)
    assert "李医生 MD" in first
    assert "\ufffd" not in first


def test_arabic_and_hebrew_are_joined_and_ordered() -> None:
    first = pages(with_reader(patient="محمد عبد الله", impression="שתי הריאות", reviewed_by="כהן"))[0]
    # pdfium returns right-to-left text in the order of reading.
    assert "محمد عبد الله" in first
    assert "שתי הריאות" in first


def test_text_that_runs_from_right_to_left_begins_at_the_right_border() -> None:
    page = document_of(with_reader(impression="שתי הריאות"))[0]
    text = page.get_textpage()
    right = max(
        text.get_charbox(index)[2] for index in range(text.count_chars()) if text.get_text_range(index, 1) == "ש"
    )
    assert right > 0.85 * page.get_width()


def test_long_names_stay_on_the_page() -> None:
    name = "Maximiliane-Alexandrina von und zu Hohenlohe " * 6 + "x" * 200
    page = document_of(with_reader(patient=name, reviewed_by=name))[0]
    text = page.get_textpage()
    assert max(text.get_charbox(index)[2] for index in range(text.count_chars())) <= page.get_width() - 20
    assert "x" * 200 in re.sub(r"\s", "", text.get_text_range())


def test_characters_that_no_font_has_are_marked() -> None:
    first = pages(with_reader(patient="नरेन्द्र"))[0]
    assert wording.MISSING_CHARACTERS in " ".join(first.split())
    assert wording.MISSING_CHARACTERS not in pages(small_content())[0]


def test_texts_cannot_add_elements_to_the_page() -> None:
    attack = '</textarea><script>alert(1)</script><img src=x onerror=alert(1)>" autofocus onfocus="alert(1)'
    content = replace(
        with_reader(patient=attack, impression=attack, reviewed_by=attack, date=attack),
        warnings=(attack,),
        facts=(("Model", attack),),
    )
    plain, attacked = page_of(small_content()), page_of(content)
    assert len(attacked.attributes_of("script")) == 1
    assert len(attacked.attributes_of("img")) == len(plain.attributes_of("img"))
    assert not any("onfocus" in attributes or "onerror" in attributes for _, attributes in attacked.elements)
    assert attacked.text.count(attack) == 4  # patient, impression, warning, model
    assert [attributes["value"] for attributes in attacked.attributes_of("input")] == [attack, attack]


def test_classes_are_the_readers() -> None:
    chosen = page_of(with_reader(rsna="Typical appearance")).attributes_of("option")
    assert sum("selected" in attributes for attributes in chosen) == 1
    assert not any("selected" in attributes for attributes in page_of(small_content()).attributes_of("option"))
    assert wording.CLASSES_NOTE in pages(small_content())[0]


def test_pictures_have_titles() -> None:
    pictures = small_pictures()
    assert len(pictures.planes) == 2
    assert len(pictures.levels) == 6
    assert all(picture.jpeg.startswith(b"\xff\xd8") for picture in pictures.planes + pictures.levels + pictures.views)
    titles = [attributes["alt"] for attributes in page_of(small_content()).attributes_of("img")]
    assert all(titles)
    assert len(set(titles)) == len(titles)


def test_both_files_are_written(tmp_path: Path) -> None:
    stages: list[str] = []
    paths = write_report(tmp_path, VOLUME, SEGMENTATION, progress=lambda stage, _: stages.append(stage))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files.REPORT_FILES)
    assert [path.read_bytes()[:5] for path in paths] == [b"<!DOC", b"%PDF-"]
    assert stages[-1] == "Saving the report"
    with pytest.raises(InputError, match="already holds results"):
        prepare(tmp_path)
    # Replacing the result removes the report, which shows the old one.
    write(tmp_path, skip=["surfaces", "overview"], overwrite=True)
    assert not [name for name in files.REPORT_FILES if (tmp_path / name).exists()]


def test_cancelled_writes_nothing(tmp_path: Path) -> None:
    def cancel(stage: str, fraction: float) -> None:
        if fraction == 1.0:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_report(tmp_path / "out", VOLUME, SEGMENTATION, progress=cancel)
    assert not list(tmp_path.rglob("*.pdf"))


def test_templates_refuse_names_that_are_not_defined() -> None:
    with pytest.raises(Exception, match="undefined"):
        environment().from_string("{{ missing }}").render()
