"""Plans of data sets: everything that the result of `sciml.data.generate` depends on, and where it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.commands import command_line
from sciml.data.formats import Description
from sciml.data.generators import SHOT_GENERATORS, Sample, generator_of
from sciml.data.outputs import OneFile, Output, PairFolder

if TYPE_CHECKING:
    from sciml.data.shots import Shots


@dataclass(frozen=True)
class Plan:
    """A plan of a data set: everything that its file depends on.

    Attributes
    ----------
    name : key of `sciml.data.generators.GENERATORS`
    generator : with its options
    count : trajectories of the whole data set
    seed : of the random streams
    """

    name: str
    generator: Any
    count: int
    seed: int

    @property
    def command(self) -> str:
        """The shell command that makes the same data set, with all options."""
        words = [f"{key}={value}" for key, value in asdict(self.generator).items()]
        return command_line("data", "generate", self.name, *words, "-n", str(self.count), "--seed", str(self.seed))

    def describe(self, first: int, stop: int) -> Description:
        """Describe the file with the trajectories first to stop - 1."""
        return replace(
            self.generator.describe(),
            trajectories=stop - first,
            generator=self.command,
            seed=self.seed,
            part=self.part(first, stop),
        )

    def part(self, first: int, stop: int) -> tuple[int, int, int] | None:
        """Return what a description says of the trajectories first to stop - 1: None if they are all."""
        return None if (first, stop) == (0, self.count) else (first, stop, self.count)

    def sample(self, number: int) -> Sample:
        """Return the sample with a number."""
        return self.generator.sample(np.random.default_rng([self.seed, number]))

    def output(self, path: Path, first: int, stop: int) -> Output:
        """Return where the trajectories first to stop - 1 are written.

        Parameters
        ----------
        path : that the user named
        first, stop : the share of this call
        """
        return OneFile(self, path, first, stop)


class PairPlan(Plan):
    """A plan of velocity maps and shot records, which become a folder."""

    generator: Shots

    def sample(self, number: int) -> Sample:
        """Return the sample with a number."""
        return self.generator.sample(self.seed, number)

    def output(self, path: Path, first: int, stop: int) -> Output:
        """Return where the maps first to stop - 1 are written.

        Parameters
        ----------
        path : that the user named
        first, stop : the share of this call
        """
        self.generator.check_count(self.count)
        return PairFolder(self, path, first, stop)


def plan_of(name: str, options: Mapping[str, str] | None, count: int, seed: int) -> Plan:
    """Return the plan of a data set with options given as text.

    Parameters
    ----------
    name : key of `sciml.data.generators.GENERATORS`
    options : of the generator, by name
    count : trajectories
    seed : of the random streams
    """
    kind = PairPlan if name in SHOT_GENERATORS else Plan
    return kind(name, generator_of(name, options), count, seed)
