"""Weights of single steps of a run, one safetensors file each: ``states/00012.safetensors``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sciml.atomic import make_folder, write_bytes
from sciml.errors import InputError
from sciml.regular_files import regular_file

STATES = "states"


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
    write_bytes(path, save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))


def read_state(folder: Path, step: int) -> dict[str, Tensor]:
    """Return the tensors of one step of the run in a folder, on the CPU.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = _path(folder, step)
    try:
        return load_file(regular_file(path))
    except (FileNotFoundError, SafetensorError) as error:
        raise InputError(f"{path} is missing or damaged; solve the case again.") from error


def _path(folder: Path, step: int) -> Path:
    return Path(folder) / STATES / f"{step:05d}.safetensors"
