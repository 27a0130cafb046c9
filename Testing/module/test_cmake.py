"""CMake reads the extension's files, with stand-ins for Slicer's macros that check what the real ones check."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = """
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/Metadata.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake")
"""
USE = """
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
endfunction()
function(slicer_add_python_unittest)
  message(STATUS "[unittest ${ARGN}]")
endfunction()
"""
METADATA = """
foreach(name HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  message(STATUS "[EXTENSION_${name}=${EXTENSION_${name}}]")
endforeach()
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
def test_cmake_reads_the_extension(tmp_path):
    stubs = {"SlicerConfig": CONFIG, "UseSlicer": USE, "Metadata": METADATA, "Nothing": ""}
    for name, text in stubs.items():
        (tmp_path / f"{name}.cmake").write_text(text)
    command = ["cmake", "-S", str(ROOT), "-B", str(tmp_path / "build")]
    command += [f"-DSlicer_DIR={tmp_path}", "-DBUILD_TESTING=ON"]
    # There is nothing to compile: CMake need not look for what a compiler can do.
    command += [f"-DCMAKE_{language}_COMPILER_FORCED=ON" for language in ("C", "CXX")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[module CovidSeg FALSE]" in done.stdout
    assert "[module CovidSegLib TRUE]" in done.stdout
    assert "[unittest SCRIPT;CovidSeg.py]" in done.stdout
    found = dict(re.findall(r"\[EXTENSION_(\w+)=(.*)\]", done.stdout))
    assert len(found) == 6
    assert all(found.values())


def test_metadata_is_in_single_lines_for_the_index():
    """The extensions index reads these lines with a regular expression, without CMake."""
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "project(CovidSeg)" in text
    for name in ("ICONURL", "SCREENSHOTURLS"):
        (urls,) = re.findall(rf'^set\(EXTENSION_{name} "([^"]+)"\)$', text, re.MULTILINE)
        assert all(re.fullmatch(r"https://\S+\.(png|jpg|gif)", url) for url in urls.split())


def test_the_icon_that_the_metadata_names_is_there():
    header = (ROOT / "CovidSeg.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")) == (128, 128)
