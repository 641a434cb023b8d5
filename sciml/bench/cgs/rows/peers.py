"""Optional peers, which are measured where they are installed and asked for."""

from __future__ import annotations

from sciml.bench.frame import Column, Group, Row

_COLUMNS = (Column("imbalance", "largest imbalance at a pore"),)
_OPTIONS = {"backend": "pytorch", "method": "cg", "is_spd": True, "tol": 1e-10}

GROUPS = (
    Group(
        "openpnm",
        "OpenPNM on a cubic network of 216,000 pores, with its default solver",
        _COLUMNS,
        (Row("cubic", "OpenPNM, StokesFlow", "peers:openpnm", "classical", {"pores": 60}, {"pores": 12}),),
        peer="openpnm",
    ),
    Group(
        "torch_sla",
        "torch-sla on the same network",
        _COLUMNS,
        (Row("cubic", "torch-sla, conjugate gradients", "peers:torch_sla", "classical",
             {"pores": 60, "options": _OPTIONS}, {"pores": 12}),),
        peer="torch-sla",
    ),
)  # fmt: skip
