"""Pore networks: pressures and permeabilities where the law of the throats is hidden, and what holds untrained."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_SHORT = "{:.2g}".format
_SEEDED = {"seeded": ["seed", "data.init_args.seed"]}
_FAST = ["training.phases=[{optimizer: adam, learning_rate: 0.01, epochs: 1}]", "training.updates_per_batch=2",
         "data.init_args.graphs=4", 'data.init_args.tests={"50_200": {base: [13, 87], graphs: 4}}']  # fmt: skip
_SIZES = (Column("mse_50_200", "MSE, 50 to 200 pores"), Column("mse_200_500", "200 to 500"), Column("mse_1300", "1300"))


def _config(name: str, *changes: str) -> dict[str, object]:
    return {"config": f"cgs/{name}", "changes": list(changes), **_SEEDED}


def _quick(*changes: str) -> dict[str, object]:
    return {"changes": [*changes, *_FAST]}


_BASELINES = (  # learning rates are the best of three, on a seed for tuning
    ("stacked", "stacked layers", 1.5e-2, {"layers": 5, "width": 16, "hidden": [32]}),
    ("attention", "layers with attention", 1.5e-2, {"layers": 4, "width": 16, "hidden": [32]}),
    ("ignn", "IGNN", 5e-3, {"width": 32, "hidden": [32]}),
    ("sse", "SSE", 1.5e-2, {"width": 32, "hidden": [32]}),
)
_BUDGET = {"subject": "pores", "cpu_seconds": 120.0, "graphs": 8, "reused": 32}
_LARGE = "data.init_args.tests.dense={base: [88500, 88501], graphs: 1, grows: true}"
_POWER = "task.init_args.model.init_args.conductances.init_args.hidden=[]"
_POWER_OF_ALL = (
    "task.init_args.features={class_path: sciml.cgs.ThroatFeatures, init_args: {pores: [diameter]}}",
    (
        "task.init_args.model.init_args.conductances="
        "{class_path: sciml.cgs.ThroatConductances, init_args: {throat_dim: 4, hidden: []}}"
    ),
)

GROUPS = (
    Group(
        "pores",
        "pressures in pore networks by size, Hagen-Poiseuille throats: mean square errors relative to the inlet",
        (*_SIZES, Column("mse_of_mean_200_500", "of the mean, 200 to 500")),
        (
            Row("paper", "CGS as published, raw features", "jobs:trained", "published",
                _config("pore_paper"), _quick()),
            Row("nondimensional", "CGS as published, nondimensional features", "jobs:trained", "published",
                _config("pore_cpu"), _quick()),
            Row("anchored", "anchored head, conductances hidden", "jobs:trained", "ours",
                _config("pore_anchored_cpu"), _quick()),
            *(
                Row(name, f"{title}, nondimensional features", "values:network", "neural",
                    {"network": name, "options": options, "learning_rate": rate, **_BUDGET}, {"cpu_seconds": 1.0})
                for name, title, rate, options in _BASELINES
            ),
        ),
        (
            Limit("paper's recipe on raw features, 50 to 200 / 200 to 500 pores: MSE; over that of the mean",
                  "paper",
                  (Bound("mse_50_200", 1e-2), Bound("mse_200_500", 1e-2),
                   Bound("mse_50_200", 1 / 8, of="mse_of_mean_50_200", form=_SHORT),
                   Bound("mse_200_500", 1 / 8, of="mse_of_mean_200_500", form=_SHORT))),
            Limit("the same on nondimensional features", "nondimensional",
                  (Bound("mse_50_200", 5e-3), Bound("mse_200_500", 4e-3))),
            Limit("anchored head, law hidden: 50 to 200 / 200 to 500 / 1300 pores", "anchored",
                  (Bound("mse_50_200", 1e-6, 1e-9), Bound("mse_200_500", 5e-6, 1e-9),
                   Bound("mse_1300", 5e-5, 1e-9)), beside="nondimensional"),
        ),
        (Case("pore networks, 200 to 500 pores, law of the throats hidden: MSE", "anchored", "mse_200_500",
              featured=True),),
    ),
    Group(
        "conduits",
        "pressures in pore networks of pores and throats in series, both laws hidden: mean square errors",
        (*_SIZES[:2], Column("mse_dense", "1e5 pores")),
        (
            Row("anchored", "anchored head, laws of conduits", "jobs:trained", "ours",
                _config("pore_conduits_cpu", _LARGE), _quick()),
            Row("power", "a power law of throat and both pores", "jobs:trained", "classical",
                _config("pore_conduits_cpu", *_POWER_OF_ALL, _LARGE), _quick(*_POWER_OF_ALL)),
        ),
        (
            Limit("conduits hidden: 50 to 200 / 200 to 500 / 1e5 pores; over a power law", "anchored",
                  (Bound("mse_50_200", 1e-5, 1e-6), Bound("mse_200_500", 1e-5, 1e-6), Bound("mse_dense", 1e-4, 1e-6),
                   Bound("mse_200_500", 0.1, over="power", form=_SHORT),
                   Bound("mse_dense", 0.1, over="power", form=_SHORT)), beside="power"),
        ),
        (Case("pore networks, 1e5 pores, conduits hidden: MSE", "anchored", "mse_dense"),),
    ),
    Group(
        "permeability",
        "one permeability for each network of the training as the only label: relative errors",
        (
            Column("permeability_error_50_200", "permeability, 50 to 200 pores"),
            Column("permeability_error_200_500", "200 to 500"),
            Column("permeability_error_1300", "1300"),
            Column("mse_200_500", "MSE of pressures, 200 to 500"),
        ),
        (
            Row("anchored", "anchored head, law hidden", "jobs:trained", "ours", _config("permeability_cpu"),
                _quick()),
            Row("power", "a power law", "jobs:trained", "classical", _config("permeability_cpu", _POWER),
                _quick(_POWER)),
        ),
        (
            Limit("one permeability a network as label: permeability, 200 to 500 pores", "anchored",
                  (Bound("permeability_error_200_500", 0.02, 0.003),), beside="power"),
        ),
        (Case("permeability of pore networks as the only label, 200 to 500 pores: error", "anchored",
              "permeability_error_200_500"),),
    ),
    Group(
        "berea",
        "permeability of Berea sandstone, shape factors hidden: relative errors",
        (Column("permeability_error_other_half", "of the other half"), Column("permeability_error_rock", "of the rock"),
         Column("permeability_error_boxes", "of boxes of the other half")),
        (
            Row("learned", "anchored head, learned from boxes of one half", "berea:learned", "ours",
                {"config": "cgs/berea_learned_cpu"},
                {"changes": ["training.phases.0.epochs=2", "data.init_args.test_graphs=2"]}),
            Row("circular", "circular cross sections", "berea:circular", "classical", {"edges": [0.7e-3, 1.0e-3]},
                drawn=False),
            Row("solved", "solved with the shape factors, against an independent program", "berea:solved", "classical",
                drawn=False),
        ),
        (
            Limit("Berea, shape factors hidden: permeability of the other half / of the rock", "learned",
                  (Bound("permeability_error_other_half", 0.1, 0.03), Bound("permeability_error_rock", 0.1, 0.03)),
                  beside="circular"),
            Limit("Berea with its shape factors, against an independent program", "solved",
                  (Bound("permeability_error_rock", 1e-4),)),
        ),
        (Case("Berea sandstone, shape factors hidden: permeability of the rock", "learned",
              "permeability_error_rock"),),
    ),
    Group(
        "theorems",
        "what holds for anchored heads with random weights: maximum principle and Kirchhoff's law on 50 networks",
        (Column("excess", "beyond inlet and outlet", _SHORT), Column("imbalance", "imbalance at a pore")),
        (Row("untrained", "anchored head, not trained", "theorems:untrained", "ours", {"networks": 50},
             {"networks": 4}),),
        (Limit("maximum principle / Kirchhoff's law, untrained, 50 networks", "untrained",
               (Bound("excess", 1e-10), Bound("imbalance", 1e-10))),),
    ),
)  # fmt: skip
