"""Pore networks to train on: drawn anew for every batch, or from the file of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch.utils.data import DataLoader

from sciml.checks import choice, whole_number
from sciml.data.modules import Draws, SampleData
from sciml.data.pore_networks import sample_labels, sample_network
from sciml.data.samples import Sample
from sciml.data.sampling import EpochShuffle
from sciml.errors import ConfigError, InputError
from sciml.mesh.graph import graph_of_edges
from sciml.reference.pore_network_laws import LAWS
from sciml.reference.pore_network_tessellations import TESSELLATIONS
from sciml.reference.pore_networks import CLIPS, PoreNetwork, length_at_density, random_network

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data

VALIDATION, TEST, EXAMPLE = 1, 2, 3  # streams of the draws that training never sees
BATCH = 16  # graphs at a time in validation and test
# PyTorch Geometric shifts tensors of these names as if they were numbers of nodes.
RESERVED = ("index", "batch", "face", "adj")


@dataclass(frozen=True)
class NetworkSet:
    """A set of networks to test on.

    Parameters
    ----------
    base : from so many base points of the tessellation to one less than so many
    graphs : how many networks
    grows : whether the cube grows with the number of base points, so that they lie as densely as 50 in the usual one
    """

    base: tuple[int, int]
    graphs: int = 64
    grows: bool = False


class PoreNetworks(Draws):
    """Random pore networks with their pressures and permeabilities, as published: fresh ones for every batch.

    A batch of training is a counter: the task draws its networks as a function of (seed, update). Networks for
    validation and test are drawn once, from other streams.

    With ``path``, networks come from the file of a data set instead (:mod:`sciml.data.pore_networks`): a batch is drawn
    from its training split, and there is one test set, ``test``. Labels are the pressures and the permeability that
    the file has, whichever they are.

    Parameters
    ----------
    tessellation : ``"delaunay"`` or ``"voronoi"``
    law : of the conductances: ``"hagen_poiseuille"``, ``"conduits"`` or ``"shape_factors"``
    base : from so many base points of the tessellation to one less than so many
    graphs : networks in a batch of training
    batches_per_epoch : of training
    validation_graphs : networks in the validation set
    tests : test sets by name, the headline first
    clip : of the pore diameters, ``"network"`` as published or ``"pore"``
    seed : of the networks for validation and test, and of the split of a file
    path : of a data set, such as one that ``sciml data generate pore_networks`` has written; None draws networks
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        tessellation: Literal["delaunay", "voronoi"] = "delaunay",
        law: Literal["hagen_poiseuille", "conduits", "shape_factors"] = "hagen_poiseuille",
        base: tuple[int, int] = (13, 87),
        graphs: int = 32,
        batches_per_epoch: int = 1,
        validation_graphs: int = 32,
        tests: dict[str, NetworkSet] | None = None,
        clip: Literal["network", "pore"] = "network",
        seed: int = 0,
        path: str | None = None,
    ) -> None:
        super().__init__(batches_per_epoch, validation_graphs)
        self.tessellation = choice("tessellation", tessellation, TESSELLATIONS, error=ConfigError)
        self.law = LAWS[choice("law", law, LAWS, error=ConfigError)]
        self.base, self.clip = _checked_base(base), choice("clip", clip, CLIPS, error=ConfigError)
        self.graphs = whole_number("graphs", graphs, at_least=1, error=ConfigError)
        self.tests = {"test": NetworkSet(base)} if tests is None else dict(tests)
        for test in self.tests.values():
            _checked_base(test.base)
            whole_number("graphs of a test set", test.graphs, at_least=1, error=ConfigError)
        self.seed = whole_number("seed", seed, at_least=0, error=ConfigError)
        self.file = None if path is None else SampleData(path, seed=seed)

    def draw(self, random: torch.Generator) -> Batch:
        """Return the networks of a batch of training.

        Parameters
        ----------
        random : of the update
        """
        numbers = np.random.default_rng(int(torch.randint(2**62, (), generator=random, device=random.device)))
        if self.file is not None:
            samples = self.file.samples("train")
            return collate([self._graph(samples[int(i)]) for i in numbers.integers(len(samples), size=self.graphs)])
        return to_batch([self._network(numbers, self.base) for _ in range(self.graphs)])

    def example(self) -> Batch:
        """Return one network like those of training, always the same one."""
        if self.file is not None:
            return collate([self._graph(self.file.samples("train")[0])])
        return to_batch([self._network(_numbers(self.seed, EXAMPLE), self.base)])

    def val_dataloader(self) -> DataLoader | list:
        """Return the validation set in batches."""
        if not self.validation_batches:
            return []
        if self.file is not None:
            batches = list(self._stored("validate"))
        else:
            batches = list(self._batches(VALIDATION, NetworkSet(self.base, self.validation_batches)))
        return DataLoader(batches, batch_size=None, sampler=EpochShuffle(len(batches), shuffle=False))

    def test_sets(self) -> dict[str, list[Batch]]:
        """Return the batches of each test set by its name.

        Raises
        ------
        InputError
            If the file has so few networks that none is left for tests.
        """
        if self.file is None:
            sets = enumerate(self.tests.items())
            return {name: list(self._batches(TEST, test, number)) for number, (name, test) in sets}
        stored = list(self._stored("test"))
        if not stored:
            raise InputError(f"{self.file.path} has no networks left for tests, expected at least 10 networks in all.")
        return {"test": stored}

    def baselines(self) -> dict[str, float]:
        """Return errors of methods without learning on the test sets, by name; none by default."""
        return {}

    def _batches(self, stream: int, test: NetworkSet, number: int = 0) -> Iterator[Batch]:
        for first in range(0, test.graphs, BATCH):
            members = range(first, min(first + BATCH, test.graphs))
            draws = (_numbers(self.seed, stream, number, member) for member in members)
            yield to_batch([self._network(random, test.base, test.grows) for random in draws])

    def _stored(self, part: str) -> Iterator[Batch]:
        samples = self.file.samples(part)
        for first in range(0, len(samples), BATCH):
            yield collate([self._graph(samples[i]) for i in range(first, min(first + BATCH, len(samples)))])

    def _graph(self, sample: Sample) -> Data:
        """Return a sample of the file as a graph; an error names the file and the sample."""
        try:
            return sample_graph(sample)
        except InputError as error:
            known = f"sample {sample.number}"
            place = str(self.file.path) if known in str(error) else f"{self.file.path}, {known}"
            raise InputError(f"{place}: {error}") from error

    def _network(self, random: np.random.Generator, base: Sequence[int], grows: bool = False) -> PoreNetwork:
        count = int(random.integers(*base))
        length = length_at_density(count, USUAL) if grows else length_at_density(1, 1)
        return random_network(self.tessellation, count, random, self.law, length=length, clip=self.clip)


USUAL = 50  # base points of a network of training in the middle


def to_batch(networks: Sequence[PoreNetwork]) -> Batch:
    """Return networks with conductances as one graph batch, with their pressures ``y`` and permeabilities."""
    return collate([_solved_graph(network) for network in networks])


def collate(graphs: Sequence[Data]) -> Batch:
    """Return graphs as one batch."""
    from torch_geometric.data import Batch  # 2 s to import

    return Batch.from_data_list(list(graphs))


def network_graph(network: PoreNetwork, pressure: np.ndarray | None = None, permeability: float | None = None) -> Data:
    """Return a pore network as a graph, in float64 and SI units.

    ``pos`` ``(N, 3)``; ``pinned`` ``(N,)`` in inlet and outlet, ``pinned_values`` there, 1 and 0; ``length`` and
    ``area`` ``(1,)``; ``pore_NAME`` ``(N,)`` and ``throat_NAME`` ``(m,)`` of all columns, but those whose names would
    have PyTorch Geometric shift them. Labels are ``y`` ``(N,)`` and ``permeability`` ``(1,)``.

    Parameters
    ----------
    network : connected
    pressure : ``(N,)``, relative to that of the inlet
    permeability : in m^2
    """
    given = {f"pore_{name}": values for name, values in network.pores.items()}
    given |= {f"throat_{name}": values for name, values in network.columns.items()}
    given = {name: values for name, values in given.items() if not any(word in name for word in RESERVED)}
    given |= {"pos": network.points, "length": [network.length], "area": [network.area]}
    given |= {"pinned_values": network.inlet.astype(float)}
    if pressure is not None:
        given["y"] = pressure
    if permeability is not None:
        given["permeability"] = [permeability]
    tensors = {name: torch.tensor(np.asarray(values, dtype=float)) for name, values in given.items()}
    pinned = torch.tensor(network.inlet | network.outlet)
    return graph_of_edges(network.throats, network.n_pores, pinned=pinned, **tensors)


def sample_graph(sample: Sample) -> Data:
    """Return a sample of a data set of pore networks as a graph, with the labels that it has."""
    return network_graph(sample_network(sample), *sample_labels(sample))


def _solved_graph(network: PoreNetwork) -> Data:
    """Return a network with conductances as a graph, with the labels that follow from them."""
    return network_graph(network, network.pressures(), network.permeability())


def _numbers(*key: int) -> np.random.Generator:
    return np.random.default_rng([len(key), *key])


def _checked_base(base: Sequence[int]) -> tuple[int, int]:
    low, high = base
    whole_number("the smallest number of base points", low, at_least=4, error=ConfigError)
    whole_number("the number of base points", high, at_least=low + 1, error=ConfigError)
    return low, high
