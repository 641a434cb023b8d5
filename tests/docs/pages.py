"""The pages of the documentation that are written by hand, and the code on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
GENERATED = (
    "docs/results/",
    "docs/api/generated/",
    "docs/contributing.md",
    "docs/changes.md",
    "docs/security.md",
)  # or included


@dataclass(frozen=True)
class Page:
    """A page, named by its path in the repository."""

    name: str
    text: str

    def blocks(self, language: str) -> list[str]:
        """Return the code blocks in a language, in order."""
        return [code for kind, code in FENCE.findall(self.text) if kind == language]

    def block(self, text: str, language: str = "python") -> str:
        """Return the only block with a text in it."""
        (found,) = (code for code in self.blocks(language) if text in code)
        return found

    def files(self) -> dict[str, str]:
        """Return the code blocks that are files, which begin with their names in a comment, by these names."""
        blocks = [code for _, code in FENCE.findall(self.text)]
        named = [(re.match(r"# (\w+\.(?:py|yaml))\b", code), code) for code in blocks]
        return {found[1]: code for found, code in named if found}

    def commands(self) -> list[str]:
        """Return the calls of ``sciml`` in shell blocks, without their comments."""
        lines = "".join(self.blocks("sh")).replace("\\\n", " ").splitlines()
        return [line.split("  #")[0].strip() for line in lines if line.startswith("sciml ")]

    def prose(self) -> str:
        """Return the page without its code blocks."""
        return FENCE.sub("", self.text)


def read_pages() -> list[Page]:
    """Return README.md, CONTRIBUTING.md, SECURITY.md and the pages of docs/, but for the generated ones."""
    files = [
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        REPOSITORY / "SECURITY.md",
        *sorted((REPOSITORY / "docs").rglob("*.md")),
    ]
    named = [(path.relative_to(REPOSITORY).as_posix(), path) for path in files]
    return [Page(name, path.read_text(encoding="utf-8")) for name, path in named if not name.startswith(GENERATED)]


PAGES = read_pages()
COMMANDS = sorted({command for page in PAGES for command in page.commands()})


def page(name: str) -> Page:
    """Return a page by its path in the repository."""
    (found,) = (each for each in PAGES if each.name == name)
    return found
