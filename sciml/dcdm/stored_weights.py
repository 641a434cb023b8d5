"""The weights that are shipped, and how a file of weights becomes a module."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from torch import nn

from sciml.errors import CheckpointError, InputError

FOLDER = Path(__file__).parent / "weights"
# Method of `solve` -> the task that trains it
TASKS = {"dcdm": "sciml.dcdm.DirectionTask", "learned": "sciml.dcdm.MultigridTask"}

Module = TypeVar("Module", bound=nn.Module)


def shipped(method: str) -> dict[str, dict[str, Any]]:
    """Return what is known about the shipped weights of a method by name: ``config``, ``command``, ``metrics`` ...

    Parameters
    ----------
    method : ``"dcdm"`` or ``"learned"``
    """
    found = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}
    return {
        name: {"method": method} | about
        for name, about in found.items()
        if about["config"]["task"]["class_path"] == TASKS[method]
    }


def find(method: str, weights: str | Path) -> Path:
    """Return the file of weights that are shipped under a name, or the file itself."""
    path = Path(weights)
    if path.suffix or path.parent != Path():
        return path
    known = shipped(method)
    if path.name not in known:
        raise InputError(f"there are no shipped weights {path.name!r}, expected one of {', '.join(known)}.")
    return FOLDER / f"{path.name}.safetensors"


def read_module(path: Path, method: str, prefix: str, make: Callable[[dict[str, Any]], Module]) -> Module:
    """Return a module with the weights in a safetensors file, fixed.

    Nothing of the file is run, and what trains, which takes seconds to import, is not needed.

    Parameters
    ----------
    path : the ``.safetensors`` file; its config lies beside it with the ending ``.yaml``
    method : whose weights they should be
    prefix : of their names, such as ``"network."``
    make : the module without its weights from the ``init_args`` of the task

    Raises
    ------
    CheckpointError
        A file is missing or damaged, or belongs to another method.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        values = yaml.safe_load(path.with_suffix(".yaml").read_text(encoding="utf-8"))
        task, sha256 = values["config"]["task"], values["sha256"]
        data = path.read_bytes()
        weights = load(data)
    except (OSError, SafetensorError, yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} and the .yaml beside it are no exported weights: {error}.") from error
    if task["class_path"] != TASKS[method]:
        raise CheckpointError(f"{path} holds weights of {task['class_path']}, expected {TASKS[method]}.")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CheckpointError(f"{path} is not the file that its .yaml describes; get both anew.")
    module = make(task["init_args"])
    own = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit the network that its .yaml describes: {error}.") from error
    return module.eval().requires_grad_(False)
