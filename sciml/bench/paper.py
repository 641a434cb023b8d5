"""The numbers of the papers, from the section ``paper`` of the shipped configs."""

from __future__ import annotations

from functools import cache

from sciml.bench.report import DASH, error_shown


@cache
def paper_value(config: str, metric: str) -> str:
    """Return the number that a paper claims for the case of a config, a dash if it claims none."""
    from sciml.config_files import find_config, read_yaml

    metrics = (read_yaml(find_config(config)).get("paper") or {}).get("metrics") or {}
    return error_shown(float(metrics[metric])) if metric in metrics else DASH
