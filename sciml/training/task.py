"""The base class of every method that is trained or solved.

The loop is manual optimisation with a closure, so that Adam, L-BFGS and least squares go the same way, and with
``updates_per_batch`` updates for each batch, because the trainer's own cost per batch exceeds that of an update of a
small network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from sciml.errors import ConfigError, InputError
from sciml.numerics.optimizers import make_optimizer
from sciml.numerics.random import generator
from sciml.training.batches import count_samples, to_float64
from sciml.training.divergence import check_finite
from sciml.training.evaluation import mean_errors
from sciml.training.settings import SECOND_ORDER, Training

CONVERGENCE_INTERVAL = 10  # updates between two questions to Task.converged, each of which waits for the device

Terms = dict[str, Tensor]
PredictionProgress = Callable[[float, str], None]
"""Takes the fraction of the work that is done, from 0 to 1, and a few words about its state."""
StageProgress = Callable[[str, float | None], None]
"""Takes the name of a stage and the fraction of it that is done, None where that is not known."""


class Task(lightning.LightningModule):
    """A method as the backbone sees it: the owner of its networks, with a loss on one batch.

    Override :meth:`loss`, and what else differs from the defaults. ``training_step`` and ``configure_optimizers`` are
    ours: they follow the :class:`~sciml.training.settings.Training` that :meth:`prepare` was given.

    Examples
    --------
    >>> class Fit(Task):
    ...     def __init__(self, width: int = 8) -> None:
    ...         super().__init__()
    ...         self.net = torch.nn.Sequential(torch.nn.Linear(1, width), torch.nn.Tanh(), torch.nn.Linear(width, 1))
    ...
    ...     def loss(self, batch):
    ...         x, y = batch
    ...         return {"data": (self.net(x) - y).square().mean()}
    >>> sorted(Fit().loss((torch.zeros(4, 1), torch.zeros(4, 1))))
    ['data']
    """

    precisions: ClassVar[tuple[str, ...]] = ("32-true", "64-true")
    """Precisions of the trainer that the method supports, the default first; ``"bf16-mixed"`` has to be listed."""

    epochs_of: ClassVar[str | tuple[str, ...] | None] = None
    """The argument of ``__init__`` that holds the number of epochs, such as ``"steps"``, or several of which it is the
    product, for a task that updates its weights itself: it overrides :meth:`advance`, and its config needs neither
    ``data`` nor ``training``."""

    states_problem: ClassVar[tuple[str, ...]] = ("problem",)
    """The arguments of ``__init__`` that state the problem, its end among them: the numbers of a paper are shown beside
    ours only where these are as in the config. Other arguments are how it is solved."""

    units: ClassVar[Mapping[str, str]] = {}
    """What the metrics are counted in, by name, such as ``{"mae": "m/s", "ssim": "of 1"}``: shown beside a number, and
    numbers of one unit share an axis. Those left out are plain numbers, such as relative errors."""

    sample_name: ClassVar[str] = "sample"
    """What :attr:`evaluated` counts, with an s in the plural."""

    parameter_options: tuple[str, ...] = ()  # names of entries of predict_file's ``parameters`` that are options, too

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self._settings: Training | None = None
        self._seed = 0
        self.loaded_from: Path | None = None  # the folder of a run
        self.completed_epochs: int | None = None  # of the checkpoint that was loaded, if one was
        self.evaluated: int | None = None  # samples over which the last evaluation took means, if they have a number
        self._update = 0
        self._last_terms: Terms = {}
        self.listener: StageProgress | None = None  # what follows :meth:`tell`
        self._is_mixed = self._is_plain = False

    # What a method overrides

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """Return the terms of the loss by name, each a scalar; the same names for every batch.

        Their sum, weighted by ``training.weights``, is minimised. Must be a function of the batch and the weights
        alone, as a line search evaluates it several times: draws belong into :meth:`sample`.
        """
        raise InputError(f"{type(self).__name__} has no loss; override Task.loss.")

    def sample(self, batch: Any) -> Any:
        """Return what :meth:`loss` takes, once per update: the batch itself, or points drawn with :meth:`generator`."""
        return batch

    def converged(self, terms: dict[str, Tensor]) -> bool:
        """Return whether to skip the remaining updates of this batch; ``terms`` are those before the last update."""
        return False

    def validate(self, batch: Any) -> dict[str, Tensor]:
        """Return the errors on one batch, each a scalar mean over its samples, in physical units, the headline first.

        By default the loss, and its terms if there are several. No gradients are recorded around it; what needs
        derivatives opens ``torch.enable_grad()``.
        """
        terms = self.loss(batch)
        return {"loss": self._total(terms), **terms} if len(terms) > 1 else terms

    def advance(self, batch: Any) -> dict[str, Tensor | float]:
        """Update the weights without an optimiser, such as by one time step; return diagnostics by name.

        Called once per batch where the optimizer is ``none``, as it is where :attr:`epochs_of` is set: the batch is
        0, a time step is an epoch, and ``self.current_epoch`` counts the steps done before. The names are the same at
        every call. The numbers become ``loss/NAME`` in ``metrics.csv``, a row per step; one that is not finite ends the
        run as diverged, and so does a :class:`~sciml.errors.DivergenceError` that is raised here. The checkpoint stays
        the last good one.

        All that the next call needs lies in parameters and persistent buffers, since that is what a resumed run gets
        back, and draws come from :meth:`generator`; then it goes on bit for bit. What comes before the first step, such
        as the fit of initial values, belongs into the first call. Files of single steps go to ``states/`` in
        :attr:`run_folder`; a step that is repeated after a kill writes its file again. No gradients are recorded around
        it unless it opens ``torch.enable_grad()``.
        """
        raise ConfigError(
            f"{type(self).__name__} does not update its weights itself, which the optimizer none requires; "
            "choose another one."
        )

    def residuals(self, batch: Any) -> Tensor:
        """Return the residuals, of any shape, whose sum of squares is proportional to the loss: for least squares."""
        raise ConfigError(
            f"{type(self).__name__} has no residuals, which the optimizer least_squares needs; choose another one."
        )

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Return the metrics that ``sciml evaluate`` reports by name, the headline error first.

        By default the mean of :meth:`validate` over the samples of the test set, of the validation set if ``data`` has
        no test set. An override sets :attr:`evaluated` to the number of samples, where its means have one.
        """
        metrics, self.evaluated = mean_errors(self, data)
        return metrics

    def predict_file(
        self, source: Path, output: Path, *, progress: PredictionProgress | None = None
    ) -> dict[str, float]:
        """Apply the task to a file and write the result, for ``sciml predict``; return diagnostics by name.

        An override declares its options as further keyword-only parameters with annotations, such as
        ``time: float | None = None`` or ``prompt: str``: they become ``KEY=VALUE`` of ``sciml predict``, checked
        against the annotation; one without a default has to be given. ``progress`` may be left out; an override that
        has it may call it now and then with a fraction and a few words, such as ``progress(0.5, "step 20 of 40")``. An
        override that annotates ``source`` as ``Path | None`` is called without a file if none is given.
        """
        raise InputError(f"{type(self).__name__} cannot be applied to a file; use 'sciml evaluate'.")

    def solution(self, folder: Path) -> dict[str, float]:
        """Write the fields of the solution into the folder of the run; return the metrics of the run, headline first.

        Called once, after the last epoch, on the task as the last checkpoint holds it, in evaluation mode; a run killed
        meanwhile calls it again. Its metrics come first in ``result.json``. ``sciml solve`` wants it overridden.
        ``--overwrite`` removes ``states/``, ``fields.*``, ``animation.*``, ``diagnostics.*`` and ``figures/``; write no
        other names.
        """
        raise InputError(f"{type(self).__name__} learns from data and has no solution of its own; use 'sciml train'.")

    def figures(self, folder: Path) -> None:
        """Draw what the curves of the losses do not show into ``figures/``, after the last epoch; nothing by default.

        Called on the task as the last checkpoint holds it, before :meth:`solution`.
        """

    @classmethod
    def solves(cls) -> bool:
        """Return whether the task has a solution to write, as ``sciml solve`` requires: it overrides :meth:`solution`.

        The config of such a task needs no ``data``.
        """
        return cls.solution is not Task.solution

    def describe(self) -> str | None:
        """Return one line about problem and method for the header, such as ``"Pade(2,2), 240 steps of 0.05"``."""
        return None

    @classmethod
    def remarks(cls, metrics: Mapping[str, float]) -> list[str]:
        """Return sentences about a finished run, or a file that was predicted, that its user must see; none by default.

        Parameters
        ----------
        metrics : those of ``result.json``, or the numbers of :meth:`predict_file`
        """
        return []

    @classmethod
    def units_of(cls, names: Iterable[str]) -> dict[str, str]:
        """Return the units of numbers by name, also of those with a prefix, ``val/NAME``; plain ones are left out."""
        found = {name: cls.units.get(name.rpartition("/")[2], "") for name in names}
        return {name: unit for name, unit in found.items() if unit}

    # What a method uses

    @property
    def run_folder(self) -> Path:
        """Folder of the run in progress, or of the one that the task was loaded from.

        Raises
        ------
        InputError
            If there is neither.
        """
        if self._trainer is not None:
            return Path(self.trainer.default_root_dir)
        if self.loaded_from is None:
            raise InputError(f"{type(self).__name__} belongs to no run; load it from the folder of one.")
        return self.loaded_from

    def tell(self, stage: str, done: float | None = None) -> None:
        """Tell whoever runs the task which stage of long work begins, or how much of it is done.

        Parameters
        ----------
        stage : such as "writing fields"
        done : from 0 to 1
        """
        if self.listener is not None:
            self.listener(stage, done)

    def generator(self, stream: int = 0) -> torch.Generator:
        """Return a generator on the task's device that is a function of (seed, number of the update, rank, stream).

        Two calls in the same update give the same numbers unless their ``stream`` differs.
        """
        return generator(self._seed, self._update, self.global_rank, stream, device=self.device)

    # The loop

    def prepare(self, settings: Training, seed: int) -> None:
        """Set how the task is trained and the seed of its random numbers; to be called before ``fit``.

        A run calls it before its folder exists: an override refuses settings here that do not fit one another.
        """
        if type(self).residuals is Task.residuals and any(
            each.optimizer == "least_squares" for each in settings.phases
        ):
            self.residuals(None)
        self._settings, self._seed = settings, seed

    def check_data(self, data: lightning.LightningDataModule) -> None:
        """Refuse data that do not suit the task, before the folder of a run exists; none by default."""

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Return the optimiser of each phase, none if the task updates its weights itself."""
        if self._settings is None:
            raise InputError(f"{type(self).__name__} has no training settings; call prepare(settings, seed) first.")
        if self.trainer.precision not in self.precisions:
            raise ConfigError(
                f"trainer.precision is {self.trainer.precision}, expected one of {', '.join(self.precisions)}: "
                f"{type(self).__name__} supports no other."
            )
        phases = self._settings.phases
        if self.trainer.world_size > 1 and any(phase.optimizer == "least_squares" for phase in phases):
            raise ConfigError("the optimizer least_squares runs in one process; choose another one, or one device.")
        if self._settings.is_own:
            if self.trainer.world_size > 1:
                raise ConfigError(f"{type(self).__name__} runs in one process; set trainer.devices=1.")
            return []
        weights = self._weights()
        if not weights:
            raise InputError(f"{type(self).__name__} has no weights to train; nothing in it requires a gradient.")
        self._is_mixed = self.trainer.precision.endswith("mixed")
        self._is_plain = isinstance(self.trainer.strategy, SingleDeviceStrategy) and not self._is_mixed
        return [
            make_optimizer(phase.optimizer, weights, phase.learning_rate, phase.weight_decay, phase.options)
            for phase in phases
        ]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Return the batch in the precision of the task; the trainer knows tensors and collections, but no graphs."""
        return to_float64(batch) if self.trainer.precision == "64-true" else batch

    def training_step(self, batch: Any, index: int) -> None:
        """Update the weights ``updates_per_batch`` times on one batch.

        On one device without mixed precision, the hooks of callbacks around single updates are not called, those around
        batches are.
        """
        settings = self._settings
        if settings.is_own:
            self._advance(batch)
            return
        number, epoch = settings.phase_at(self.current_epoch)
        phase = settings.phases[number]
        optimizers = self.optimizers()
        optimizer = optimizers[number] if isinstance(optimizers, list) else optimizers
        plain = optimizer.optimizer
        per_epoch = self.trainer.num_training_batches * settings.updates_per_batch
        # The number in the phase counts the updates that converged() left out too, global_step does not.
        first = epoch * per_epoch + index * settings.updates_per_batch
        start = self._update = self.trainer.global_step
        stops = is_overridden("converged", self, Task)
        interval = 1 if phase.optimizer in SECOND_ORDER else CONVERGENCE_INTERVAL
        history: list[Terms] = []
        step = self._least_squares_step if phase.optimizer == "least_squares" else self._step
        with self._full_precision():
            for update in range(settings.updates_per_batch):
                rate = phase.rate(first + update, per_epoch)
                for group in plain.param_groups:
                    group["lr"] = rate
                history.append(step(optimizer, self.sample(batch)))
                self._update += 1
                if stops and update % interval == interval - 1 and self._all_converged(history[-1]):
                    break
        check_finite(self, history, start, self._last_terms)
        self._last_terms = history[-1]
        self._log(history[-1], "loss", 1)

    def validation_step(self, batch: Any, index: int) -> None:
        """Log the means of :meth:`validate` over the epoch as ``val/NAME``."""
        self._log(self.validate(batch), "val", count_samples(batch))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient; Lightning calls this after the backward pass, once the gradients are unscaled."""
        clip = self._settings.gradient_clip
        # A clipped gradient would not belong to the loss that the line search sees.
        if clip is not None and not isinstance(optimizer, torch.optim.LBFGS):
            self.clip_gradients(optimizer, gradient_clip_val=clip, gradient_clip_algorithm="norm")

    def _step(self, optimizer: LightningOptimizer, batch: Any) -> Terms:
        """Make one update; return the terms of the loss before it."""
        first: Terms = {}
        plain = optimizer.optimizer
        searches = isinstance(plain, torch.optim.LBFGS) and self.trainer.world_size > 1

        def closure() -> Tensor:
            plain.zero_grad()
            with self._forward_context():
                terms = self.loss(batch)
                total = self._total(terms)
            if not first:
                first.update((name, term.detach()) for name, term in terms.items())
            if self._is_plain:
                total.backward()
                self.on_before_optimizer_step(plain)
                return total
            self.manual_backward(total)
            # A line search must decide the same on every rank.
            return self.trainer.strategy.reduce(total.detach(), reduce_op="mean") if searches else total

        if self._is_plain:
            # Without ranks and scaling Lightning's own step only calls hooks, at 10 % of the update of a tiny network.
            progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
            progress.increment_ready()
            plain.step(closure)
            progress.increment_completed()
        else:
            optimizer.step(closure)
        return first

    def _advance(self, batch: Any) -> None:
        """Let the task update its weights, and count it as one update."""
        start = self._update = self.trainer.global_step
        with torch.no_grad():
            found = self.advance(batch)
        # A plain number has 64 bits, and torch's default would cut it down to 32.
        terms = {
            name: (value if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)).detach()
            for name, value in found.items()
        }
        _check_scalars(terms, f"what {type(self).__name__}.advance returns")
        terms = {name: term.to(self.device) for name, term in terms.items()}
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        progress.increment_ready()
        progress.increment_completed()
        check_finite(self, [terms], start, self._last_terms, "step")
        self._last_terms = terms
        self._log(terms, "loss", 1)

    def _least_squares_step(self, optimizer: LightningOptimizer, batch: Any) -> Terms:
        """Make one update of a least-squares optimiser; return the terms of the loss before it."""
        terms: Terms = {}

        def closure() -> Tensor:
            terms.update((name, term.detach()) for name, term in self.loss(batch).items())
            return self._total(terms)

        optimizer.step(closure, residuals=lambda: self.residuals(batch))
        return terms

    def _total(self, terms: Terms) -> Tensor:
        weights = self._settings.weights if self._settings else {}
        if unknown := weights.keys() - terms.keys():
            raise ConfigError(
                f"training.weights has {', '.join(sorted(unknown))}, but the terms of the loss of "
                f"{type(self).__name__} are {', '.join(terms)}; correct the name."
            )
        _check_scalars(terms, f"the loss of {type(self).__name__}")
        weighted = [weights[name] * term if name in weights else term for name, term in terms.items()]
        return sum(weighted[1:], weighted[0])

    def _weights(self) -> list[torch.nn.Parameter]:
        return [weight for weight in self.parameters() if weight.requires_grad]

    def _all_converged(self, terms: Terms) -> bool:
        return self.trainer.strategy.reduce_boolean_decision(self.converged(terms))

    def _forward_context(self) -> AbstractContextManager[None]:
        return self.trainer.precision_plugin.forward_context() if self._is_mixed else nullcontext()

    def _full_precision(self) -> AbstractContextManager[None]:
        """Suspend Lightning's autocast for the whole step: optimisers and backward passes are not made for it."""
        return torch.autocast(self.device.type, enabled=False) if self._is_mixed else nullcontext()

    def _log(self, terms: Terms, prefix: str, samples: int) -> None:
        self.log_dict(
            {f"{prefix}/{name}": term.detach() for name, term in terms.items()},
            on_step=False,
            on_epoch=True,
            batch_size=samples,
            sync_dist=self.trainer.world_size > 1,
        )


def _check_scalars(terms: Terms, what: str) -> None:
    if not terms:
        raise InputError(f"{what} has no terms, expected at least one.")
    for name, term in terms.items():
        if term.ndim:
            raise InputError(f"the term {name} of {what} has shape {tuple(term.shape)}, expected a scalar.")
