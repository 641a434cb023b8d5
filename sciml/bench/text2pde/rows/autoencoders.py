"""Autoencoders of whole simulations beside linear ones of as many latents."""

from __future__ import annotations

from typing import Any

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row
from sciml.bench.text2pde.rows.common import AUTOENCODER, COUNT, QUICK_AUTOENCODER, QUICK_SIZES, THREE, TWO

_SIZES: dict[str, Any] = {"train": 1600, "tests": 128, "autoencoder": AUTOENCODER, "config": AUTOENCODER,
                          "autoencoder_changes": ["data.init_args.fractions=[0.98, 0.02]"]}  # fmt: skip
_QUICK = {**QUICK_SIZES, **QUICK_AUTOENCODER}


def _modes(method: str, title: str, function: str, modes: int, few: int) -> Row:
    return Row(method, title, f"autoencoders:{function}", "classical", {**_SIZES, "modes": modes},
               {**_QUICK, "modes": few})  # fmt: skip


GROUPS = (
    Group(
        "autoencoder",
        "autoencoders of simulations of smoke, 64 x 64 cells and 32 frames, trained on 1600 of them",
        (Column("error", "rel. L2 error", THREE), Column("latents", "latents", COUNT)),
        (
            _modes("frames", "128 proper orthogonal modes of each frame", "modes_of_frames", 128, 4),
            _modes("simulations", "400 proper orthogonal modes of whole simulations", "modes_of_simulations", 400, 4),
            Row("patches", "principal components of patches", "autoencoders:patch_components", "classical", _SIZES,
                _QUICK),
            Row("trained", "principal components and convolutions, trained", "autoencoders:trained", "ours", _SIZES,
                _QUICK),
        ),
        (
            Limit("autoencoder: rel. L2 error over modes of frames / over components of patches", "trained",
                  tuple(Bound("error", 1.0, 0.7, over=linear, form=TWO) for linear in ("frames", "patches")),
                  beside="patches"),
            Limit("autoencoder: CPU time of the training [s]", "trained", (Bound("seconds", 1200.0, form=COUNT),)),
        ),
        (Case("autoencoder of smoke, 96x fewer numbers: rel. L2 error", "trained", "error", THREE),),
        note="Errors count each field in units of its deviation, over all frames. Whole simulations have at most as "
        "many modes as there are simulations for the training, so that these are not as many latents.",
    ),
)  # fmt: skip
