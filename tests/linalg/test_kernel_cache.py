"""The cache of compiled kernels: damage, a full disk and a folder that cannot be written cost one compilation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = """
import resource, sys
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
sys.path.insert(0, sys.argv[1])
from own_kernel import double
print(double(21), sum(double.stats.cache_hits.values()))
"""
KERNEL = """
from sciml.linalg.kernels.compiled import kernel

@kernel(nogil=True)
def double(x):
    return 2 * x
"""
COMPILED, LOADED = "42 0\n", "42 1\n"


@pytest.fixture
def run(tmp_path, repository):
    (tmp_path / "own_kernel.py").write_text(KERNEL)
    (tmp_path / "cache").mkdir()

    def call(*words: object, cache: Path | None = None) -> str:
        variables = {"PYTHONPATH": str(repository), "NUMBA_CACHE_DIR": str(cache or tmp_path / "cache")}
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), *map(str, words)]
        answer = subprocess.run(
            command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=3600, check=False
        )
        assert (answer.returncode, answer.stderr) == (0, "")
        return answer.stdout

    return call


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_kernel_is_compiled_once(run, tmp_path):
    assert (run(), run()) == (COMPILED, LOADED)
    assert {path.suffix for path in files(tmp_path / "cache")} == {".nbi", ".nbc"}


@pytest.mark.parametrize(
    ("damage", "ending"),
    [("cut", ".nbi"), ("cut", ".nbc"), ("garbage", ".nbi"), ("flip", ".nbc"), ("folder", ".nbi")],
)
def test_a_damaged_file_is_compiled_anew_and_replaced(run, tmp_path, damage, ending):
    run()
    (path,) = (path for path in files(tmp_path / "cache") if path.suffix == ending)
    content = bytearray(path.read_bytes())
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        content[len(content) // 2] ^= 1
        garbage = np.random.default_rng(0).bytes(len(content))
        changed = {"cut": bytes(content[:-40]), "garbage": garbage, "flip": bytes(content)}
        path.write_bytes(changed[damage])
    assert run() == COMPILED
    assert run() == (COMPILED if damage == "folder" else LOADED)


def test_without_room_or_a_folder_for_the_cache_every_process_compiles(run, tmp_path):
    assert (run(100), run()) == (COMPILED, COMPILED)
    assert run() == LOADED
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    run(cache=in_the_way / "cache")  # numba goes on to the folder of the source


def test_a_kernel_without_any_folder_for_its_cache_is_compiled_all_the_same(monkeypatch):
    from numba.core.caching import CompileResultCacheImpl

    from sciml.linalg.kernels.compiled import kernel

    monkeypatch.setattr(CompileResultCacheImpl, "_locator_classes", [])
    assert kernel()(lambda x: 2 * x)(21) == 42


def test_a_kernel_that_has_to_be_compiled_is_announced_once(monkeypatch, caplog):
    from numba.core.caching import CompileResultCacheImpl

    from sciml.linalg.kernels import compiled

    monkeypatch.setattr(CompileResultCacheImpl, "_locator_classes", [])
    compiled._announce.cache_clear()
    with caplog.at_level("INFO", "sciml.kernels"):
        for factor in (2, 3):
            assert compiled.kernel()(lambda x, factor=factor: factor * x)(7) == 7 * factor
    assert caplog.messages == [compiled.NOTICE_WITHOUT_CACHE]
