"""Data sets: files of trajectories on grids and meshes, how to make them, and how to feed them to training.

`open_dataset` reads a file in our layout, PDEBench's or The Well's; `generate` makes data sets; `FieldData` and `Draws`
give batches to training; `Normaliser` lives in the checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from sciml.data.formats import (
        DataField,
        Dataset,
        DatasetWriter,
        Description,
        GroupKind,
        VaryingGrid,
        VaryingMesh,
        VaryingTimes,
        convert,
        inspect,
        open_dataset,
    )
    from sciml.data.generation import generate
    from sciml.data.modules import Draws, FieldData, SampleData
    from sciml.data.normalise import Normaliser
    from sciml.data.sampling import EpochShuffle

_HOMES = {
    "DataField": "sciml.data.formats",
    "Dataset": "sciml.data.formats",
    "DatasetWriter": "sciml.data.formats",
    "Description": "sciml.data.formats",
    "Draws": "sciml.data.modules",
    "EpochShuffle": "sciml.data.sampling",
    "FieldData": "sciml.data.modules",
    "GroupKind": "sciml.data.formats",
    "Normaliser": "sciml.data.normalise",
    "SampleData": "sciml.data.modules",
    "VaryingGrid": "sciml.data.formats",
    "VaryingMesh": "sciml.data.formats",
    "VaryingTimes": "sciml.data.formats",
    "convert": "sciml.data.formats",
    "generate": "sciml.data.generation",
    "inspect": "sciml.data.formats",
    "open_dataset": "sciml.data.formats",
}
__all__ = [
    "DataField",
    "Dataset",
    "DatasetWriter",
    "Description",
    "Draws",
    "EpochShuffle",
    "FieldData",
    "GroupKind",
    "Normaliser",
    "SampleData",
    "VaryingGrid",
    "VaryingMesh",
    "VaryingTimes",
    "convert",
    "generate",
    "inspect",
    "open_dataset",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
