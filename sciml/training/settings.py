"""Training settings of a config: phases, each with an optimiser and a schedule, and what all phases share.

The learning rate is a pure function of the number of the update, so a resumed run goes on exactly.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, field, fields
from typing import Literal, get_args

from sciml import checks
from sciml.errors import ConfigError
from sciml.numerics.optimizers import OptimizerOption

OptimizerName = Literal["adam", "adamw", "adamax", "soap", "lbfgs", "least_squares", "none"]
ScheduleName = Literal["constant", "cosine", "step"]
# The step of the last two comes from a line search or from the damping; 1 means that it is taken in full.
LEARNING_RATES = {"adam": 1e-3, "adamw": 1e-3, "adamax": 2e-3, "soap": 3e-3, "lbfgs": 1.0, "least_squares": 1.0}
SECOND_ORDER = ("lbfgs", "least_squares")


@dataclass(frozen=True)
class Phase:
    """A number of epochs with one optimiser and one schedule.

    Parameters
    ----------
    epochs : how many, at least 1
    optimizer : ``"adam"``, ``"adamw"``, ``"adamax"``, ``"soap"`` (Vyas et al. 2025), ``"lbfgs"`` (strong Wolfe line
        search), ``"least_squares"`` (Levenberg-Marquardt on ``Task.residuals``, small networks), or ``"none"``: the
        task updates its weights itself, in ``Task.advance``; then only ``epochs`` may be given
    learning_rate : after the warm-up; by default 1e-3 for Adam and AdamW, 2e-3 for Adamax, 3e-3 for SOAP and 1 for the
        others, None without an optimiser
    schedule : ``"constant"``, ``"cosine"`` from ``learning_rate`` down to ``final_fraction`` of it, or ``"step"``:
        multiplied by ``step_factor`` after each ``step_every`` of the updates
    warmup_epochs : over which the rate first rises linearly, less than ``epochs``
    final_fraction : of the learning rate, where the cosine would end, 0 to 1
    cycles : how often the cosine starts again from ``learning_rate``, the first time counted (Loshchilov and Hutter
        2017); equally long
    step_factor : of the schedule ``"step"``, above 0
    step_every : fraction of the updates after the warm-up between two of its steps, above 0 and at most 1
    weight_decay : decoupled for AdamW and SOAP, added to the gradient for Adam and Adamax; not for the others
    options : further arguments of the optimiser by name, such as ``{"betas": [0.9, 0.99]}``; numbers, text, true or
        false, or lists of numbers

    Raises
    ------
    ConfigError
        If a value is out of its range.
    """

    epochs: int
    optimizer: OptimizerName = "adam"
    learning_rate: float | None = None
    schedule: ScheduleName = "constant"
    warmup_epochs: int = 0
    final_fraction: float = 0.01
    cycles: int = 1
    step_factor: float = 0.5
    step_every: float = 1 / 3
    weight_decay: float = 0.0
    options: dict[str, OptimizerOption] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.choice("the optimizer", self.optimizer, get_args(OptimizerName), error=ConfigError)
        checks.choice("the schedule", self.schedule, get_args(ScheduleName), error=ConfigError)
        checks.whole_number("epochs of a phase", self.epochs, at_least=1, error=ConfigError)
        if self.optimizer == "none":
            steps = ("schedule", "cycles", "step_factor", "step_every")
            _check_unset(self, ("learning_rate", "warmup_epochs", "weight_decay", "options", *steps))
            return
        if self.learning_rate is None:
            object.__setattr__(self, "learning_rate", LEARNING_RATES[self.optimizer])
        checks.whole_number("warmup_epochs", self.warmup_epochs, at_least=0, error=ConfigError)
        if self.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"warmup_epochs is {self.warmup_epochs}, expected less than the {self.epochs} epochs of its phase."
            )
        checks.number("learning_rate", self.learning_rate, above=0, below=1e35, error=ConfigError)
        checks.whole_number("cycles", self.cycles, at_least=1, error=ConfigError)
        if self.cycles > 1 and self.schedule != "cosine":
            raise ConfigError(f"cycles is {self.cycles}, but the schedule {self.schedule} has none; choose cosine.")
        checks.number("final_fraction", self.final_fraction, at_least=0, at_most=1, error=ConfigError)
        checks.positive("step_factor", self.step_factor, error=ConfigError)
        checks.number("step_every", self.step_every, above=0, at_most=1, error=ConfigError)
        checks.number("weight_decay", self.weight_decay, at_least=0, error=ConfigError)
        if self.weight_decay and self.optimizer in SECOND_ORDER:
            raise ConfigError(f"weight_decay cannot be combined with {self.optimizer}; leave it out or choose adamw.")

    def rate(self, update: int, updates_per_epoch: int) -> float:
        """Return the learning rate of one update.

        With ``w`` updates of warm-up and ``n`` updates in all, it is ``learning_rate`` times ``(update + 1) / w``
        during the warm-up, and then 1 or ``f + (1 - f) (1 + cos(pi (update - w) / (n - w))) / 2``,
        ``f = final_fraction``; with several ``cycles``, each of them has this course over its part of the updates. The
        schedule ``"step"`` multiplies by ``step_factor`` to the power ``floor((update - w) / (n - w) / step_every)``.

        Parameters
        ----------
        update : of this phase, counted from 0
        updates_per_epoch : at least 1
        """
        warmup = self.warmup_epochs * updates_per_epoch
        if update < warmup:
            return self.learning_rate * (update + 1) / warmup
        if self.schedule == "constant":
            return self.learning_rate
        progress = min(1.0, (update - warmup) / (self.epochs * updates_per_epoch - warmup))
        if self.schedule == "step":
            steps = math.floor(progress / self.step_every + 1e-9)  # 2/3 over 1/3 may round to less than 2
            return self.learning_rate * self.step_factor**steps
        progress = progress * self.cycles % 1 if progress < 1 else 1.0
        fraction = self.final_fraction + (1 - self.final_fraction) * (1 + math.cos(math.pi * progress)) / 2
        return self.learning_rate * fraction


@dataclass(frozen=True)
class Training:
    """Settings of the training of a task: its phases, and what they share.

    Parameters
    ----------
    phases : one after the other, at least one
    updates_per_batch : updates of the weights for each batch; many make the trainer's own cost small, and a task that
        draws its points itself loses nothing by it
    gradient_clip : largest norm of the gradient; none by default. It does not act on L-BFGS and least squares, whose
        line search or damping bounds the step
    ema_decay : d of the exponential moving average of the weights, between 0 and 1, taken once for each batch; no
        average by default
    ema_warmup : w > 1, with which the decay after n averages is min(d, (1 + n) / (w + n)), usually 10; none by default.
        Without it 1500 averages at d = 0.999 still hold a fifth of the weights of the first batch
    initial_weights : run folder, checkpoint, or file or name of published weights, with which the training begins, such
        as those of the same network on other data; random ones by default. Scales of the data come along
    weights : factors of the terms of the loss by name; 1 where nothing is said

    Raises
    ------
    ConfigError
        If a value is out of its range.
    """

    phases: list[Phase]
    updates_per_batch: int = 1
    gradient_clip: float | None = None
    ema_decay: float | None = None
    ema_warmup: float | None = None
    initial_weights: str | None = None
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.phases or not all(isinstance(phase, Phase) for phase in self.phases):
            raise ConfigError("training.phases is empty or holds other things, expected at least one phase.")
        checks.whole_number("updates_per_batch", self.updates_per_batch, at_least=1, error=ConfigError)
        if self.gradient_clip is not None:
            checks.positive("gradient_clip", self.gradient_clip, error=ConfigError)
        if self.ema_decay is not None:
            checks.number("ema_decay", self.ema_decay, above=0, below=1, error=ConfigError)
        if self.ema_warmup is not None:
            checks.number("ema_warmup", self.ema_warmup, above=1, error=ConfigError)
            if self.ema_decay is None:
                raise ConfigError(f"ema_warmup is {self.ema_warmup:g} without ema_decay; give both, or leave it out.")
        for name, weight in self.weights.items():
            checks.number(f"weights.{name}", weight, at_least=0, error=ConfigError)
        if self.weights and any(phase.optimizer == "least_squares" for phase in self.phases):
            raise ConfigError("weights do not act on residuals; leave them out, or choose another optimizer.")
        if self.is_own:
            _check_unset(
                self, ("updates_per_batch", "gradient_clip", "ema_decay", "ema_warmup", "initial_weights", "weights")
            )
            if others := [phase.optimizer for phase in self.phases if phase.optimizer != "none"]:
                raise ConfigError(f"training.phases has the optimizers none and {others[0]}; leave one of the two out.")

    @property
    def is_own(self) -> bool:
        """True if the task updates its weights itself: the optimizer is ``"none"``."""
        return any(phase.optimizer == "none" for phase in self.phases)

    @property
    def epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(phase.epochs for phase in self.phases)

    def averaging_decay(self, averages: int) -> float:
        """Return the factor of the averaged weights in their next average; 0 without averages.

        Parameters
        ----------
        averages : how many were taken before, at least 1; the first one is a copy of the weights
        """
        if self.ema_decay is None:
            return 0.0
        return (
            self.ema_decay
            if self.ema_warmup is None
            else min(self.ema_decay, (1 + averages) / (self.ema_warmup + averages))
        )

    def phase_at(self, epoch: int) -> tuple[int, int]:
        """Return the index of the phase that an epoch belongs to, and the number of the epoch within it, from 0."""
        start = 0
        for index, phase in enumerate(self.phases):
            if epoch < start + phase.epochs:
                return index, epoch - start
            start += phase.epochs
        raise ConfigError(f"epoch {epoch} belongs to no phase, expected 0 to {self.epochs - 1}.")


def _check_unset(settings: Phase | Training, names: tuple[str, ...]) -> None:
    """Refuse settings of an optimiser where there is none."""
    for entry in fields(settings):
        usual = entry.default_factory() if entry.default is MISSING and entry.name in names else entry.default
        if entry.name in names and getattr(settings, entry.name) != usual:
            raise ConfigError(
                f"{entry.name} cannot be combined with the optimizer none: the task updates its weights itself; "
                "leave it out."
            )
