"""Experts shared out among two gloo ranks equal those of one process, in values and in gradients."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
import torch

from sciml.errors import InputError
from sciml.hcmoe.ranks import mean_over_ranks, share_of

PROGRAM = Path(__file__).with_name("ranks_program.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    words = [sys.executable, "-W", "ignore", str(PROGRAM), str(folder), "2"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("coupling", ["faces", "independent"])
def test_two_ranks_equal_one_process_to_rounding(folder: Path, coupling: str) -> None:
    location = util.spec_from_file_location("ranks_program", PROGRAM)
    program = util.module_from_spec(location)
    location.loader.exec_module(program)
    expected = program.solved(False, coupling)
    assert all(float(expected[name].abs().max()) > 1e-3 for name in program.GRADIENTS)
    for rank in range(2):
        found = torch.load(folder / f"{coupling}_{rank}.pt", weights_only=True)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(found["mean"], torch.tensor([1.5, 1.0]).double())  # of 0, 1 and 3, 1


def test_experts_are_not_shared_out_without_a_process_group() -> None:
    with pytest.raises(InputError, match="expected a process group"):
        share_of(4)


def test_the_mean_over_a_single_process_has_the_same_bits() -> None:
    values = torch.tensor([0.1, -3.0]).double()
    assert torch.equal(mean_over_ranks(values), values)
