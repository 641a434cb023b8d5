"""What training takes its batches from: draws without data, and windows of fields from a file."""

from __future__ import annotations

from lightning import LightningDataModule
from torch.utils.data import DataLoader

from sciml.data.sampling import EpochShuffle
from sciml.errors import InputError


class Draws(LightningDataModule):
    """Batches for tasks that draw their own points: the whole numbers 0, 1, 2, ... in each epoch.

    Every rank sees every number: the task draws from (seed, update, rank).

    Parameters
    ----------
    batches_per_epoch : numbers in a training epoch
    validation_batches : numbers in a validation and in a test; 0 for none

    Examples
    --------
    >>> list(Draws(3).train_dataloader())
    [0, 1, 2]
    """

    def __init__(self, batches_per_epoch: int, validation_batches: int = 1) -> None:
        super().__init__()
        if batches_per_epoch < 1 or validation_batches < 0:
            raise InputError(
                "an epoch needs at least one batch, and validation none or some; "
                f"got batches_per_epoch={batches_per_epoch} and validation_batches={validation_batches}."
            )
        self.batches_per_epoch, self.validation_batches = batches_per_epoch, validation_batches

    def train_dataloader(self) -> DataLoader:
        """Return the counters of one epoch."""
        return _counters(self.batches_per_epoch)

    def val_dataloader(self) -> DataLoader | list:
        """Return the counters of one validation."""
        return _counters(self.validation_batches) if self.validation_batches else []

    def test_dataloader(self) -> DataLoader | list:
        """Return the counters of one test."""
        return self.val_dataloader()


def _counters(count: int) -> DataLoader:
    # one rank of one: a sampler of its own keeps Lightning from sharing the numbers out among the ranks
    order = EpochShuffle(count, shuffle=False, rank=0, world=1)
    return DataLoader(range(count), batch_size=None, sampler=order)  # type: ignore[arg-type]
