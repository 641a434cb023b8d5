"""Small runs that solve: a particle that decays, which no optimiser moves, and a line that an optimiser bends."""

from __future__ import annotations

import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from toy_runs import _fork, named

from sciml.errors import DivergenceError, InputError
from sciml.training.config import Config, config_from_values
from sciml.training.task import Task


@named("toy_solves.Decay")
class Decay(Task):
    """dx = -rate x dt + noise dW, x(0) = 1, by explicit Euler; without noise x(n step) = (1 - rate step)^n exactly."""

    epochs_of: ClassVar[str] = "steps"
    precisions: ClassVar[tuple[str, ...]] = ("64-true",)

    def __init__(
        self,
        steps: int = 5,
        step: float = 0.125,
        rate: float = 1.0,
        noise: float = 0.0,
        gate: str | None = None,
        closed_after: int = 0,
        poisoned_step: int = -1,
    ) -> None:
        super().__init__()
        if step <= 0:
            raise InputError(f"step is {step}, expected a positive time.")
        self.steps, self.step, self.rate, self.noise = steps, step, rate, noise
        self.gate, self.closed_after, self.poisoned_step = gate, closed_after, poisoned_step
        self.register_buffer("x", torch.ones(()))  # both in the precision of the trainer
        self.weight = nn.Parameter(torch.zeros(()))  # integrates x beside it

    def advance(self, batch: int) -> dict[str, Tensor | float]:
        while self.gate and self.current_epoch >= self.closed_after and not Path(self.gate).exists():
            time.sleep(0.002)  # until the test makes the file
        drawn = torch.randn((), dtype=torch.float64, generator=self.generator())
        drawn += 1e-3 * torch.randn((), dtype=torch.float64)  # of the global generator, as dropout would
        self.weight += self.step * self.x
        self.x += -self.rate * self.step * self.x + self.noise * self.step**0.5 * drawn
        done = self.current_epoch + 1
        if abs(float(self.x)) > 10:
            raise DivergenceError(f"the particle is at {float(self.x):.4g} after step {done}; take smaller steps.")
        states = self.run_folder / "states"
        states.mkdir(exist_ok=True)
        (states / f"{done:04d}.txt").write_text(float(self.x).hex())
        energy = 0.5 * float(self.x) ** 2
        return {"error": self._error(done), "energy": float("nan") if done - 1 == self.poisoned_step else energy}

    def _error(self, done: int) -> Tensor:
        return (self.x - torch.exp(torch.tensor(-self.rate * done * self.step, dtype=torch.float64))).abs()

    def solution(self, folder: Path) -> dict[str, float]:
        values = [float.fromhex(path.read_text()) for path in sorted((folder / "states").glob("*.txt"))]
        (folder / "fields.txt").write_text(" ".join(value.hex() for value in values))
        return {"final_error": float(self._error(self.steps)), "position": float(self.x)}

    def evaluate(self, data: Any) -> dict[str, float]:
        return {"final_error": float(self._error(self.steps))}

    def predict_file(self, source: Path, output: Path) -> dict[str, float]:
        output.write_text(f"{float(self.x) * float(source.read_text())}\n")
        return {"position": float(self.x)}

    def describe(self) -> str:
        return f"explicit Euler, {self.steps} steps of {self.step:g}"


@named("toy_solves.Parabola")
class Parabola(Task):
    """u'' = 2, u(0) = u(1) = 0 with u = slope x (x - 1): an optimiser moves the slope to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(()))

    def loss(self, batch: int) -> dict[str, Tensor]:
        return {"pde": (2 * self.slope - 2).square()}

    def validate(self, batch: int) -> dict[str, Tensor]:
        return {"error": (self.slope - 1).abs() / 4}

    def solution(self, folder: Path) -> dict[str, float]:
        return {"error_of_slope": abs(float(self.slope) - 1)}


def values_of(task: str = "Decay", **arguments: Any) -> dict[str, Any]:
    """What the config of a solve says."""
    values: dict[str, Any] = {"title": "decay", "task": {"class_path": f"toy_solves.{task}", "init_args": arguments}}
    return {**values, "trainer": {"accelerator": "cpu"}}


def decay(**arguments: Any) -> Config:
    """A config without data and training."""
    return config_from_values(values_of(**arguments), "decay.yaml")


def command(folder: str, words: list[str]) -> None:
    """Be the command ``sciml``."""
    from sciml.cli import main

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(words)


def start_command(folder: Path, *words: object) -> BaseProcess:
    """Start ``sciml`` in a process of its own."""
    return _fork(command, str(folder), [str(word) for word in words])


def interrupted_command(answer: str, words: list[str], number: int, step: int) -> None:
    """Be ``sciml``, send this process a signal in a step, two of them in the first one, and keep the complaints."""
    advance = Decay.advance
    sent: list[int] = []

    def interrupted(task: Decay, batch: int) -> dict[str, Tensor | float]:
        if task.current_epoch == step and not sent:
            for _ in range(1 if step else 2):  # the second takes effect at once
                sent.append(number)
                signal.raise_signal(number)
        return advance(task, batch)

    Decay.advance = interrupted
    with open(answer, "w") as sys.stderr:
        command("", words)


def start_interrupted(answer: Path, *words: object, number: int, step: int) -> BaseProcess:
    """Start ``sciml`` in a process of its own, which sends a signal to itself; the complaints go into a file."""
    return _fork(interrupted_command, str(answer), [str(word) for word in words], int(number), step)


def states_of(folder: Path) -> dict[str, Any]:
    """The exact state in the last checkpoint."""
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return {name: value.item().hex() for name, value in state.items()}
