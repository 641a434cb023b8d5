"""The base class of families of instances, on which operators are trained without solutions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from sciml.data.modules import Draws
from sciml.hcmoe.families.comparison import Comparison
from sciml.hcmoe.layer import ConstraintOutput

Instances = Mapping[str, Tensor]
"""What instances differ in, by name, one along the first axis of each; there is no solution among it."""


class Objective(Protocol):
    """A module that constrains the outputs of a network as a family does: the combination, and a loss."""

    @property
    def fields(self) -> tuple[int, int]:
        """The numbers of experts and of fields beside the outputs, whose weights are 1."""

    def __call__(
        self, outputs: Tensor, instances: Instances, generator: torch.Generator, guess: Tensor
    ) -> ConstraintOutput:
        r"""Return the combination that satisfies the equation best.

        Parameters
        ----------
        outputs : a basis, ``(instances, \*shape, N)``
        instances : what they are outputs for
        generator : of points that are drawn
        guess : weights from which the iteration begins, ``(1, experts, N + fields beside)``
        """

    def squares(
        self, outputs: Tensor, instances: Instances, generator: torch.Generator, guess: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the sums of squares as a loss, means over the instances by name, and the weights.

        They are the least ones but for an iteration that ends early, as in training.
        """


class Family(ABC):
    """Instances of a problem on a grid: how they are drawn, what a network sees of them, what a field has to obey.

    Attributes
    ----------
    shape : of the grid, time first
    channels : of the inputs of a network
    terms : the names of the terms of the loss
    cases : the class of data that have solutions of such instances
    """

    shape: tuple[int, ...]
    channels: int
    terms: tuple[str, ...]
    cases: type[Draws]

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return instances, as a function of the generator alone."""

    @abstractmethod
    def inputs(self, instances: Instances) -> Tensor:
        r"""Return what a network sees, ``(instances, \*shape, channels)``, each channel of order 1."""

    @abstractmethod
    def unconstrained(self, outputs: Tensor, instances: Instances) -> Tensor:
        r"""Return the field of a network by itself, in float64: the start and the sum of the outputs.

        Parameters
        ----------
        outputs : ``(instances, \*shape, N)``
        instances : what they are outputs for
        """

    @abstractmethod
    def squares(self, u: Tensor, instances: Instances, *, training: bool = False) -> dict[str, Tensor]:
        r"""Return the mean squares of residual and conditions of a field by name, the :attr:`terms`.

        Parameters
        ----------
        u : ``(instances, \*shape)``
        instances : what it is a field of
        training : whether points that training may not see are left out
        """

    @abstractmethod
    def objective(self, *, experts: bool, training: bool = False) -> Objective:
        """Return the constraint: one expert, or those that the family is set to have.

        Parameters
        ----------
        experts : whether there are several
        training : whether it is that of training: with few iterations, and without points that it may not see
        """

    @abstractmethod
    def compared(self, u: Tensor, case: Mapping[str, Tensor]) -> Tensor:
        r"""Return a field at the points of a solution.

        Parameters
        ----------
        u : ``(instances, \*shape)``
        case : a batch of validation
        """

    @abstractmethod
    def instances(self, case: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the instances of solutions, on the grid of the family.

        Parameters
        ----------
        case : a batch of validation
        """

    @abstractmethod
    def check_cases(self, data: Any) -> None:
        """Refuse data, of the class :attr:`cases`, whose solutions are of another problem than the instances.

        Raises
        ------
        ConfigError
            If a number of the problem differs, or the solutions go on for longer than the family.
        """

    @abstractmethod
    def predict(
        self,
        source: Path,
        output: Path,
        operator: Callable[[Instances], Tensor],
        picture: Comparison | None = None,
    ) -> dict[str, float]:
        """Write the solutions of the instances in a file, with their residuals; return numbers about them.

        Parameters
        ----------
        source : data set whose first steps are the starts
        output : data set on the grid of the family
        operator : returns the solutions of instances
        picture : of the first of them
        """
