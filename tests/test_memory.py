"""What does not fit into the memory is refused before it is allocated, and shortages are told in our words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sciml.data.formats.shot_files import read_values
from sciml.errors import ConfigError, InputError
from sciml.memory import GIBIBYTE, check_memory, machine_memory, shortage
from sciml.numerics.allocation import fitting_parameters
from sciml.reference.waves import Acquisition, WaveSolver
from sciml.training.config import load_config


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the bytes of a machine with one mebibyte."""
    monkeypatch.setattr("sciml.memory.machine_memory", lambda: 2**20)
    return 2**20


def test_what_fits_is_taken_and_a_byte_more_is_not(little_memory: int) -> None:
    check_memory("it takes", little_memory, "give less")
    with pytest.raises(InputError, match=r"it takes 0\.000978 GiB of memory, expected at most .*; give less"):
        check_memory("it takes", 1.001 * little_memory, "give less")


def test_a_machine_has_some_memory() -> None:
    assert machine_memory() > GIBIBYTE // 8


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "needs more memory than is available"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 3221225472 bytes."), "3 GiB"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 3221225472 bytes."), "3 GiB"),
        (RuntimeError("CUDA error: out of memory"), "out of memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), "ALLOC_FAILED"),
        (RuntimeError("numel: integer multiplication overflow"), "overflow"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None),
        (ValueError("out of memory"), None),
    ],
)
def test_a_shortage_is_told_apart_from_other_errors(error: Exception, words: str | None) -> None:
    found = shortage(error)
    assert found is None if words is None else words in found


def test_what_torch_says_of_sizes_beyond_all_memory_is_a_shortage() -> None:
    for size in ((2**40, 2**20), (2**62, 2**62)):
        with pytest.raises(RuntimeError) as caught:
            torch.empty(size)
        assert shortage(caught.value) is not None


def test_layers_that_do_not_fit_together_are_refused_though_each_of_them_fits(little_memory: int) -> None:
    with fitting_parameters():
        torch.nn.Linear(100, 100)
    with fitting_parameters(), pytest.raises(InputError, match="choose a smaller network"):
        [torch.nn.Linear(200, 200) for _ in range(8)]
    torch.nn.Linear(1000, 1000)  # the limit has ended with the block


def test_a_config_with_a_network_that_does_not_fit_is_refused_by_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = load_config("gfi/curvevel_a_cpu", ["task.init_args.network.init_args.width=1024"])
    monkeypatch.setattr("sciml.memory.machine_memory", lambda: 2**24)
    with pytest.raises(ConfigError, match=r"task\.init_args\.network\.init_args: the weights of the network"):
        wide.build_task()


def test_a_config_that_no_machine_could_hold_is_refused_in_our_words() -> None:
    with pytest.raises(ConfigError, match=r"network\.init_args needs more memory than is available .*; choose"):
        load_config("gfi/curvevel_a_cpu", ["task.init_args.network.init_args.width=1000000000000"]).build_task()


def test_waves_that_do_not_fit_are_refused_before_they_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    solver = WaveSolver(Acquisition.openfwi())
    velocities = torch.full((1, 70, 70), 2000.0, requires_grad=True)
    records = 4 * 5 * 1000 * 70
    for memory, words in (
        (records - 1, "the records take"),
        (records + 1, "fields for the gradient of the records take"),
    ):
        monkeypatch.setattr("sciml.memory.machine_memory", lambda memory=memory: memory)
        with pytest.raises(InputError, match=words):
            solver(velocities)
    assert solver.count == 0


def test_records_in_a_file_that_do_not_fit_are_refused_before_they_are_read(tmp_path: Path, little_memory: int) -> None:
    np.save(tmp_path / "shots.npy", np.zeros((5, 1000, 70), np.float32))
    with pytest.raises(InputError, match=r"to read the records of .*shots\.npy takes"):
        read_values(tmp_path / "shots.npy", "the records")
