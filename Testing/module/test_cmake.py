"""CMake configures the extension, with stand-ins for Slicer's macros that check and print what they receive."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = ("CovidSeg", "CovidSegLib")
#: The stand-ins, by name of the file.
STAND_INS = {
    "SlicerConfig": """
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/Metadata.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake")
""",
    "UseSlicer": """
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown: ${MY_UNPARSED_ARGUMENTS}")
  endif()
  foreach(file ${MY_SCRIPTS} ${MY_RESOURCES})
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
      message(FATAL_ERROR "there is no ${file}")
    endif()
  endforeach()
  message(STATUS "[module ${MY_NAME} ${MY_WITH_SUBDIR}]")
  message(STATUS "[scripts ${MY_NAME}=${MY_SCRIPTS}]")
  message(STATUS "[resources ${MY_NAME}=${MY_RESOURCES}]")
endfunction()
function(slicer_add_python_unittest)
  message(STATUS "[unittest ${ARGN}]")
endfunction()
""",
    "Metadata": """
foreach(name HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  message(STATUS "[EXTENSION_${name}=${EXTENSION_${name}}]")
endforeach()
""",
    "Nothing": "",
}

needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")


def configure(source, folder):
    """Run CMake on a source tree and return what it prints."""
    folder.mkdir()
    for name, text in STAND_INS.items():
        (folder / f"{name}.cmake").write_text(text)
    command = ["cmake", "-S", str(source), "-B", str(folder / "build")]
    command += [f"-DSlicer_DIR={folder}", "-DBUILD_TESTING=ON"]
    # Nothing is compiled, so CMake need not check the compilers.
    command += [f"-DCMAKE_{language}_COMPILER_FORCED=ON" for language in ("C", "CXX")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(output, kind, module):
    """Return the scripts or resources that the macro received for a module, sorted."""
    (files,) = re.findall(rf"\[{kind} {module}=(.*)\]", output)
    return sorted(files.split(";"))


def files_on_disk(folder):
    """Return all files of a module except caches, hidden files and CMakeLists.txt, whatever their endings are."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    paths = [path for path in paths if not any(part == "__pycache__" or part[0] == "." for part in path.parts)]
    return sorted(path.as_posix() for path in paths if path.name != "CMakeLists.txt")


@needs_cmake
def test_cmake_configures_the_extension(tmp_path):
    output = configure(ROOT, tmp_path / "cmake")
    assert "[module CovidSeg FALSE]" in output
    assert "[module CovidSegLib TRUE]" in output
    assert "[unittest SCRIPT;CovidSeg.py]" in output
    metadata = dict(re.findall(r"\[EXTENSION_(\w+)=(.*)\]", output))
    assert len(metadata) == 6
    assert all(metadata.values())


@needs_cmake
def test_every_file_is_installed(tmp_path):
    """Fails if a file on disk is not listed, for example because no pattern in CMakeLists.txt covers its ending."""
    output = configure(ROOT, tmp_path / "cmake")
    for module in MODULES:
        scripts, resources = listed(output, "scripts", module), listed(output, "resources", module)
        assert sorted([*scripts, *resources]) == files_on_disk(ROOT / module)
        assert all(name.endswith(".py") for name in scripts)
        assert not any(name.endswith(".py") for name in resources)
    assert "CovidSegModule/__init__.py" in listed(output, "scripts", "CovidSeg")
    assert "Resources/UI/input.ui" in listed(output, "resources", "CovidSeg")
    assert "__main__.py" in listed(output, "scripts", "CovidSegLib")
    assert any(name.endswith(".safetensors") for name in listed(output, "resources", "CovidSegLib"))


@needs_cmake
def test_files_are_listed_by_their_endings_and_caches_are_not(tmp_path):
    source = tmp_path / "source"
    installed = (
        "a.py",
        "b/c.py",
        "b/d.ui",
        "b/e.png",
        "f.txt",
        "g/h/i.json",
        "j.toml",
        "k.safetensors",
        "l.pyi",
        "m.ttf",
        "n.jinja",
        "o.gz",
        "py.typed",
    )
    others = (
        "__pycache__/a.cpython-312.pyc",
        "b/__pycache__/c.py",
        "b/c.pyc",
        ".mypy_cache/3.12/a.json",
        "b/.ipynb_checkpoints/c.py",
        ".hidden.json",
        "b/CMakeLists.txt",
        "a.py~",
        "notes.orig",
    )
    for module in MODULES:
        for name in (*installed, *others):
            path = source / module / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    for name in ("CMakeLists.txt", *(f"{module}/CMakeLists.txt" for module in MODULES)):
        shutil.copy(ROOT / name, source / name)
    output = configure(source, tmp_path / "cmake")
    for module in MODULES:
        assert listed(output, "scripts", module) == ["a.py", "b/c.py"]
        assert listed(output, "resources", module) == sorted(installed[2:])


def test_metadata_is_in_single_lines_for_the_index():
    """The extensions index reads these lines with a regular expression, without CMake."""
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "project(CovidSeg)" in text
    for name in ("ICONURL", "SCREENSHOTURLS"):
        (urls,) = re.findall(rf'^set\(EXTENSION_{name} "([^"]+)"\)$', text, re.MULTILINE)
        assert all(re.fullmatch(r"https://\S+\.(png|jpg|gif)", url) for url in urls.split())


def test_the_icon_named_in_the_metadata_exists():
    header = (ROOT / "CovidSeg.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")) == (128, 128)
