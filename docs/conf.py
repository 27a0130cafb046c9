"""Configuration of the documentation site. Build it with `sphinx-build -W --keep-going docs docs/_build/html`.

Building needs no network: the theme's files, the figures and the API reference all come from this computer.
"""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS / "_extensions")]

from CovidSegLib import __version__  # noqa: E402

project = "CovidSeg"
author = "CovidSeg contributors"
project_copyright = author
version = release = __version__
repository = "https://github.com/covidseg/SlicerCovidSeg"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "api_pages",
    "command_line",
    "layers",
    "plain_docstrings",
    "repository_links",
]
exclude_patterns = ["_build", "_extensions", "tables"]

# Pages are Markdown; headings down to the third level can be linked to, and figures may have captions.
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
smartquotes_action = "D"  # dashes only

# The API reference. What a package only re-exports is documented in the module that defines it.
autodoc_default_options = {"members": True, "member-order": "bysource", "ignore-module-all": True}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"CovidSeg {version}"
html_logo = html_favicon = "../CovidSeg.png"
html_static_path = ["_static"]
html_css_files = ["covidseg.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "source_repository": repository,
    "source_branch": "main",
    "source_directory": "docs/",
    "footer_icons": [],
}
