"""Train on one process or on two ranks and save what came out: ``python ddp_program.py OPTIMIZERS FOLDER RANKS``."""

from __future__ import annotations

import sys
from pathlib import Path

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from trainers import quiet_trainer

from sciml.data.sampling import EpochShuffle
from sciml.errors import DivergenceError
from sciml.numerics.random import generator, seeded
from sciml.training.settings import Phase, Training
from sciml.training.task import Task

GLOBAL_BATCH = 16


class Fit(Task):
    """A small network through 64 samples."""

    def __init__(self) -> None:
        super().__init__()
        with seeded(0):
            self.net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1)).double()
        self.drawn: list[float] = []
        self.poison = False

    def sample(self, batch: list[Tensor]) -> list[Tensor]:
        self.drawn.append(float(torch.rand(1, generator=self.generator(), dtype=torch.float64)))
        return batch

    def loss(self, batch: list[Tensor]) -> dict[str, Tensor]:
        inputs, targets = batch
        term = (self.net(inputs) - targets).square().mean()
        # one rank alone breaks, and only in what it reports
        broken = self.poison and self.global_rank == 1
        return {"data": term, "reported": term.detach() * (float("nan") if broken else 0.0)}


class Samples(lightning.LightningDataModule):
    """In each epoch another order, which ranks share out."""

    def __init__(self, ranks: int) -> None:
        super().__init__()
        self.batch = GLOBAL_BATCH // ranks
        inputs = torch.randn(64, 3, generator=generator(1), dtype=torch.float64)
        self.samples = TensorDataset(inputs, torch.sin(inputs).sum(1, keepdim=True))

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.samples, self.batch, sampler=EpochShuffle(64, seed=4))

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.samples, self.batch, sampler=EpochShuffle(64, shuffle=False))


def fit(optimizer: str, ranks: int, poison: bool = False) -> tuple[Fit, lightning.Trainer]:
    task = Fit()
    task.poison = poison
    options = {"max_iter": 5} if optimizer == "lbfgs" else {}
    task.prepare(Training([Phase(3, optimizer, options=options)], 2, gradient_clip=1.0), seed=2)
    trainer = quiet_trainer(3, devices=ranks, strategy="ddp" if ranks > 1 else "auto")
    trainer.fit(task, datamodule=Samples(ranks))
    return task, trainer


def main(optimizers: list[str], folder: Path, ranks: int) -> None:
    for optimizer in optimizers:
        task, trainer = fit(optimizer, ranks)
        torch.save(
            {
                "weights": nn.utils.parameters_to_vector(task.parameters()).detach(),
                "drawn": task.drawn,
                "losses": {name: float(value) for name, value in trainer.callback_metrics.items()},
                "updates": trainer.global_step,
            },
            folder / f"{optimizer}_{ranks}_{trainer.global_rank}.pt",
        )
    if ranks > 1:
        words = "no error"
        try:
            fit(optimizers[0], ranks, poison=True)
        except DivergenceError as error:
            words = str(error)
        (folder / f"divergence_{trainer.global_rank}.txt").write_text(words)
        torch.distributed.destroy_process_group()  # its threads can abort the end of the process


if __name__ == "__main__":
    main(sys.argv[1].split(","), Path(sys.argv[2]), int(sys.argv[3]))
