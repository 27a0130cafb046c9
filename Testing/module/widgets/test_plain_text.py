"""Names and messages of others are shown as they are: Qt would take those that look like HTML for it."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).parents[3] / "CovidSeg" / "Resources" / "UI"


@pytest.mark.parametrize(("file", "label"), [("input.ui", "statusLabel"), ("results.ui", "resultLabel")])
def test_labels_show_plain_text(file, label):
    widget = ElementTree.parse(FOLDER / file).find(f".//widget[@name='{label}']/property[@name='textFormat']/enum")
    assert widget is not None and widget.text == "Qt::PlainText"
