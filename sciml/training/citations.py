"""The references of the methods, as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sciml.config_errors import Where, did_you_mean

FILE = Path(__file__).resolve().parents[1] / "citations.bib"

# References of the optimisers, which a config uses without citing them.
OF_OPTIMIZERS = {
    "adam": "kingma2015",
    "adamw": "loshchilov2019",
    "adamax": "kingma2015",
    "soap": "vyas2025",
    "lbfgs": "liu1989",
    "least_squares": "marquardt1963",
}


def read_citations() -> dict[str, str]:
    """Return the BibTeX entries that come with sciml, by their keys."""
    entries = re.split(r"^(?=@)", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = ((re.match(r"@\w+\{([^,]+),", entry), entry.strip()) for entry in entries)
    return {match.group(1): entry for match, entry in found if match}


def check_keys(keys: Iterable[str], where: Where) -> None:
    """Raise ConfigError if one of the keys has no entry."""
    known = read_citations()
    for key in keys:
        if key not in known:
            raise where.error("cite", f"cite names {key!r}, which {FILE.name} lacks{did_you_mean(key, known)}")


def keys_of(values: Mapping[str, Any], file: str) -> list[str]:
    """Return the keys of what a config uses: those that it names, then its optimisers, each once.

    Parameters
    ----------
    values : the config as it is written
    file : its name, for errors

    Raises
    ------
    ConfigError
        If the config names an entry that does not exist.
    """
    training = values.get("training")
    phases = training.get("phases") if isinstance(training, Mapping) else None
    named = [phase.get("optimizer", "adam") for phase in phases or () if isinstance(phase, Mapping)]
    keys = [str(key) for key in values.get("cite") or ()]
    check_keys(keys, Where(file))
    return list(dict.fromkeys([*keys, *(OF_OPTIMIZERS[name] for name in named if name in OF_OPTIMIZERS)]))
