"""Names, files, configs and links on the pages exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

import sciml
from tests.docs.pages import PAGES, REPOSITORY, Page, page

PUBLIC = (
    "training",
    "linalg", "linalg.graph_laplacian", "dcdm", "insr", "lpinn", "lpinn.baselines", "cgs", "cgs.diffusion",
    "cgs.upscaling", "generative", "hcmoe", "gfi", "gfi.refinement", "gfi.refine_task", "domains", "nets", "mesh",
    "text2pde", "data", "training.task", "errors",
    "training.settings", "training.solve_task", "bench.benchmark", "insr.fitting", "insr.integrators",
    "numerics.derivatives", "numerics.implicit", "numerics.projection", "numerics.nearest_point", "reference.waves",
)  # fmt: skip
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
CLASS = re.compile(r"^([A-Z]\w*[a-z]\w*)(\.\w+)*(\(.*\))?$")
MODULE = re.compile(r"^sciml(\.\w+)+$")
FOREIGN = {"LinearOperator", "LightningDataModule", "Trainer", "KeyboardInterrupt", "OSError"}
SOURCES = re.compile(r"^## Source files of the package$(.*)", re.DOTALL | re.MULTILINE)
REFERENCE = re.compile(r":(?:class|mod|func|meth|data|attr|exc):`~?(sciml\.[\w.]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def inline(each: Page) -> list[str]:
    """Return the inline code of a page."""
    return CODE.findall(each.prose())


def resolve(name: str) -> object:
    """Return what a dotted name stands for."""
    found: object = sciml
    for part in name.split(".")[1:]:
        if not hasattr(found, part) and isinstance(found, ModuleType):
            importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("each", PAGES, ids=lambda each: each.name)
def test_classes_and_modules_that_a_page_names_exist(each: Page) -> None:
    packages = [importlib.import_module(f"sciml.{name}") for name in PUBLIC]
    for name in inline(each):
        if found := CLASS.match(name):
            known = found[1] in FOREIGN or any(hasattr(package, found[1]) for package in packages)
            assert known, f"{each.name} names {found[1]}, which no public package has"
        elif MODULE.match(name):
            resolve(name)


@pytest.mark.parametrize("each", PAGES, ids=lambda each: each.name)
def test_configs_and_links_of_a_page_exist(each: Page) -> None:
    for config in re.findall(r"configs/([a-z]\w*/\w+)\.yaml", each.text):
        assert (REPOSITORY / "configs" / f"{config}.yaml").is_file()
    folder = (REPOSITORY / each.name).parent
    for target in LINK.findall(each.prose()):
        if not target.startswith(("http", "#", "mailto")):
            assert (folder / target.partition("#")[0]).exists(), f"{each.name} links to {target}"


def test_what_docstrings_refer_to_exists() -> None:
    package, missing = Path(sciml.__file__).parent, []
    for path in sorted(package.rglob("*.py")):
        for name in REFERENCE.findall(path.read_text(encoding="utf-8")):
            owner, _, last = name.rpartition(".")
            try:
                resolve(name)
            except AttributeError:  # a field of a dataclass has annotations alone
                if last not in getattr(resolve(owner), "__annotations__", {}):
                    missing.append(f"{path.relative_to(package)} refers to {name}")
            except ModuleNotFoundError:
                missing.append(f"{path.relative_to(package)} refers to {name}")
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("method", ["dcdm", "insr", "lpinn", "cgs", "hcmoe", "gfi", "text2pde"])
def test_the_table_of_source_files_is_complete(method: str) -> None:
    rows = re.findall(r"^\| (`.*?) \|", SOURCES.search(page(f"docs/methods/{method}.md").text)[1], re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([\w/]+(?:\.py|/))`", row)}
    package = Path(sciml.__file__).parent / method
    files = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if path.name != "__init__.py"}
    folders = {name for name in listed if name.endswith("/")}
    assert all((package / name).exists() for name in listed)
    assert {name for name in files if not name.startswith(tuple(folders))} == listed - folders


def test_the_page_of_graph_solvers_names_all_of_their_configs() -> None:
    configs = {f"cgs/{path.stem}" for path in (REPOSITORY / "configs/cgs").glob("*.yaml")}
    assert configs <= set(re.findall(r"cgs/\w+", page("docs/methods/cgs.md").text))


@pytest.mark.parametrize("each", PAGES, ids=lambda each: each.name)
def test_code_blocks_say_their_language(each: Page) -> None:
    fences = re.findall(r"^```(.*)$", each.text, re.MULTILINE)
    assert all(opening for opening in fences[::2]) and not any(fences[1::2])
