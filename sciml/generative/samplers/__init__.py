"""Samplers: from a source along a flow to data, in so many calls of the flow.

===========================  =======  =========================================================================
sampler                      order    for
===========================  =======  =========================================================================
:class:`Euler`               1        straight flows, and reflowed ones in one to four calls
:class:`GaussianSteps`       1 or 2   one to eight calls, where the deviation under the condition is known
:class:`Heun`                2        many calls; two for each step
:class:`AdamsBashforth2`     2        four to twenty calls, one for each step
:class:`HeavyBall`           1 to 4   the same where strong guidance makes velocities oscillate
:class:`DDIM`                1        variance-preserving paths, and networks that were trained as diffusion
:class:`DDPM`                1        the same with new noise in every step, at hundreds of calls
:class:`ConsistencySteps`             consistency models in one to four calls
:class:`StochasticEuler`     1        flows with errors, which new noise makes forgotten
:class:`StochasticHeun`      2        the same, two calls for each step
:class:`StochasticGaussian`  1        the same by Gaussian steps
===========================  =======  =========================================================================

Steps are equal in the clock of the path, those of DDIM, DDPM and consistency models in time. Tensors have any shape, of
which the first axis is the batch.
"""

from sciml.generative.samplers.base import Run, Sampler, sample
from sciml.generative.samplers.denoising import DDIM, DDPM, ConsistencySteps
from sciml.generative.samplers.deterministic import AdamsBashforth2, Euler, HeavyBall, Heun
from sciml.generative.samplers.gaussian import GaussianSteps, conditional_deviation
from sciml.generative.samplers.stochastic import StochasticEuler, StochasticGaussian, StochasticHeun

__all__ = [
    "DDIM",
    "DDPM",
    "AdamsBashforth2",
    "ConsistencySteps",
    "Euler",
    "GaussianSteps",
    "HeavyBall",
    "Heun",
    "Run",
    "Sampler",
    "StochasticEuler",
    "StochasticGaussian",
    "StochasticHeun",
    "conditional_deviation",
    "sample",
]
