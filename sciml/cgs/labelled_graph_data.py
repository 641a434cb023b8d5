"""Graphs with a class each, in batches: training, validation and test of one fold of a cross-validation."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from sciml.checks import whole_number
from sciml.data.labelled_graphs import (
    Fold,
    LabelledGraph,
    graphs_file,
    read_folds,
    read_labelled_graphs,
    stratified_folds,
)
from sciml.data.sampling import EpochShuffle
from sciml.errors import ConfigError, InputError

if TYPE_CHECKING:
    from torch_geometric.data import Data

INDICES = "10fold_idx"  # the folder beside the file that holds the usual folds
INNER_FOLDS = 10  # one of these parts of the training set is for validation
EVALUATED = 256  # graphs at a time in validation and test


class LabelledGraphData(LightningDataModule):
    """Graphs of a text file (:mod:`sciml.data.labelled_graphs`) for one fold of a cross-validation.

    The folds are those in the folder ``10fold_idx`` beside the file, if there is one and no seed of a split is given.
    A tenth of the graphs of training, with the same shares of the classes, is kept for validation.

    Parameters
    ----------
    path : of the file, such as ``MUTAG.txt``, or of the folder ``MUTAG`` that holds it; read when graphs are needed
    fold : number of the fold, from 0
    folds : how many there are, where they are drawn
    split : seed of folds that are drawn even though there are usual ones
    batch_size : graphs in a batch
    seed : of the order, and of the graphs for validation
    """

    def __init__(
        self,
        path: str,
        fold: int = 0,
        folds: int = 10,
        split: int | None = None,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.folds = whole_number("folds", folds, at_least=2, error=ConfigError)
        self.fold = whole_number("fold", fold, at_least=0, error=ConfigError)
        self.split = None if split is None else whole_number("split", split, at_least=0, error=ConfigError)
        self.batch_size = whole_number("batch_size", batch_size, at_least=1, error=ConfigError)
        self.seed = whole_number("seed", seed, at_least=0, error=ConfigError)
        self.path = path

    @cached_property
    def graphs(self) -> list[Data]:
        """All graphs of the file: ``tag`` (n,), ``edge_index`` (2, m) and ``y`` (1,), the class."""
        return [_to_data(graph) for graph in read_labelled_graphs(self._file()).graphs]

    @cached_property
    def all_folds(self) -> list[Fold]:
        """The folds of the cross-validation."""
        usual = self._file().parent / INDICES
        if self.split is None and usual.is_dir():
            return read_folds(usual, len(self.graphs))
        self._check_enough("graphs", len(self.graphs), self.folds)
        return stratified_folds([int(graph.y) for graph in self.graphs], self.folds, self.split or 0)

    @cached_property
    def parts(self) -> dict[str, list[int]]:
        """Numbers of the graphs for ``train``, ``validate`` and ``test``."""
        whole_number(f"fold of {self.path}", self.fold, at_most=len(self.all_folds) - 1, error=ConfigError)
        train, test = self.all_folds[self.fold]
        self._check_enough("graphs for training in a fold", len(train), INNER_FOLDS)
        inner = stratified_folds([int(self.graphs[i].y) for i in train], INNER_FOLDS, self.seed)[0]
        return {
            "train": train[inner.train].tolist(),
            "validate": train[inner.test].tolist(),
            "test": test.tolist(),
        }

    def of_fold(self, fold: int) -> LabelledGraphData:
        """Return the data of another fold, which shares the graphs that have been read.

        Parameters
        ----------
        fold : its number, from 0
        """
        _ = self.all_folds
        other = copy.copy(self)
        other.__dict__.pop("parts", None)
        other.fold = whole_number("fold", fold, at_least=0, error=ConfigError)
        return other

    def train_dataloader(self) -> DataLoader:
        """Return the graphs of training, in an order that depends on seed and epoch."""
        graphs = self._part("train")
        order = EpochShuffle(len(graphs), self.seed)
        return DataLoader(graphs, self.batch_size, sampler=order, collate_fn=_batch)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader:
        """Return the graphs of validation."""
        return DataLoader(self._part("validate"), EVALUATED, collate_fn=_batch)  # type: ignore[arg-type]

    def test_dataloader(self) -> DataLoader:
        """Return the graphs of the test."""
        return DataLoader(self._part("test"), EVALUATED, collate_fn=_batch)  # type: ignore[arg-type]

    def _file(self) -> Path:
        if not Path(self.path).exists():
            raise InputError(
                f"the file of graphs {self.path} does not exist; give such a file, or its folder, as "
                "data.init_args.path=PATH."
            )
        return graphs_file(self.path)

    def _check_enough(self, what: str, count: int, parts: int) -> None:
        if count < parts:
            raise InputError(
                f"{self.path} has {count} {what}, which are split into {parts} parts; expected at least as many, or "
                "fewer folds."
            )

    def _part(self, name: str) -> list[Data]:
        return [self.graphs[number] for number in self.parts[name]]


def _batch(graphs: Sequence[Data]) -> Data:
    from torch_geometric.data import Batch

    return Batch.from_data_list(list(graphs))


def _to_data(graph: LabelledGraph) -> Data:
    from torch_geometric.data import Data

    return Data(
        tag=torch.from_numpy(graph.tags),
        edge_index=torch.from_numpy(graph.edges),
        y=torch.tensor([graph.label]),
        num_nodes=len(graph.tags),
    )
