"""The words of public text: field terms on the pages, and docstrings that open with a full statement."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sciml

PACKAGE = Path(sciml.__file__).parent
# Pattern -> the term of the field.
FORBIDDEN = {
    r"\b(the|a|our) (rooms?|house|houses)\b|\bof the house\b|\bstrangers?\b": "package, layer, method",
    r"\b(lower|upper|higher) floors?\b|\bfloors of the\b": "layer",
    r"\busual PINNs?\b": "standard PINNs",
    r"\bframes? at rest\b": "Eulerian frame",
    r"\bpurses?\b": "budget",
    r"\bcampaigns?\b": "benchmark",
    r"\bwhat there is of\b|\bare told\b|\bis told\b": "a plain verb",
    r"\bto the same bits\b": "bit-for-bit identical",
    r"\bprocessor (time|seconds)\b": "CPU time [s]",
    r"\bnumbers? over 0\b": "a positive number",
    r"\blong ways\b": "long-distance advection",
}
OPENINGS = re.compile(r"^(What|Where|How|That|Who|Whether)\b")
FEWEST_WORDS = 5
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public_docstrings(tree: ast.Module, name: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of a module and of its public classes, functions and methods."""

    def visit(node: Documented, where: str) -> Iterator[tuple[str, str]]:
        text = ast.get_docstring(node)
        if text is not None:
            yield where, text
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                overridden = any("override" in ast.unparse(each) for each in child.decorator_list)
                if not child.name.startswith("_") and not overridden and not isinstance(node, ast.FunctionDef):
                    yield from visit(child, f"{where}.{child.name}")

    return visit(tree, name)


def first_paragraph(text: str) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join(text.strip().split("\n\n")[0].split())


def faults_of(name: str, text: str) -> Iterator[str]:
    """Yield a sentence about each fault of a docstring."""
    opening = first_paragraph(text)
    if len(opening.split()) < FEWEST_WORDS:
        yield f"{name} opens with {opening!r}; say what it is or does in a full statement"
    if OPENINGS.match(opening):
        yield f"{name} opens with {opening.split()[0]!r}: {opening!r}; say what it is or does"
    yield from (f"{name}: {fault}" for fault in forbidden(text))


def forbidden(text: str) -> Iterator[str]:
    """Yield a sentence about each forbidden word of a text."""
    for pattern, instead in FORBIDDEN.items():
        for found in re.finditer(pattern, " ".join(text.split()), re.IGNORECASE):
            yield f"{found.group()!r} is not a term of the field; write {instead}"


def docstring_faults() -> list[str]:
    """Return a sentence about each fault in the docstrings of the package."""
    return [
        fault
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "__main__.py"
        for name, text in public_docstrings(ast.parse(path.read_text(encoding="utf-8")), module_name(path))
        for fault in faults_of(name, text)
    ]


def module_name(path: Path) -> str:
    """Return the dotted name of a module of sciml."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def public_texts(repository: Path) -> dict[str, str]:
    """Return the pages, the text of the notebooks, and the headers of the configs, by path."""
    pages = [repository / "README.md", repository / "CONTRIBUTING.md", *sorted((repository / "docs").rglob("*.md"))]
    pages += sorted((repository / "configs").rglob("*.yaml")) + sorted((repository / "datasets").rglob("*.md"))
    texts = {path.relative_to(repository).as_posix(): path.read_text(encoding="utf-8") for path in pages}
    for path in sorted((repository / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts[path.relative_to(repository).as_posix()] = "\n\n".join("".join(cell["source"]) for cell in cells)
    return texts


def test_docstrings_open_with_a_full_statement() -> None:
    found = docstring_faults()
    assert not found, "\n".join(found)


def test_public_text_is_written_in_the_terms_of_the_field(repository: Path) -> None:
    found = [f"{name}: {fault}" for name, text in public_texts(repository).items() for fault in forbidden(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Return the residual norm of a system.", 0),
        ("The residual norm.", 1),
        ("Whether the velocity does not depend on the state.", 1),
        ("Solve as usual PINNs do, in a frame at rest.", 2),
    ],
)
def test_a_fault_of_a_docstring_is_found(text: str, count: int) -> None:
    assert len(list(faults_of("f", text))) == count
