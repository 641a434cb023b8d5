"""What one would try instead, under one call: ``baseline(problem, budget, seed)`` gives u(points, time)."""

from sciml.lpinn.baselines.contract import Baseline, Budget, Solution

__all__ = ["Baseline", "Budget", "Solution"]
