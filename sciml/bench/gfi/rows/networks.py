"""Networks from records to velocity maps, and from maps to records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_METRES, _COUNT, _TWO, _ONE = "{:.0f}".format, "{:,.0f}".format, "{:.2f}".format, "{:.1f}".format
_TESTS, _FEW = {"pairs": 4000, "tests": 500}, {"pairs": 12, "tests": 2}
_FEWER = {"pairs": 1024, "tests": 200}
_NETWORK, _EPOCHS = "task.init_args.network", "training.phases.0.epochs"
_QUICK = (f"{_EPOCHS}=1", "data.init_args.batch_size=4", "data.init_args.fractions=[0.5, 0.0]")
_INVERSION_NET = f"{_NETWORK}={{class_path: sciml.gfi.InversionNet, init_args: {{widths: [8, 16, 32, 64, 128]}}}}"
_LATENT = f"{_NETWORK}={{class_path: sciml.gfi.LatentUNet, init_args: {{size: cpu, latent: 32}}}}"
_FORWARD_LATENT = f"{_NETWORK}={{class_path: sciml.gfi.ForwardLatentUNet, init_args: {{size: cpu, latent: 32}}}}"
_FOURIER = f"{_NETWORK}={{class_path: sciml.gfi.FourierWaveforms, init_args: {{modes: [12, 12], width: 12}}}}"
_MODELLING = ("task.class_path=sciml.gfi.ModellingTask", "training.phases.0.optimizer=adam", "training.weights={}",
              "training.phases.0.learning_rate=1e-3", "training.phases.0.weight_decay=0.0")  # fmt: skip


def _inverse(method: str, title: str, kind: Any, *changes: str) -> Row:
    return _row(method, title, "network", kind, "gfi/curvevel_a_cpu", _TESTS, changes)


def _forward(method: str, title: str, kind: Any, *changes: str) -> Row:
    return _row(method, title, "modelling", kind, "gfi/xnet_cpu", _FEWER, changes)


def _row(method: str, title: str, function: str, kind: Any, config: str, sizes: dict, changes: Sequence[str]) -> Row:
    given = {**sizes, "config": config, "changes": list(changes)}
    quick = [each for each in changes if not each.startswith(("training.phases.0.epochs", "data."))]
    warm = ["training.phases.0.warmup_epochs=0"] if config == "gfi/curvevel_a_cpu" else []
    return Row(method, title, f"networks:{function}", kind, given, {**_FEW, "changes": [*quick, *warm, *_QUICK]})


NETWORKS = Group(
    "networks",
    "500 genuine CurveVel-A maps from their records, by networks trained on 4000 generated maps",
    (
        Column("mae", "mean absolute error [m/s]", _METRES),
        Column("ssim", "structural similarity", _TWO),
        Column("milliseconds", "CPU time of a map [ms]", _ONE),
        Column("generation", "of the data [s]", _COUNT),
    ),
    (
        Row("mean", "mean of the maps of the training", "networks:mean_map", "classical", _TESTS, _FEW),
        Row("nearest", "map of the training with the nearest records", "networks:nearest_map", "classical",
            _TESTS, _FEW),
        _inverse("inversion-net", "InversionNet, a quarter of its channels, 200 s", "published", _INVERSION_NET,
                 f"{_EPOCHS}=2", "data.init_args.fractions=[0.7, 0.03]", "task.init_args.square_weight=1.0"),
        _inverse("latent-unet", "Latent U-Net, 32 x 32 latent cells, 200 s", "published", _LATENT,
                 f"{_EPOCHS}=2", "data.init_args.fractions=[0.55, 0.03]", "task.init_args.square_weight=1.0"),
        _inverse("transformer-short", "transformer of columns, 200 s", "neural", f"{_EPOCHS}=6"),
        Row("shipped", "shipped weights, 10,000 maps", "networks:shipped", "ours", {"tests": 500}, {"tests": 2},
            drawn=False),
        _inverse("transformer", "transformer of columns, 20 minutes", "ours"),
    ),
    (
        Limit("network trained for 20 CPU minutes: mean absolute error [m/s]", "transformer",
              (Bound("mae", 220.0, 150.0, form=_METRES),), beside="nearest"),
        Limit("shipped weights: mean absolute error [m/s]", "shipped", (Bound("mae", 180.0, 100.0, form=_METRES),),
              beside="nearest", paper="48"),
    ),
    (
        Case("500 genuine CurveVel-A maps from records: mean absolute error [m/s]", "transformer", "mae", _METRES,
             paper="48"),
    ),
    note="Maps and records of the training are generated, so that no network has seen a genuine map; records of the "
    "tests are made by OpenFWI's own scheme. The CPU time of a network is that of its training, without that of its "
    "data. The paper's number is that of the published Latent U-Net Large, trained on 24,000 genuine maps.",
)  # fmt: skip

FORWARD = Group(
    "forward",
    "records of 200 genuine CurveVel-A maps, by networks trained for about 200 s on 1024 generated maps",
    (
        Column("records", "relative L2 error"),
        Column("milliseconds", "CPU time of a map [ms]", _ONE),
        Column("solver_error", "of the solver: error"),
        Column("solver", "CPU time [ms]", _ONE),
    ),
    (
        _forward("xnet", "Invertible X-Net, 32 x 32 latent cells", "published", f"{_EPOCHS}=2"),
        _forward("fourier", "Fourier neural operator", "published", *_MODELLING, _FOURIER, f"{_EPOCHS}=1",
                 "data.init_args.fractions=[0.85, 0.03]"),
        _forward("latent-unet", "Latent U-Net, 32 x 32 latent cells", "published", *_MODELLING, _FORWARD_LATENT,
                 f"{_EPOCHS}=3"),
    ),
    note="The solver is the numba engine, beside which no learned forward network is of use for its accuracy; errors "
    "are relative to records by OpenFWI's own scheme, so that 1 is that of no wave at all.",
)  # fmt: skip

GROUPS = (NETWORKS, FORWARD)
