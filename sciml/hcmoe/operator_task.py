"""Operators that are learned from an equation alone: instances of a problem in, their solutions on a grid out.

The network sees what the instances of a family differ in, and the loss knows the equation, start and conditions; there
is no solution in a batch of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import lightning
import torch
from torch import Tensor, nn

from sciml.checks import choice, instance, whole_number
from sciml.errors import ConfigError
from sciml.hcmoe.families.base import Family, Instances
from sciml.hcmoe.families.comparison import Comparison
from sciml.hcmoe.ranks import mean_over_ranks
from sciml.nets.fno import FourierNeuralOperator
from sciml.nets.time_polynomials import PolynomialsInTime
from sciml.run_folder import check_writable
from sciml.tables import counted
from sciml.training.settings import Training
from sciml.training.task import Task

Mode = Literal["soft", "hard", "experts"]
MODES: tuple[Mode, ...] = ("soft", "hard", "experts")
ENDINGS = (".h5", ".hdf5")  # of the data sets that are written
POINTS = 1  # the stream of the points that a constraint draws
MEMORY = 0.9  # of the running mean of the weights, from one update to the next


class ConstrainedOperator(Task):
    r"""Train an operator from the instances of a family to their solutions, by the equation alone.

    In the modes "hard" and "experts" the loss is the sum of squares of residual and conditions at a combination of the
    outputs that nearly has the least: the one after ``training_solves`` iterations of the family, which begin from the
    running mean of the weights of former updates, over all ranks. Its derivatives are those at fixed weights (variable
    projection), exact at the least sum, so that no adjoint is solved for.

    Parameters
    ----------
    family : instances, grid, equation, and the experts
    network : from the channels of the family to outputs on its grid
    mode : "soft": the field is the start and the sum of the outputs, and the equation is in the loss alone; "hard": the
        outputs are a basis, of which one combination satisfies the equation best; "experts": one for each expert
    batch_size : instances of an update
    soft_epochs : first epochs in which the modes "hard" and "experts" are trained as "soft": from outputs whose sum is
        near a solution, few iterations suffice. Together with single_epochs at most all epochs of the training
    single_epochs : the next epochs, in which the mode "experts" is trained as "hard": one expert costs less, and its
        basis is a good one for several

    References
    ----------
    Chalapathi, Du, Krishnapriyan, "Scaling physics-informed hard constraints with mixture-of-experts", ICLR 2024;
    Golub, Pereyra, "Separable nonlinear least squares", Inverse Problems 19, 2003.
    """

    states_problem: ClassVar[tuple[str, ...]] = ("family",)
    units: ClassVar[Mapping[str, str]] = {"residual": "mean square", "conditions": "mean square"}

    def __init__(
        self,
        family: Family,
        network: FourierNeuralOperator | PolynomialsInTime,
        mode: Mode = "experts",
        batch_size: int = 4,
        soft_epochs: int = 0,
        single_epochs: int = 0,
    ) -> None:
        super().__init__()
        self.mode, self.family, self.network = choice("the mode", mode, MODES), family, network
        self.batch_size = whole_number("batch_size", batch_size, at_least=1)
        self.soft_epochs = whole_number("soft_epochs", soft_epochs, at_least=0)
        self.single_epochs = whole_number("single_epochs", single_epochs, at_least=0)
        if network.inputs != family.channels:
            raise ConfigError(
                f"the network has {network.inputs} inputs, expected {family.channels}, the channels of the family; set "
                "inputs of the network."
            )
        if network.axes != len(family.shape):
            raise ConfigError(
                f"the number of axes of the network is {network.axes}, expected {len(family.shape)}, that of the grid "
                "of the family; set modes of the network."
            )
        self._objectives: nn.ModuleDict | None = None
        if mode != "soft":
            experts = mode == "experts"
            self._objectives = nn.ModuleDict(
                {
                    "single": family.objective(experts=False, training=True),
                    "trained": family.objective(experts=experts, training=True),
                    "tested": family.objective(experts=experts),
                }
            )
            count, beside = self._objectives["tested"].fields
            self.register_buffer("guess", torch.ones(1, count, network.outputs + beside, dtype=torch.float64))
        self._found: Tensor | None = None

    def prepare(self, settings: Training, seed: int) -> None:
        """Set how the operator is trained; a line search has no place where the loss depends on a running mean.

        Raises
        ------
        ConfigError
            If there is one in the modes "hard" and "experts", or the training ends before its first epochs, those of
            other modes, are over.
        """
        super().prepare(settings, seed)
        if self._objectives is None:
            return
        first = {"soft_epochs": self.soft_epochs, "single_epochs": self.single_epochs if self.mode == "experts" else 0}
        epochs, needed = sum(phase.epochs for phase in settings.phases), sum(first.values())
        if epochs < needed:
            named = " and ".join(f"{name} = {count}" for name, count in first.items() if count)
            raise ConfigError(
                f"the training has {counted(epochs, 'epoch')}, expected at least {needed}: {named} come before those "
                f"of the mode {self.mode!r}, which would never begin; set them lower, or train longer."
            )
        if any(phase.optimizer == "lbfgs" for phase in settings.phases):
            raise ConfigError(
                f"an operator in the mode {self.mode} is trained by lbfgs, expected one without a line search, "
                "whose evaluations would each enter the running mean of the weights; choose adam, adamw or soap."
            )

    def check_data(self, data: lightning.LightningDataModule) -> None:
        """Refuse data whose solutions are not those of the instances of the family."""
        cases = self.family.cases
        expected = f"{cases.__name__}, the data of {type(self.family).__name__}"
        self.family.check_cases(instance("data", data, cases, expected, error=ConfigError))

    def forward(self, instances: Instances) -> Tensor:
        r"""Return solutions, ``(instances, \*shape)``, in float64."""
        instances = {name: each.to(self.device) for name, each in instances.items()}
        outputs = self.network(self._inputs(instances))
        if self._objectives is None:
            return self.family.unconstrained(outputs, instances)
        return self._objectives["tested"](outputs, instances, self.generator(POINTS), self.guess.double()).u

    def sample(self, batch: int) -> dict[str, Tensor]:
        """Return instances, drawn for this update."""
        return self.family.sample(self.batch_size, self.generator())

    def loss(self, batch: Instances) -> dict[str, Tensor]:
        """Return the mean squares of residual and conditions, nearly least ones except in the mode "soft"."""
        if self._objectives is None or self.current_epoch < self.soft_epochs:
            total = self.network.total(self._inputs(batch))
            return self.family.squares(self.family.unconstrained(total, batch), batch, training=True)
        outputs = self.network(self._inputs(batch))
        single = self.current_epoch < self.soft_epochs + self.single_epochs
        objective, guess = self._objectives["single" if single else "trained"], self.guess.double()
        if single:
            guess = guess.mean(1, keepdim=True)
        terms, weights = objective.squares(outputs, batch, self.generator(POINTS), guess)
        self._found = weights.mean(0, keepdim=True)
        return terms

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient, and take the weights of this update into their running mean."""
        super().on_before_optimizer_step(optimizer)
        if self._found is not None:
            self.guess.lerp_(mean_over_ranks(self._found).to(self.guess), 1 - MEMORY)
            self._found = None

    def validate(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the mean relative error of the solutions, and the mean squares of residual and conditions."""
        instances = self.family.instances(batch)
        u = self(instances)
        error = self.family.compared(u, batch) - batch["u"]
        relative = error.flatten(1).norm(dim=1) / batch["u"].flatten(1).norm(dim=1)
        return {"relative_l2": relative.mean(), **self.family.squares(u, instances)}

    def predict_file(self, source: Path, output: Path, *, plot: str | None = None) -> dict[str, float]:
        """Write the solutions of the instances in a data set, with their residuals, on the grid of the family.

        Parameters
        ----------
        source : data set whose first steps are the starts; its other steps, if any, are compared with, and no more
        output : ``.h5`` or ``.hdf5``, a data set with the field and its ``residual``
        plot : picture (.png, .pdf, .svg) of the first instance at several times, with the boxes of the experts, beside
            its solution and the error if the file has it
        """
        check_writable(output, ENDINGS)
        picture = None if plot is None else Comparison(Path(plot), self.mode == "experts")
        with torch.no_grad():
            return self.family.predict(source, output, self, picture)

    def _inputs(self, instances: Instances) -> Tensor:
        return self.family.inputs(instances).to(next(self.network.parameters()))
