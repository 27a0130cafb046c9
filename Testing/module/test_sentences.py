"""Warnings and refusals of the library reach the panel in the user's language."""

import ast
from itertools import product
from pathlib import Path

import pytest

from CovidSegModule import sentences
from CovidSegModule.sentences import translated_sentence

LIBRARY = Path(__file__).parents[2] / "CovidSegLib"
#: Files whose warnings and refusals the child process sends to the panel.
FILES = (
    "checks.py",
    "pipeline.py",
    "quantification/report.py",
    "reading/dicom_reader.py",
    "reading/image_headers/nifti.py",
    "followup/cautions.py",
    "cli/segment.py",
)
#: Constants of these files that are warnings.
CONSTANTS = {"UNTRAINED", "DISAGREEMENT", "NO_ORIENTATION"}
#: Words that stand in sentences in the place of a variable. Everything else that varies is a number or a name.
WORDS = {
    "name": ("right", "left"),
    "end": ("begins within the lungs, below their apices", "ends within the lungs, above their bases"),
    "edited[0]": ("current", "earlier"),
}


def renderings(node):
    """Return the sentences that an expression can be."""
    if isinstance(node, ast.Constant):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [node.body.value, node.orelse.value]
    if isinstance(node, ast.FormattedValue):
        inner = node.value
        return renderings(inner) if isinstance(inner, ast.IfExp) else list(WORDS.get(ast.unparse(inner), ("7.5",)))
    return ["".join(parts) for parts in product(*map(renderings, node.values))]


#: Errors of checks.py.
REFUSALS = ("InputError", "NoLungsError")


def is_text(node):
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def expressions(path):
    """Return the warnings and refusals in a source file as expressions."""
    checks = path.name == "checks.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            source = ast.unparse(node.func)
            if source in ("warnings.append", "session.reporter.warning") or (checks and source in REFUSALS):
                yield node.args[0]
        if isinstance(node, ast.Yield):
            yield node.value
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {*CONSTANTS, "warnings"}:
            value = node.value
            yield from [value.elt] if isinstance(value, ast.ListComp) else [value]


def found():
    texts = []
    for name in FILES:
        for expression in filter(is_text, expressions(LIBRARY / name)):
            texts += [text.replace("{:.0f}", "7").replace("{}", "chs-net") for text in renderings(expression)]
    return texts


def test_every_warning_of_the_library_is_known():
    texts = found()
    assert len(texts) > 35
    unknown = [text for text in texts if not any(pattern.fullmatch(text) for pattern, _ in sentences._patterns())]
    assert unknown == []
    listed = [text for text in sentences.sentences() if "{sentence}" not in text and "do not correspond" not in text]
    assert len(listed) == len(texts), "sentences that the library no longer has"


@pytest.fixture
def german(monkeypatch):
    """Sentences in another language."""
    table = {
        "The slices are {mm} mm apart: small lesions may be missed, and volumes are coarse.": "Schichten: {mm} mm",
        "The {side} lung was not found.": "Lunge fehlt",
        "The earlier CT: {sentence}": "Das frühere CT: {sentence}",
    }
    monkeypatch.setattr(sentences, "sentences", lambda: table)
    sentences._patterns.cache_clear()
    yield
    sentences._patterns.cache_clear()


def test_a_sentence_is_translated_with_its_numbers(german):
    text = "The slices are 7.5 mm apart: small lesions may be missed, and volumes are coarse."
    assert translated_sentence(text) == "Schichten: 7.5 mm"
    assert translated_sentence(f"The earlier CT: {text}") == "Das frühere CT: Schichten: 7.5 mm"
    assert translated_sentence("Something else, {braces} too.") == "Something else, {braces} too."


def test_the_panel_shows_translated_warnings(german, panel):
    import harness

    harness.make_ct(spacing=(2.9, 3.1, 7.0))
    text = "The slices are 7 mm apart: small lesions may be missed, and volumes are coarse."
    harness.wait_until(lambda: "Schichten: 7 mm" in panel.ui.checkLabel.text)
    assert text not in panel.ui.checkLabel.text
