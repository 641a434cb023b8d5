"""Boxes of one half of a rock to train on, and its other half to test on: the law of the conductances is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sciml.cgs.data import PoreNetworks, to_batch
from sciml.checks import positive, whole_number
from sciml.errors import ConfigError, InputError
from sciml.reference.pore_network_boxes import cut_box, random_box
from sciml.reference.pore_network_files import read_network
from sciml.reference.pore_network_laws import circular
from sciml.reference.pore_networks import PoreNetwork

if TYPE_CHECKING:
    from torch_geometric.data import Batch

TEST_STREAM = 3  # of the draws of boxes to test on
NEAR = 1e-7  # of the extent of the rock: how near to a face a pore lies on it
SPLIT = 1  # the axis across which the rock is halved


class RockBoxes(PoreNetworks):
    """Cubes cut out of one half of a rock at random places, with flow along random axes, for training and validation.

    The rock is halved across its second axis. The test sets are cubes of the other half (``boxes``), that half
    (``other_half``) and the whole rock (``rock``), both with flow along the first axis.

    Parameters
    ----------
    network : a file that `sciml.reference.pore_network_files.read_network` takes, with conductances; its points have
        coordinates from 0 on
    edges : smallest and largest edge of a cube in m
    graphs : cubes in a batch of training
    batches_per_epoch : of training
    validation_graphs, test_graphs : cubes to validate and to test on
    seed : of the cubes for validation and test
    """

    def __init__(
        self,
        network: str,
        edges: tuple[float, float],
        graphs: int = 16,
        batches_per_epoch: int = 1,
        validation_graphs: int = 8,
        test_graphs: int = 16,
        seed: int = 0,
    ) -> None:
        super().__init__(
            graphs=graphs, batches_per_epoch=batches_per_epoch, validation_graphs=validation_graphs, seed=seed
        )
        self.path = Path(network)
        self.edges = tuple(positive("an edge of the boxes", edge, error=ConfigError) for edge in edges)
        if not self.edges[0] <= self.edges[1]:
            raise ConfigError(f"the edges of the boxes are {self.edges}, expected the smaller one first.")
        self.test_graphs = whole_number("test_graphs", test_graphs, at_least=1, error=ConfigError)

    def prepare_data(self) -> None:
        """Read the rock, so that a wrong file is found before the first epoch."""
        _ = self.rock

    @cached_property
    def rock(self) -> PoreNetwork:
        """The part of the rock that connects its inlet and outlet."""
        if not self.path.exists():
            raise InputError(
                f"the network {self.path} does not exist; give a file in Statoil format (PREFIX_node1.dat), an .npz or "
                "a mesh of lines as data.init_args.network=PATH."
            )
        rock, _ = read_network(self.path).trimmed()
        extents = np.ptp(rock.points, axis=0) * np.where(np.arange(3) == SPLIT, 0.5, 1.0)
        if self.edges[1] > extents.min():
            raise InputError(
                f"boxes of edges up to {self.edges[1]:g} m do not fit into a half of {extents.tolist()} m."
            )
        return rock

    @cached_property
    def test_networks(self) -> dict[str, list[PoreNetwork]]:
        """The networks of each test set by its name, the headline first."""
        lower, upper = self._half(1)
        random = np.random.default_rng([TEST_STREAM, self.seed])
        boxes = [random_box(self.rock, lower, upper, self.edges, random) for _ in range(self.test_graphs)]
        return {"other_half": [cut_box(self.rock, lower, upper)], "rock": [self.rock], "boxes": boxes}

    def test_sets(self) -> dict[str, list[Batch]]:
        """Return the batches of each test set by its name."""
        return {name: [to_batch([each]) for each in networks] for name, networks in self.test_networks.items()}

    def baselines(self) -> dict[str, float]:
        """Return the mean relative error of the permeability by circular cross sections for each test set."""
        return {
            f"circular_permeability_error_{name}": float(
                np.mean([abs(each.permeability(circular(each)) / each.permeability() - 1.0) for each in networks])
            )
            for name, networks in self.test_networks.items()
        }

    def _half(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the corners of a half of the rock: its inlet and outlet lie beyond, all other pores inside."""
        corners = np.stack([self.rock.points.min(axis=0), self.rock.points.max(axis=0)])
        corners += NEAR * (corners[1] - corners[0]) * np.array([[1, -1, -1], [-1, 1, 1]])
        corners[1 - number, SPLIT] = corners[:, SPLIT].mean()
        return corners[0], corners[1]

    def _network(self, random: np.random.Generator, base: Sequence[int], grows: bool = False) -> PoreNetwork:
        return random_box(self.rock, *self._half(0), self.edges, random)
