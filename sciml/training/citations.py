"""The references of the methods, as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "citations.bib"

# What a config uses without saying so.
OF_OPTIMIZERS = {
    "adam": "kingma2015",
    "adamw": "loshchilov2019",
    "soap": "vyas2025",
    "lbfgs": "liu1989",
    "least_squares": "marquardt1963",
}


def read_citations() -> dict[str, str]:
    """Return the BibTeX entries that come with sciml, by their keys."""
    entries = re.split(r"^(?=@)", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = ((re.match(r"@\w+\{([^,]+),", entry), entry.strip()) for entry in entries)
    return {match.group(1): entry for match, entry in found if match}


def keys_of(values: Mapping[str, Any]) -> list[str]:
    """Return the keys of what a config uses: those that it names, then its optimisers, each once."""
    phases = values["training"]["phases"]
    optimizers = [OF_OPTIMIZERS[phase["optimizer"]] for phase in phases if phase["optimizer"] in OF_OPTIMIZERS]
    return list(dict.fromkeys([*values["cite"], *optimizers]))
