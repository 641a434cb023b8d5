"""Weights of single steps of a run, one safetensors file each: ``states/00012.safetensors``.

The metadata of a file hold a SHA-256 of names, shapes and numbers, without which a flipped bit would be another field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sciml import strict_json
from sciml.atomic import make_folder, write_bytes
from sciml.errors import DataFormatError, InputError
from sciml.regular_files import read_bytes

STATES = "states"
_CHECKSUM = "sha256"


def write_state(folder: Path, step: int, tensors: Mapping[str, Tensor]) -> None:
    """Write the tensors of one step into the folder of a run, which is replaced only by a whole file.

    Parameters
    ----------
    folder : of the run
    step : number of the step, at least 0
    tensors : by name, on any device
    """
    from safetensors.torch import save  # save_file does not tell a full disk from other faults

    path = _path(folder, step)
    make_folder(path.parent)
    # contiguous() leaves a single number of a column as it is, with the stride of the column
    plain = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    write_bytes(path, save(plain, metadata={_CHECKSUM: _digest(plain)}))


def read_state(folder: Path, step: int) -> dict[str, Tensor]:
    """Return the tensors of one step of the run in a folder, on the CPU.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = _path(folder, step)
    try:
        data = read_bytes(path)
        tensors = load(data)
        is_whole = _stored_digest(data) in (None, _digest(tensors))
    except (FileNotFoundError, SafetensorError, DataFormatError, KeyError) as error:  # a KeyError for unknown dtypes
        raise InputError(f"{path} is missing or damaged; solve the case again.") from error
    if not is_whole:
        raise InputError(f"{path} is damaged: its numbers do not match their checksum; solve the case again.")
    return tensors


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name!r} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _stored_digest(data: bytes) -> str | None:
    """Return the checksum in the header of a safetensors file, None in files of earlier versions."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = strict_json.parse(data[8:end].decode(errors="replace"), "the header")
    return header.get("__metadata__", {}).get(_CHECKSUM)


def _path(folder: Path, step: int) -> Path:
    return Path(folder) / STATES / f"{step:05d}.safetensors"
