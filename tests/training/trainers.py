"""Lightning's trainer for tests: on the CPU, without logger, progress bar, summary and checkpoints."""

from __future__ import annotations

import lightning

QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def quiet_trainer(epochs: int, **options: object) -> lightning.Trainer:
    """Return a trainer for some epochs, with options of Lightning's that differ from :data:`QUIET`."""
    return lightning.Trainer(max_epochs=epochs, **{**QUIET, **options})
