"""Solvers of graph Laplacians: large pore networks, and the adjoint beside the forward solve."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row

_PLAIN, _COUNT, _SHORT = "{:.2f}".format, "{:,.0f}".format, "{:.2g}".format
_LARGE = {"delaunay": 88_500, "voronoi": 15_000}  # base points of about 1e5 pores

GROUPS = (
    Group(
        "solvers",
        "networks of 1e5 pores and a cubic one of 216,000, to an error of at most 1e-8, set-up included",
        (
            Column("pores", "pores", _COUNT),
            Column("contrast", "contrast"),
            Column("iterations", "iterations", _COUNT),
            Column("error", "bound on the error"),
            Column("forward", "forward [s]", _SHORT),
            Column("backward", "backward [s]", _SHORT),
            Column("ratio", "backward / forward", _PLAIN),
        ),
        (
            *(
                Row(kind, f"{kind.capitalize()}, graph Laplacian", "solvers:network", "ours",
                    {"network": kind, "base": base, "solver": "auto"}, {"base": 300})
                for kind, base in _LARGE.items()
            ),
            Row("cubic", "cubic, graph Laplacian", "solvers:network", "ours",
                {"network": "cubic", "pores": 60, "solver": "auto"}, {"pores": 12}),
            Row("cubic-amg", "cubic, algebraic multigrid", "solvers:network", "classical",
                {"network": "cubic", "pores": 60, "solver": "amg"}, {"pores": 12}),
        ),
        (
            *(
                Limit(f"1e5 pores, {kind.capitalize()}: iterations / CPU time with set-up [s] / backward over forward",
                      kind,
                      (Bound("iterations", most, form=_COUNT), Bound("forward", 4.0, 2.0, form=_SHORT),
                       Bound("ratio", 0.8, 0.5, form=_PLAIN)))
                for kind, most in (("delaunay", 25), ("voronoi", 40))
            ),
            Limit("cubic network, 216,000 pores: CPU time with set-up [s]", "cubic",
                  (Bound("forward", 3.0, 0.5, form=_SHORT),), beside="cubic-amg"),
        ),
        (Case("cubic network, 216,000 pores, error 1e-8: CPU time [s]", "cubic", "forward", _SHORT),),
    ),
)  # fmt: skip
