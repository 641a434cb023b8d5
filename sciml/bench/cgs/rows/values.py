"""Value iteration, and the classification of graphs."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_PERCENT, _FINE = "{:.1%}".format, "{:.2%}".format
_TESTED = {"evaluation": "sciml.bench.cgs.values:test_errors"}
_SETTINGS = {"graphs": 4, "cpu_seconds": 60.0}
_SMALL = {"hidden": [32]}
_PUBLISHED = {"squash": "clip", "activates_output": True}
_NETWORKS = (  # learning rates are the best of three, on a seed for tuning
    (
        "heads",
        "CGS, heads of the paper",
        "published",
        3e-3,
        {"heads": 16, "layers": 4, "width": 16, **_SMALL, **_PUBLISHED},
    ),
    (
        "heads-residual",
        "CGS, heads of the paper and a decoder that sees the biases",
        "ours",
        3e-3,
        {"heads": 16, "layers": 5, "width": 16, "residual": True, **_SMALL},
    ),
    ("stacked", "stacked layers", "neural", 3e-3, {"layers": 5, "width": 16, **_SMALL}),
    ("attention", "layers with attention", "neural", 5e-3, {"layers": 4, "width": 16, **_SMALL}),
    ("ignn", "IGNN", "neural", 1.5e-3, {"width": 32, **_SMALL}),
    ("sse", "SSE", "neural", 1.5e-2, {"width": 32, **_SMALL}),
)
_SETS = {"mutag": ("MUTAG", 7), "proteins": ("PROTEINS", 3)}


def _classified(name: str, folds: int | None, *changes: str) -> dict[str, object]:
    settings = {"config": f"cgs/{name}_cpu", "set": _SETS[name][0], "changes": list(changes)}
    return settings | ({"folds": folds} if folds else {})


def _histogram(name: str) -> str:
    arguments = f"{{node_dim: {_SETS[name][1]}, outputs: 2, dropout: 0.3}}"
    return f"task.init_args.model={{class_path: sciml.cgs.baselines.TagHistogram, init_args: {arguments}}}"


def _quick(*changes: str) -> dict[str, object]:
    return {"folds": 1, "changes": [*changes, "training.phases.0.epochs=2"]}


GROUPS = (
    Group(
        "values",
        "value iteration on larger graphs after training on 20 to 50 states: states with the best decision",
        (
            Column("policy_accuracy_100x10", "100 states, 10 actions", _FINE),
            Column("policy_accuracy_200x20", "200 states, 20 actions", _FINE),
            Column("relative_error_200x20", "relative error of the values, 200"),
            Column("updates", "updates", "{:.0f}".format),
        ),
        (
            Row("bellman", "Bellman head", "jobs:trained", "ours", {"config": "cgs/values_cpu", **_TESTED},
                {"changes": ["training.phases=[{optimizer: adam, learning_rate: 5e-2, epochs: 1}]"]}),
            *(
                Row(name, title, "values:network", kind,
                    {"network": name.partition("-")[0], "options": options, "learning_rate": rate, **_SETTINGS},
                    {"cpu_seconds": 1.0})
                for name, title, kind, rate, options in _NETWORKS
            ),
        ),
        (
            Limit("value iteration, Bellman head: best decisions, 100x10 / 200x20 states", "bellman",
                  (Bound("policy_accuracy_100x10", 0.99, 0.999, most=False, form=_FINE),
                   Bound("policy_accuracy_200x20", 0.99, 0.999, most=False, form=_FINE)), beside="stacked"),
            Limit("the same by the heads of the paper, over stacked layers", "heads",
                  (Bound("policy_accuracy_100x10", 1.0, most=False, over="stacked", form="{:.3f}".format),
                   Bound("policy_accuracy_200x20", 1.0, most=False, over="stacked", form="{:.3f}".format)),
                  beside="stacked"),
        ),
        (Case("value iteration, 200 states, 20 actions: states without the best decision", "bellman",
              "policy_error_200x20", _FINE),),
    ),
    Group(
        "classification",
        "classification of graphs: accuracy by protocol",
        (
            Column("nested", "epoch chosen by validation", _PERCENT),
            Column("gin", "one epoch for all tests (GIN)", _PERCENT),
            Column("last", "last epoch", _PERCENT),
            Column("test_best", "best epoch of each test, a maximum over noise", _PERCENT),
        ),
        (
            Row("mutag3", "MUTAG, 3 folds, CGS", "classification:cross_validation", "ours",
                _classified("mutag", 3), _quick()),
            Row("mutag", "MUTAG, 10 folds, CGS", "classification:cross_validation", "ours",
                _classified("mutag", None), _quick()),
            Row("mutag-histogram", "MUTAG, 10 folds, histogram of the tags", "classification:cross_validation",
                "classical", _classified("mutag", None, _histogram("mutag")), _quick(_histogram("mutag"))),
            Row("proteins", "PROTEINS, 10 folds, CGS", "classification:cross_validation", "ours",
                _classified("proteins", None), _quick()),
            Row("proteins-histogram", "PROTEINS, 10 folds, histogram of the tags",
                "classification:cross_validation", "classical",
                _classified("proteins", None, _histogram("proteins")), _quick(_histogram("proteins"))),
        ),
        (
            Limit("MUTAG, 3 folds: accuracy", "mutag3", (Bound("nested", 0.80, most=False, form=_PERCENT),)),
            Limit("MUTAG, 10 folds, nested validation: accuracy", "mutag",
                  (Bound("nested", 0.85, most=False, form=_PERCENT),), beside="mutag-histogram"),
            Limit("PROTEINS, 10 folds, nested validation: accuracy", "proteins",
                  (Bound("nested", 0.73, most=False, form=_PERCENT),), beside="proteins-histogram"),
        ),
        note="each seed draws folds of its own, but from the graphs on which the settings were chosen; GIN's protocol "
        "picks the epoch on the tests, and is optimistic",
    ),
)  # fmt: skip
