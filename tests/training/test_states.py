"""The weights of single steps are read as they were written, or refused."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sciml.errors import InputError
from sciml.training.states import read_state, write_state

TENSORS = {
    "0.weight": torch.arange(6.0).reshape(2, 3).T,  # not contiguous
    "one": torch.arange(3.0)[::3],  # a column of one row, with a stride of three
    "0.bias": torch.tensor(-0.5, dtype=torch.float64),
    "count": torch.tensor([3, 4]),
    "half": torch.ones(3, dtype=torch.bfloat16),
    "none": torch.zeros(0, 2),
}


def assert_same(found: dict[str, torch.Tensor]) -> None:
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) and found[name].dtype == TENSORS[name].dtype for name in found)


@pytest.fixture
def state(tmp_path) -> Path:
    write_state(tmp_path, 12, TENSORS)
    return tmp_path / "states" / "00012.safetensors"


def test_a_state_is_read_as_it_was_written(state, tmp_path):
    assert_same(read_state(tmp_path, 12))
    with pytest.raises(InputError, match=r"00013\.safetensors is missing or damaged; solve the case again"):
        read_state(tmp_path, 13)


def test_each_flipped_bit_is_found_or_changes_no_number(state, tmp_path):
    data = state.read_bytes()
    read = 0
    for place in range(len(data)):
        state.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :])
        with suppress(InputError):
            assert_same(read_state(tmp_path, 12))
            read += 1
    assert read < len(data) / 20  # the name of the checksum, and spaces


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 100,
        (2**60).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (10**5).to_bytes(8, "little") + b"[" * 10**5,
        (len(head := json.dumps({"a": {"dtype": "F7", "shape": [1], "data_offsets": [0, 4]}}))).to_bytes(8, "little")
        + head.encode()
        + bytes(4),
    ],
    ids=["empty", "text", "long header", "list", "nested", "unknown type"],
)
def test_other_files_are_refused(state, tmp_path, data):
    state.write_bytes(data)
    with pytest.raises(InputError, match=r"00012\.safetensors is missing or damaged"):
        read_state(tmp_path, 12)


def test_a_state_of_an_earlier_version_has_no_checksum(state, tmp_path):
    save_file({name: tensor.contiguous() for name, tensor in TENSORS.items()}, state)
    assert_same(read_state(tmp_path, 12))
