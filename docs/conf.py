"""The settings of the documentation: ``make docs`` builds it with warnings as errors, and without a network."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import sciml

DOCUMENTED = re.findall(r"^   (sciml[\w.]*)$", Path(__file__).with_name("api").joinpath("index.md").read_text(), re.M)


def public(package: str) -> list[str]:
    """Return the public names of a module: its ``__all__``, or the classes and functions that it defines.

    A class that another page documents has its place there.
    """
    module = import_module(package)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == package]
    named = [name for name in getattr(module, "__all__", own) if not name.startswith("_")]
    homes = {name: getattr(getattr(module, name), "__module__", package) for name in named}
    return [name for name, home in homes.items() if home == package or home not in DOCUMENTED]


project = "sciml"
author = copyright = "The sciml developers"
version = release = sciml.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
]
exclude_patterns = ["images/README.md"]
suppress_warnings = ["config.cache"]  # of the function that templates call
templates_path = ["_templates"]
root_doc = "index"

# Pages are Markdown: formulas between dollar signs, anchors on headings, so that links to page.md#heading are checked.
myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3

# The reference: a page for each public name, made from its docstring in numpydoc's format.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_context = {"public": public}
autodoc_typehints = "none"  # the Parameters section of a docstring says more
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
add_module_names = False

# Inventories of other projects are fetched only on demand, since the build must pass on a machine without a network.
intersphinx_mapping = {}
if os.environ.get("SCIML_DOCS_ONLINE") == "1":
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "pyamg": ("https://pyamg.readthedocs.io/en/latest", None),
    }

html_theme = "pydata_sphinx_theme"
html_title = "sciml"
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}

LITERAL = re.compile(r"(``.+?``|`[^`]+`_?)")


def escape_formulas(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str], *more: Any) -> None:
    """Keep the formulas of a docstring, such as \\|b - A x\\|, from being read as markup of reStructuredText."""
    for number, line in enumerate(lines):
        if line.lstrip().startswith((">>>", "...", "*")):
            continue
        parts = LITERAL.split(line)
        parts[1::2] = [part.replace(" . ", " · ") for part in parts[1::2]]  # a full stop would end the summary
        parts[::2] = [re.sub(r"(?<=\w)_(?!\w)", r"\\_", part.replace("|", r"\|")) for part in parts[::2]]
        lines[number] = "".join(parts)


def setup(app: Any) -> None:
    """Register the hook, ahead of numpydoc's own."""
    app.connect("autodoc-process-docstring", escape_formulas, priority=400)
