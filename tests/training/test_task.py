"""The loop of Task: what it reaches, what it refuses, and that it goes on where it stopped."""

from __future__ import annotations

import math
import resource
from pathlib import Path
from typing import ClassVar

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from trainers import quiet_trainer

from sciml.data.modules import Draws
from sciml.errors import ConfigError, DivergenceError, InputError
from sciml.numerics.random import seeded
from sciml.training.callbacks import averaging
from sciml.training.settings import Phase, Training
from sciml.training.task import Task

LATTICE = torch.linspace(0, 1, 101)[:, None]


class Poisson(Task):
    """-u'' = pi^2 sin(pi x), u(0) = u(1) = 0, by a network that keeps the boundary values; u = sin(pi x)."""

    def __init__(self, points: str = "drawn", width: int = 20) -> None:
        super().__init__()
        self.points = points
        with seeded(0):
            self.net = nn.Sequential(
                nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
            )

    def solution(self, x: Tensor) -> Tensor:
        return x * (1 - x) * self.net(x)

    def sample(self, batch: int) -> Tensor:
        if self.points == "fixed":
            return torch.linspace(0, 1, 64)[:, None]
        return torch.rand(64, 1, generator=self.generator())

    def residuals(self, x: Tensor) -> Tensor:
        x = x.to(self.net[0].weight.dtype).detach().requires_grad_()
        u = self.solution(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
        return second + math.pi**2 * torch.sin(math.pi * x)

    def loss(self, x: Tensor) -> dict[str, Tensor]:
        return {"pde": self.residuals(x).square().mean()}

    def validate(self, batch: int) -> dict[str, Tensor]:
        return {"error": (self.solution(LATTICE) - torch.sin(math.pi * LATTICE)).abs().max()}


class Line(Task):
    """Two weights: ``slope`` towards 3, ``offset`` towards -1."""

    precisions: ClassVar[tuple[str, ...]] = ("32-true", "bf16-mixed")

    def __init__(self) -> None:
        super().__init__()
        self.slope, self.offset = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.seen: list[int] = []

    def loss(self, batch: Tensor) -> dict[str, Tensor]:
        return {"slope": (self.slope - 3).square(), "offset": (self.offset + 1).square()}


def fit(task: Task, settings: Training, data: object, **options: object) -> lightning.Trainer:
    task.prepare(settings, seed=3)
    resume, epochs = options.pop("resume", None), options.pop("max_epochs", settings.epochs)
    trainer = quiet_trainer(epochs, **{"devices": 1, "inference_mode": False, "num_sanity_val_steps": 0, **options})
    source = {"datamodule": data} if isinstance(data, lightning.LightningDataModule) else {"train_dataloaders": data}
    trainer.fit(task, ckpt_path=resume, weights_only=True if resume else None, **source)
    return trainer


def counters(count: int) -> DataLoader:
    return DataLoader(range(count), batch_size=None)


def weights(task: Task) -> Tensor:
    return nn.utils.parameters_to_vector(task.parameters()).detach().clone()


@pytest.mark.parametrize(
    ("optimizer", "rate", "updates", "batches", "error"),
    [
        ("adam", 5e-3, 50, 20, 1e-3),
        ("adamw", 5e-3, 50, 20, 1e-3),
        ("soap", 1e-2, 50, 8, 1e-3),
        ("lbfgs", None, 5, 4, 1e-4),
        ("least_squares", None, 5, 4, 1e-4),
    ],
)
def test_every_optimizer_solves_the_poisson_equation(optimizer, rate, updates, batches, error) -> None:
    first_order = optimizer in ("adam", "adamw", "soap")
    phase = Phase(1, optimizer, rate, "cosine" if first_order else "constant")
    task = Poisson("drawn" if first_order else "fixed")
    trainer = fit(task, Training([phase], updates), Draws(batches))
    assert trainer.global_step == updates * batches
    assert float(trainer.callback_metrics["val/error"]) < error
    assert task.evaluate(Draws(1))["error"] == pytest.approx(float(trainer.callback_metrics["val/error"]))


def test_the_rate_of_each_update_is_that_of_the_schedule_and_its_phase() -> None:
    class Watch(Line):
        def on_before_optimizer_step(self, optimizer) -> None:
            self.seen.append((type(optimizer).__name__, optimizer.param_groups[0]["lr"]))

    phases = [Phase(2, learning_rate=0.1, schedule="cosine", warmup_epochs=1), Phase(1, "adamw", 0.3)]
    task = Watch()
    fit(task, Training(phases, 2), counters(3))
    expected = [("Adam", phases[0].rate(update, 6)) for update in range(12)] + [("AdamW", 0.3)] * 6
    assert [name for name, _ in task.seen] == [name for name, _ in expected]
    assert [rate for _, rate in task.seen] == pytest.approx([rate for _, rate in expected])


def test_weights_scale_the_terms_and_a_name_that_is_none_is_refused() -> None:
    task = Line()
    task.prepare(Training([Phase(1)], weights={"slope": 10.0}), 0)
    assert float(task._total(task.loss(None)).detach()) == 10 * 9 + 1
    with pytest.raises(ConfigError, match=r"training\.weights has slop, but the terms .* Line are slope, offset"):
        fit(Line(), Training([Phase(1)], weights={"slop": 1.0}), counters(1))


def test_a_clipped_gradient_is_at_most_as_long_as_asked() -> None:
    class Watch(Line):
        def on_before_optimizer_step(self, optimizer) -> None:
            super().on_before_optimizer_step(optimizer)
            self.seen.append(float(torch.stack([self.slope.grad, self.offset.grad]).norm()))

    task = Watch()
    fit(task, Training([Phase(1, learning_rate=0.1)], 30, gradient_clip=0.5), counters(2))
    assert max(task.seen) == pytest.approx(0.5, rel=1e-4)
    assert min(task.seen) < 0.4  # what is short is left alone
    free = Watch()
    fit(free, Training([Phase(1, learning_rate=0.1)], 1), counters(1))
    assert free.seen == pytest.approx([math.hypot(6, 2)])


def test_converged_ends_the_updates_of_a_batch_but_not_of_the_schedule() -> None:
    class Early(Line):
        def converged(self, terms: dict[str, Tensor]) -> bool:
            return bool(terms["slope"] < 1e-3)

    task = Early()
    trainer = fit(task, Training([Phase(1, learning_rate=0.1)], 200), counters(3))
    assert trainer.global_step < 300
    assert float((task.slope.detach() - 3).square()) < 1e-2
    with_lbfgs = fit(Early(), Training([Phase(1, "lbfgs")], 200), counters(1))
    assert with_lbfgs.global_step <= 3


class Breaks(Line):
    """The second term, or the gradient, is not finite from some update on."""

    def __init__(self, update: int, how: str) -> None:
        super().__init__()
        self.update, self.how = update, how

    def loss(self, batch: Tensor) -> dict[str, Tensor]:
        terms = super().loss(batch)
        if self._update >= self.update:
            if self.how == "gradient":  # the root has value 0 and an infinite slope there
                terms["offset"] = terms["offset"] + (self.offset - self.offset.detach()).abs().sqrt()
            else:
                terms["offset"] = terms["offset"] * float(self.how)
        return terms


@pytest.mark.parametrize("how", ["nan", "inf"])
def test_divergence_names_term_epoch_update_and_last_finite_value(how: str) -> None:
    task = Breaks(17, how)
    # 4 updates per batch, 3 batches per epoch: update 17 is the second of the second batch of epoch 1
    with pytest.raises(DivergenceError) as error:
        fit(task, Training([Phase(3, learning_rate=1e-3)], 4), counters(3))
    words = str(error.value)
    assert "the term offset" in words and "in epoch 1" in words and "at update 17" in words and f"is {how}" in words
    last = float(words.split("last finite value was ")[1].split(";")[0])
    # Adam has moved the offset by 1e-3 in each of the 16 updates before update 16.
    assert last == pytest.approx((1 - 16e-3) ** 2, rel=1e-3)
    assert task._update == 20  # the batch ended, no other began


def test_a_gradient_that_is_not_finite_is_found_in_its_own_batch() -> None:
    with pytest.raises(
        DivergenceError, match=r"in epoch 0: the gradient of offset is not finite after update 5"
    ) as error:
        fit(Breaks(5, "gradient"), Training([Phase(1)]), counters(9))
    assert "slope = " in str(error.value) and "offset = " in str(error.value)


def test_a_loss_that_is_never_finite_says_so() -> None:
    with pytest.raises(DivergenceError, match="never finite"):
        fit(Breaks(0, "nan"), Training([Phase(1, "lbfgs")]), counters(1))


def test_terms_that_change_their_names_or_are_no_scalars_are_refused() -> None:
    class Changing(Line):
        def loss(self, batch: int) -> dict[str, Tensor]:
            return {f"term{batch}": self.slope.square()}

    class Vector(Line):
        def loss(self, batch: int) -> dict[str, Tensor]:
            return {"slope": self.slope.square().expand(4)}

    with pytest.raises(InputError, match="the terms term0 at one update and term1 at another"):
        fit(Changing(), Training([Phase(1)]), counters(2))
    with pytest.raises(InputError, match=r"the term slope .* has shape \(4,\), expected a scalar"):
        fit(Vector(), Training([Phase(1)]), counters(2))


def test_mixed_precision_where_the_task_stands_it() -> None:
    class Mixed(Task):
        precisions = ("32-true", "bf16-mixed")

        def __init__(self) -> None:
            super().__init__()
            with seeded(0):
                self.net = nn.Linear(8, 1)
            self.inside: list[torch.dtype] = []

        def loss(self, batch: list[Tensor]) -> dict[str, Tensor]:
            output = self.net(batch[0])
            self.inside.append(output.dtype)
            return {"data": (output - batch[1]).square().mean()}

    with seeded(1):
        inputs = torch.randn(64, 8)
        truth = torch.randn(8, 1)
    data = DataLoader(TensorDataset(inputs, inputs @ truth), 32)
    for optimizer, rate in (("adam", 0.05), ("soap", 0.05)):
        task = Mixed()
        fit(task, Training([Phase(2, optimizer, rate)], 150), data, precision="bf16-mixed")
        assert set(task.inside) == {torch.bfloat16}
        assert task.net.weight.dtype == torch.float32
        # bfloat16 has 8 bits: what is reached is not better than about 1 %.
        assert float((task.net.weight.detach() - truth.T).norm() / truth.norm()) < 0.03
    with pytest.raises(ConfigError, match=r"bf16-mixed, expected one of 32-true, 64-true: Poisson"):
        fit(Poisson(), Training([Phase(1)]), counters(1), precision="bf16-mixed")


def test_double_precision_goes_through_to_residuals_and_weights() -> None:
    task = Poisson("fixed", width=10)
    fit(task, Training([Phase(1, "least_squares")], 20), Draws(2, 0), precision="64-true")
    assert task.net[0].weight.dtype == task.residuals(LATTICE).dtype == torch.float64
    x = LATTICE.double()
    assert float((task.solution(x) - torch.sin(math.pi * x)).detach().abs().max()) < 1e-5


@pytest.mark.parametrize(
    "phases",
    [
        [Phase(4, schedule="cosine", warmup_epochs=1)],
        [Phase(4, "soap")],
        [Phase(4, "lbfgs", options={"max_iter": 4})],
        [Phase(4, "least_squares")],
        [Phase(1, "adamw"), Phase(3, "lbfgs", options={"max_iter": 4})],
    ],
    ids=lambda phases: "-".join(phase.optimizer for phase in phases),
)
def test_resumed_training_ends_with_the_same_bits(phases: list[Phase], tmp_path: Path) -> None:
    settings = Training(phases, 3)
    keep = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, every_n_epochs=1, save_on_train_epoch_end=True)
    whole = Poisson()
    fit(whole, settings, Draws(2), callbacks=[keep], enable_checkpointing=True)
    with torch.random.fork_rng():
        torch.rand(100)  # what happened before must not matter
        resumed = Poisson()
        nn.init.zeros_(resumed.net[0].weight)
        trainer = fit(resumed, settings, Draws(2), resume=str(tmp_path / "epoch=1.ckpt"))
    assert trainer.global_step == 24
    assert torch.equal(weights(resumed), weights(whole))


@pytest.mark.parametrize("warmup", [None, 10.0])
def test_the_moving_average_is_that_of_the_formula_and_survives_a_resume(warmup, tmp_path: Path) -> None:
    class Watch(Line):
        def on_train_batch_end(self, *_: object) -> None:
            self.seen.append(float(self.slope.detach()))

    settings = Training([Phase(2, learning_rate=0.1)], ema_decay=0.5, ema_warmup=warmup)

    def callbacks() -> list[lightning.Callback]:
        keep = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, enable_version_counter=False)
        return [*averaging(settings), keep]

    checkpoints = {"enable_checkpointing": True}
    task = Watch()
    fit(task, settings, counters(5), callbacks=callbacks(), **checkpoints)
    average = task.seen[0]
    for n, value in enumerate(task.seen[1:], start=1):
        decay = 0.5 if warmup is None else min(0.5, (1 + n) / (10 + n))
        average = decay * average + (1 - decay) * value
    assert float(task.slope.detach()) == pytest.approx(average, rel=1e-5)
    again = Watch()
    fit(again, settings, counters(5), resume=str(tmp_path / "epoch=0.ckpt"), callbacks=callbacks(), **checkpoints)
    assert torch.equal(again.slope, task.slope)


def test_the_generator_follows_seed_update_and_stream() -> None:
    task = Poisson()
    task.prepare(Training([Phase(1)]), seed=5)

    def draw(stream: int = 0) -> float:
        return float(torch.rand(1, generator=task.generator(stream), dtype=torch.float64))

    first = draw()
    assert draw() == first != draw(1)
    task._update = 1
    assert draw() != first
    task.prepare(Training([Phase(1)]), seed=6)
    task._update = 0
    assert draw() != first


def test_evaluate_weighs_batches_by_their_samples() -> None:
    class Mean(Line):
        def validate(self, batch: list[Tensor]) -> dict[str, Tensor]:
            return {"mean": batch[0].mean()}

    class Numbers(lightning.LightningDataModule):
        def val_dataloader(self) -> DataLoader:
            return DataLoader(TensorDataset(torch.arange(10.0)), 4)

    task = Mean().train()
    assert task.evaluate(Numbers()) == {"mean": 4.5}
    assert task.training and task.evaluated == 10
    with pytest.raises(InputError, match="neither a test set nor a validation set"):
        task.evaluate(lightning.LightningDataModule())


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(InputError, match="no weights to train"):
        fit(Line().requires_grad_(False), Training([Phase(1)]), counters(1))
    with pytest.raises(ConfigError, match="Line has no residuals"):
        fit(Line(), Training([Phase(1, "least_squares")]), counters(1))
    with pytest.raises(InputError, match=r"override Task\.loss"):
        Task().loss(None)
    with pytest.raises(InputError, match="cannot be applied to a file"):
        Line().predict_file(Path("a"), Path("b"))


def test_a_thousand_batches_take_no_more_memory() -> None:
    class Resident(lightning.Callback):
        def __init__(self) -> None:
            self.bytes: list[int] = []

        def on_train_batch_end(self, trainer, module, outputs, batch, index: int) -> None:
            if index in (99, 1099):
                self.bytes.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())

    resident = Resident()
    fit(Poisson(width=4), Training([Phase(1)]), counters(1100), callbacks=[resident])
    before, after = resident.bytes
    assert after < 1.05 * before
