"""Data sets: files of trajectories on grids and meshes, how to make them, and how to feed them to training.

`open_dataset` reads a file in our layout, PDEBench's or The Well's; `generate` makes data sets; `FieldData` and `Draws`
give batches to training; `Normaliser` lives in the checkpoint.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sciml.data.modules import Draws
    from sciml.data.sampling import EpochShuffle

_HOMES = {
    "Draws": "sciml.data.modules",
    "EpochShuffle": "sciml.data.sampling",
}
__all__ = ["Draws", "EpochShuffle"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
