"""Everything that users read can be translated: strings in .py files are in `_()`, those in .ui files are not excluded.

Names that are stored in scenes and files, names of Slicer's own parts, and texts for the log stay English. They are
listed here, so that a new string is either translated or listed on purpose.
"""

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from CovidSegLib.quantification.live import LOBES
from CovidSegLib.quantification.severity import ct_severity_score, six_zone_score
from CovidSegLib.quantification.zones import ZONES
from CovidSegModule.terms import _terms as terms_table
from CovidSegModule.terms import translated

MODULE = Path(__file__).parents[2] / "CovidSeg"
FILES = sorted(path for path in MODULE.rglob("*.py") if "__pycache__" not in path.parts)
PICTURES = sorted((MODULE / "Resources" / "UI").glob("*.ui"))
#: Two words, or one word that begins with a capital letter.
PROSE = re.compile(r"[A-Za-z]{2,}[,.:]? +[a-z(]|^[A-Z][a-z]+( |$)")
#: Functions whose arguments are translated, and those whose arguments nobody reads.
TRANSLATE, UNREAD = {"_", "translate"}, {"connect", "setStyleSheet", "compile", "AssertionError", "TypeVar"}
#: Texts that stay English, by file.
ENGLISH = {
    "CovidSeg.py": {"Segmentations", "CovidSeg contributors"},
    "self_test.py": None,  # for developers
    "terms.py": None,  # the keys of its table
    "sentences.py": None,  # the keys of its table
    "follow_up_texts.py": {"both lungs", "not covered"},  # keys of the report
    "logic/report.py": {"CovidSeg report %Y-%m-%d %H.%M.%S"},  # name of a folder, as that of the DICOM files
    "logic/correction.py": None,  # names of Slicer's effects
    "messages.py": {"Traceback"},
    "packages/installer.py": {"Resources"},
    "packages/offline.py": {"pip ended with exit code "},  # the log of pip
    "packages/protection.py": {"torch was not installed"},
    "packages/verification.py": {"the process ended with exit code "},
    "parameters.py": {"Result", "Prior", "Model", "Device"},
    "process/child_run.py": {"the run was not started"},
    "process/run.py": {"the run was not started", "the result was not read"},
    "process/run_log.py": {", exit code "},
    "widgets/followup_tables.py": {"not covered"},
    "widgets/display.py": {"<table cellpadding='3'>"},
    "sample_data.py": {"Icons", "Resources"},
    "logic/worklist.py": {"Reader"},
    "widgets/case_table.py": {"to review"},
    "worklist/rows.py": {"to review", "no infection", "not assessable"},  # keys, and grades that are stored
    "scene/compare_views.py": None,  # a layout in XML
    "scene/edit_history.py": {  # for the log
        "a threshold has the wrong value",
        "the history is not complete",
        "a change has the wrong size",
        "a change is not in this result",
    },
    "scene/follow_up_files.py": {"Segment"},
    "scene/follow_up_nodes.py": {
        "Days",
        "Both lungs",
        "both lungs",
        "Right lung",
        "right lung",
        "Left lung",
        "left lung",
        "registered prior",
        "Number",
        "Change",
        "Lung",
        "Zone",
        "Earlier (ml)",
        "Now (ml)",
        "Difference (ml)",
        "Difference (%)",
        "Region",
        " changes, earlier CT",
        "Infection {} (ml)",
        "Involved {} (%)",
    },
    "scene/lobes.py": {*LOBES, "Binary labelmap"},
    "scene/number_nodes.py": {
        "Region",
        "Volume (ml)",
        "Infection (ml)",
        "Lungs (ml)",
        "Involved (%)",
        "Mean HU",
        "Infection mean HU",
        " in infection (ml)",
        "not defined",
    },
    "scene/result_files.py": None,  # words of file formats, and errors for the log
    "scene/review.py": {"AI original"},  # a value that is stored in scenes
    "scene/segmentations.py": {"Conversion method", "the segmentation does not lie on the grid of the CT"},
    "scene/tables.py": None,  # columns and rows that are stored in scenes
    "scene/volumes.py": {"space directions", "space origin", "domain domain domain"},
    "scene/voxels.py": {"Binary labelmap", "Closed surface"},
}


def name_of(call):
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def is_logging(call):
    return isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "logging"


def untranslated(source):
    """Return the texts in a file that look like prose and are neither translated nor unread."""
    tree = ast.parse(source)
    known = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            known.add(node.value)  # docstrings
        if isinstance(node, ast.Call) and (name_of(node) in TRANSLATE | UNREAD or is_logging(node)):
            known.update(ast.walk(node))
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {node.value for node in texts if node not in known and PROSE.search(node.value)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(MODULE).as_posix())
def test_strings_for_users_are_translated(path):
    name = path.relative_to(MODULE).as_posix().removeprefix("CovidSegModule/")
    english = ENGLISH.get(name, set())
    if english is None:
        return
    assert untranslated(path.read_text(encoding="utf-8")) - english == set(), "put these into _()"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(MODULE).as_posix())
def test_translated_strings_are_literals(path):
    """Tools that collect strings read the source. They cannot read f-strings and variables."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    for call in calls:
        if name_of(call) == "_":
            assert isinstance(call.args[0], ast.Constant), f"line {call.lineno}"


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_strings_in_pictures_of_the_designer_can_be_translated(path):
    strings = [
        (prop.get("name"), string)
        for prop in ElementTree.parse(path).iter("property")
        for string in prop.iter("string")
        if re.search("[A-Za-z]{2}", string.text or "")
    ]
    assert strings
    untranslatable = {name for name, string in strings if string.get("notr") == "true"}
    assert untranslatable <= {"styleSheet", "nodeTypes"}


def test_no_list_of_exceptions_is_out_of_date():
    names = {path.relative_to(MODULE).as_posix().removeprefix("CovidSegModule/") for path in FILES}
    assert set(ENGLISH) <= names


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("label.text = 'No lungs were found.'", {"No lungs were found."}),
        ("label.text = _('No lungs were found.')", set()),
        ("label.text = f'{ml} ml lie outside'", {" ml lie outside"}),
        ("title = 'Lesions'", {"Lesions"}),
        ("logging.info('the devices are not known')", set()),
        ("def f():\n    'Return the mask.'", set()),
    ],
)
def test_the_test_finds_what_it_should(source, found):
    assert untranslated(source) == found


def stages():
    """Return the stages of a run that the child process reports."""
    library = MODULE.parent / "CovidSegLib"
    names = (
        "pipeline.py",
        "cli/segment.py",
        "cli/report.py",
        "outputs/results.py",
        "reports/files.py",
        "outputs/follow_up_files.py",
    )
    files = [*(library / name for name in names), *sorted((library / "followup").glob("*.py"))]
    texts = "".join(path.read_text(encoding="utf-8") for path in files)
    return re.findall(r'progress\("([^"]+)"', texts) + re.findall(r'"(Finding [^"]+)"\)', texts)


def test_terms_of_the_library_are_known():
    severities = ct_severity_score(dict.fromkeys(LOBES, 1.0)), six_zone_score({"right upper": 1.0})
    zones = [f"{side} {zone}" for side in ("right", "left") for zone in ZONES]
    terms = [
        *(f"{side} lung" for side in ("right", "left")),
        "both lungs",
        *(f"{zone} zone" for zone in zones),
        *(f"{lobe} lobe" for lobe in LOBES),
        *LOBES,
        *(text for severity in severities for text in (severity.name, severity.definition)),
        *stages(),
    ]
    assert len(stages()) > 15
    assert [term for term in terms if term not in terms_table()] == []
    assert translated("right upper zone") == "Right upper zone"
    assert translated("unknown") == "unknown"
