"""Generative models as pure functions of a network: paths, objectives and samplers.

A path leads from a source, noise or a guess with noise, to data; a network learns its mean velocity; a sampler follows
it. Time runs from 0, the source, to 1, the data.

>>> import torch
>>> from sciml.generative import Euler, GaussianFlow, LinearPath, PathObjective, sample
>>> from sciml.numerics.random import generator, seeded
>>> path = LinearPath()
>>> with seeded(0):
...     layer = torch.nn.Linear(3, 2)
>>> def network(x, t):
...     return layer(torch.cat([x, t[:, None]], 1))
>>> losses = PathObjective(path).loss(network, torch.ones(8, 2), None, None, generator(0))
>>> losses.mean().backward()
>>> start = path.start(torch.zeros(4, 2), generator(1))
>>> sample(GaussianFlow(network, path), start, 4, Euler()).shape
torch.Size([4, 2])
"""

from sciml.generative.classical import Analogs, ClassicalEnsemble, GappyPOD, LinearGaussian
from sciml.generative.consistency import ConsistencyObjective, reflow_pairs
from sciml.generative.constraints import Constrained, Constraints
from sciml.generative.couplings import Coupling, IndependentCoupling, MinibatchTransport, NearestNoise
from sciml.generative.energy_score import EnergyScoreObjective
from sciml.generative.exact import ExactGaussian
from sciml.generative.flows import Condition, Counted, Flow, GaussianFlow
from sciml.generative.guidance import Adaptive, ClassifierFree, ResidualGuidance
from sciml.generative.inverse import Observation, PosteriorFlow, flair, flow_chef
from sciml.generative.mean_flow import MeanFlow, MeanFlowObjective
from sciml.generative.objectives import Objective, PathObjective
from sciml.generative.paths import (
    Coefficients,
    CosinePath,
    Interpolant,
    LinearPath,
    Path,
    TrigonometricPath,
    VariancePreservingPath,
)
from sciml.generative.predictions import Pair, Prediction
from sciml.generative.samplers import (
    DDIM,
    DDPM,
    AdamsBashforth2,
    ConsistencySteps,
    Euler,
    GaussianSteps,
    HeavyBall,
    Heun,
    Run,
    Sampler,
    StochasticEuler,
    StochasticGaussian,
    StochasticHeun,
    conditional_deviation,
    sample,
)

__all__ = [
    "AdamsBashforth2",
    "Adaptive",
    "Analogs",
    "ClassicalEnsemble",
    "ClassifierFree",
    "Coefficients",
    "Condition",
    "ConsistencyObjective",
    "ConsistencySteps",
    "Constrained",
    "Constraints",
    "CosinePath",
    "Counted",
    "Coupling",
    "DDIM",
    "DDPM",
    "EnergyScoreObjective",
    "Euler",
    "ExactGaussian",
    "Flow",
    "GappyPOD",
    "GaussianFlow",
    "GaussianSteps",
    "HeavyBall",
    "Heun",
    "IndependentCoupling",
    "Interpolant",
    "LinearGaussian",
    "LinearPath",
    "MeanFlow",
    "MeanFlowObjective",
    "MinibatchTransport",
    "NearestNoise",
    "Objective",
    "Observation",
    "Pair",
    "Path",
    "PathObjective",
    "PosteriorFlow",
    "Prediction",
    "ResidualGuidance",
    "Run",
    "Sampler",
    "StochasticEuler",
    "StochasticGaussian",
    "StochasticHeun",
    "TrigonometricPath",
    "VariancePreservingPath",
    "conditional_deviation",
    "flair",
    "flow_chef",
    "reflow_pairs",
    "sample",
]
