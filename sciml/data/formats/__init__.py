"""Files of trajectories: one description for every layout.

`open_dataset` reads our layout, The Well's, the three of PDEBench, PDEArena's of smoke and OpenFWI's arrays and
folders, recognised by their contents. `DatasetWriter` writes ours, `convert` turns any of them into it and joins
shards, `inspect` reads everything.
"""

from __future__ import annotations

from sciml.data.formats.convert import convert
from sciml.data.formats.dataset import Dataset
from sciml.data.formats.description import DataField, Description
from sciml.data.formats.detect import open_dataset
from sciml.data.formats.inspect import FieldReport, damaged_files, damaged_parameters, damaged_places, inspect
from sciml.data.formats.places import VaryingTimes
from sciml.data.formats.varying_grid import VaryingGrid
from sciml.data.formats.varying_mesh import GroupKind, VaryingMesh
from sciml.data.formats.writer import DatasetWriter

__all__ = [
    "DataField",
    "Dataset",
    "DatasetWriter",
    "Description",
    "FieldReport",
    "GroupKind",
    "VaryingGrid",
    "VaryingMesh",
    "VaryingTimes",
    "convert",
    "damaged_files",
    "damaged_parameters",
    "damaged_places",
    "inspect",
    "open_dataset",
]
