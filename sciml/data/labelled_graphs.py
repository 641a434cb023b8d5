"""Graphs with a tag at each node and one class per graph, read from the text files of DGCNN and GIN.

The first line is the number of graphs. Each graph begins with a line ``nodes class``, and each of its nodes has a line
``tag degree neighbour neighbour ...``, whose neighbours are counted from 0 within the graph. Edges are undirected: both
ends name each other. TU data sets, such as MUTAG and PROTEINS, are spread in this format. Beside the file, a folder
``10fold_idx`` may hold the folds of a cross-validation: ``train_idx-1.txt``, ``test_idx-1.txt``, and so on, a number of
a graph per line.

References
----------
Zhang, Cui, Neumann and Chen, "An end-to-end deep learning architecture for graph classification", AAAI 2018. Xu, Hu,
Leskovec and Jegelka, "How powerful are graph neural networks?", ICLR 2019. Morris et al., "TUDataset", 2020,
arXiv:2007.08663.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from sciml.checks import shown, whole_array, whole_number
from sciml.errors import DataFormatError
from sciml.regular_files import read_text

LARGEST_FILE = 2**27  # bytes, which take 6 times as much memory, and more as graphs of one node; PROTEINS has 642,021
LARGEST_INDEX_FILE = 2**26
LARGEST_LINE = 2**22  # bytes: a node with some 700,000 neighbours
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)


@dataclass(frozen=True, eq=False)
class LabelledGraph:
    """A graph with tagged nodes and a class.

    Attributes
    ----------
    tags : (n,) of the nodes, counted from 0 in the order of the values in the file
    edges : (2, m) both directions of each edge; row 0 the source, row 1 the destination
    label : its class, counted from 0 likewise
    """

    tags: np.ndarray
    edges: np.ndarray
    label: int


@dataclass(frozen=True, eq=False)
class LabelledGraphs:
    """A set of graphs with tagged nodes and a class each.

    Attributes
    ----------
    graphs : in the order of the file
    tags, classes : the values in the file that stand for 0, 1, 2, ...
    """

    graphs: tuple[LabelledGraph, ...]
    tags: tuple[int, ...]
    classes: tuple[int, ...]

    @property
    def labels(self) -> np.ndarray:
        """The class of each graph, (graphs,)."""
        return np.array([graph.label for graph in self.graphs], np.int64)


class Fold(NamedTuple):
    """The numbers of the graphs to train on and of those to test on, each rising."""

    train: np.ndarray
    test: np.ndarray


def graphs_file(path: str | os.PathLike[str]) -> Path:
    """Return the file of the graphs: the one given, or ``NAME/NAME.txt`` of a folder ``NAME``, as of TU.

    Raises
    ------
    DataFormatError
        If a folder has no such file.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    file = path / f"{path.resolve().name}.txt"
    if not file.is_file():
        raise DataFormatError(f"{path} is a folder without {file.name}; give the file of the graphs itself.")
    return file


def read_labelled_graphs(path: str | os.PathLike[str]) -> LabelledGraphs:
    """Read a file of graphs.

    Parameters
    ----------
    path : such as ``MUTAG.txt``, or the folder ``MUTAG`` that holds it

    Raises
    ------
    DataFormatError
        If the file is cut, a count or a neighbour is wrong, or an edge is named by one of its ends only.
    """
    path = graphs_file(path)
    lines = _Lines(path, LARGEST_FILE)
    (count,) = lines.whole_numbers(1, "the number of graphs")
    if count < 1:
        lines.refuse(f"says that there are {count} graphs, expected at least 1")
    raw = [_read_graph(lines) for _ in range(count)]
    if lines.rest():
        raise DataFormatError(f"{path} has {lines.rest()} more lines after its {count} graphs, expected none.")
    tags, tag_numbers = np.unique(np.concatenate([tags for tags, _, _ in raw]), return_inverse=True)
    classes, labels = np.unique([label for _, _, label in raw], return_inverse=True)
    of_graph = np.split(tag_numbers, np.cumsum([len(tags) for tags, _, _ in raw])[:-1])
    graphs = tuple(
        LabelledGraph(numbers, edges, int(label))
        for numbers, (_, edges, _), label in zip(of_graph, raw, labels, strict=True)
    )
    return LabelledGraphs(graphs, tuple(tags.tolist()), tuple(classes.tolist()))


def read_folds(folder: str | os.PathLike[str], graphs: int) -> list[Fold]:
    """Read the folds of a cross-validation.

    Parameters
    ----------
    folder : with ``train_idx-1.txt``, ``test_idx-1.txt``, ``train_idx-2.txt``, ...
    graphs : number of graphs in the data set

    Raises
    ------
    DataFormatError
        If there is no fold, a number is out of range, a fold does not hold each graph once, or two test sets overlap.
    """
    folds: list[Fold] = []
    while (test := Path(folder) / f"test_idx-{len(folds) + 1}.txt").exists():
        parts = [_read_numbers(file, graphs) for file in (test.with_name(f"train_idx-{len(folds) + 1}.txt"), test)]
        together = np.bincount(np.concatenate(parts), minlength=graphs)
        if (together != 1).any():
            wrong = int(np.argmax(together != 1))
            raise DataFormatError(
                f"fold {len(folds) + 1} in {folder} holds graph {wrong} {together[wrong]} times, expected once, "
                "for training or for the test."
            )
        folds.append(Fold(*map(np.sort, parts)))
    if not folds:
        raise DataFormatError(f"{folder} has no file test_idx-1.txt, expected the folds of a cross-validation.")
    tested = np.bincount(np.concatenate([fold.test for fold in folds]), minlength=graphs)
    if (tested > 1).any():
        raise DataFormatError(
            f"the tests in {folder} hold graph {int(np.argmax(tested))} {tested.max()} times, expected at most once."
        )
    return folds


def stratified_folds(labels: Sequence[int] | np.ndarray, folds: int, seed: int = 0) -> list[Fold]:
    """Return random folds in whose tests each class has its share, up to one graph; a function of the seed.

    Parameters
    ----------
    labels : class of each graph
    folds : number of folds, at least 2 and at most the number of graphs
    seed : of the permutation
    """
    labels = whole_array("the labels", labels, shape=("number of graphs",))
    whole_number("the number of folds", folds, at_least=2, at_most=len(labels))
    order = np.random.default_rng([seed, len(labels)]).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    parts = [np.sort(by_class[number::folds]) for number in range(folds)]
    return [Fold(np.setdiff1d(np.arange(len(labels)), part), part) for part in parts]


def _read_graph(lines: _Lines) -> tuple[np.ndarray, np.ndarray, int]:
    """Return tags, directed edges and class of the next graph, as the file numbers them."""
    nodes, label = lines.whole_numbers(2, "a number of nodes and a class")
    first = lines.number
    if not 1 <= nodes <= lines.rest():
        lines.refuse(f"says that a graph has {nodes} nodes, and {lines.rest()} lines follow")
    tags, sources, destinations = array("q"), array("q"), array("q")  # 8 bytes a number; a list takes 40
    for node in range(nodes):
        tag, degree, *neighbours = lines.whole_numbers(None, "a tag, a degree and as many neighbours")
        if degree != len(neighbours):
            lines.refuse(f"says that a node has {degree} neighbours, and names {len(neighbours)}")
        wrong = next((each for each in neighbours if not 0 <= each < nodes), None)
        if wrong is not None:
            lines.refuse(f"names neighbour {wrong} in a graph of {nodes} nodes, expected 0 to {nodes - 1}")
        if len(set(neighbours)) < degree:
            lines.refuse("names a neighbour twice, expected each once")
        tags.append(tag)
        sources.extend(neighbours)
        destinations.extend([node] * degree)
    edges = np.array([sources, destinations], np.int64)
    forward, backward = edges[0] * nodes + edges[1], edges[1] * nodes + edges[0]
    if (alone := np.flatnonzero(~np.isin(forward, backward))).size:
        source, destination = edges[:, alone[0]].tolist()
        raise DataFormatError(
            f"the graph in line {first} of {lines.path} has {source} as a neighbour of {destination}, and not "
            f"{destination} as one of {source}; expected undirected edges."
        )
    return np.array(tags, np.int64), edges, label


def _read_numbers(path: Path, below: int) -> np.ndarray:
    """Return the whole numbers from 0 to ``below - 1`` in the lines of a file."""
    lines = _Lines(path, LARGEST_INDEX_FILE)
    numbers = []
    while lines.rest():
        numbers += lines.whole_numbers(1, "the number of a graph")
        if not 0 <= numbers[-1] < below:
            lines.refuse(f"names graph {numbers[-1]}, expected 0 to {below - 1}")
    return np.array(numbers, np.int64)


class _Lines:
    """The lines of a text file, one after another, with sentences that name the line."""

    def __init__(self, path: str | os.PathLike[str], largest: int) -> None:
        self.path, self.number = path, 0
        try:
            content = read_text(path, largest, DataFormatError)
        except UnicodeDecodeError:
            raise DataFormatError(f"{path} is not a text file, expected lines of whole numbers.") from None
        except OSError as reason:
            raise DataFormatError(f"{path} cannot be read: {reason.strerror or reason}.") from None
        self._content = content.rstrip()
        self._place, self._count = 0, self._content.count("\n") + 1

    def rest(self) -> int:
        """Return the number of lines that were not read."""
        return self._count - self.number

    def _next(self) -> str | None:
        """Return the next line, None after the last one; the lines are never all in memory one by one."""
        if not self.rest():
            return None
        end = self._content.find("\n", self._place)
        start, self._place = self._place, end + 1
        line = self._content[start : end if end >= 0 else None]
        self.number += 1
        if len(line) > LARGEST_LINE:
            self.refuse(f"has {len(line)} characters, expected at most {LARGEST_LINE}")
        return line

    def whole_numbers(self, count: int | None, meaning: str) -> list[int]:
        """Return the whole numbers in the next line, at least two if ``count`` is None."""
        line = self._next()
        if line is None:
            raise DataFormatError(f"{self.path} ends after line {self.number}, expected {meaning}; the file is cut.")
        words = line.split()
        if not all(map(_WHOLE.fullmatch, words)) or (len(words) < 2 if count is None else len(words) != count):
            self.refuse(f"is {shown(line)}, expected {meaning}")
        return list(map(int, words))

    def refuse(self, what: str) -> NoReturn:
        """Raise an error about the line that was read last."""
        raise DataFormatError(f"line {self.number} of {self.path} {what}.")
