"""Parts that the groups of ``sciml bench text2pde`` share: how numbers are written, and what a quick run changes."""

from __future__ import annotations

from typing import Any

THREE, TWO, SHORT, COUNT = "{:.3f}".format, "{:.2f}".format, "{:.3g}".format, "{:,.0f}".format
AUTOENCODER = "text2pde/smoke_ae_cpu"
_EPOCHS = "training.phases.0.epochs"

# A quick run has few simulations, smaller patches, whose principal components take no minute, and few latents, which
# start from noise: a regression on hundreds of components of the first frame takes longer than all else.
QUICK_SIZES: dict[str, Any] = {"train": 12, "tests": 2}
ONE_EPOCH = ("data.init_args.fractions=[0.75, 0.25]", f"{_EPOCHS}=1", "training.phases.0.warmup_epochs=0")
_AUTOENCODER = ("patch=[4, 8, 8]", "latent_channels=4", "width=8")
_NETWORK = (
    "shape=[8, 8, 8]",
    "patch=[2, 2, 2]",
    "channels=4",
    "condition_channels=4",
    "width=16",
    "depth=1",
    "heads=2",
)
_PATCHES = tuple(f"task.init_args.autoencoder.init_args.{change}" for change in _AUTOENCODER)
QUICK_AUTOENCODER: dict[str, Any] = {"autoencoder_changes": [*_PATCHES, *ONE_EPOCH]}
QUICK_SECOND = (
    *(*_PATCHES, *ONE_EPOCH, "task.init_args.source=noise", "task.init_args.conditioner.init_args.guess_channels=4"),
    *(f"task.init_args.network.init_args.{change}" for change in _NETWORK),
)
