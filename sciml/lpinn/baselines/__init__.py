"""Baselines: physics-informed networks in the Eulerian frame, with one call ``baseline(problem, budget, seed)``."""

from sciml.lpinn.baselines.causal_fourier import FourierCausal
from sciml.lpinn.baselines.contract import Baseline, Budget, Solution
from sciml.lpinn.baselines.curriculum import Curriculum
from sciml.lpinn.baselines.deepxde_pinn import DeepXdePinn
from sciml.lpinn.baselines.sequence import SequenceToSequence
from sciml.lpinn.baselines.xpinn import Xpinn

__all__ = [
    "Baseline",
    "Budget",
    "Curriculum",
    "DeepXdePinn",
    "FourierCausal",
    "SequenceToSequence",
    "Solution",
    "Xpinn",
]
