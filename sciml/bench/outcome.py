"""The result of a job: the quantities that it measures, its CPU time, and whether it failed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from sciml.bench.measure import load_average
from sciml.errors import ConfigError, SciMLError


def outcome(measure: Callable[[], Mapping[str, float]], seconds: float | None = None) -> dict[str, Any]:
    """Return the result of a job: the quantities that a function measures, its CPU time, and whether it failed.

    Parameters
    ----------
    measure : returns quantities by name; those that are not finite are left out
    seconds : CPU time of the method where it differs from that of the whole function
    """
    begin, failed, found = time.process_time(), None, {}
    try:
        found = {name: float(value) for name, value in measure().items() if math.isfinite(value)}
    except ConfigError:  # a fault of the row
        raise
    except SciMLError as error:
        failed = str(error)
    took = time.process_time() - begin
    return {"last": found, "seconds": found.pop("seconds", took) if seconds is None else seconds, "failed": failed,
            "load": load_average()}  # fmt: skip
