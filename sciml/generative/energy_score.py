r"""The energy score as an objective: a network that maps noise to data in one call, trained as an ensemble forecast.

.. math::
    \frac{1}{M} \sum_j \lVert z_j - z \rVert - \frac{1 - \varepsilon}{M (M - 1)} \sum_{j < k} \lVert z_j - z_k \rVert,
    \qquad \varepsilon = \frac{1 - a}{M}, \qquad z_j = f(x_0^{(j)})

with M members for each item. With a = 1 the score is fair: its mean over data is least for the law of the data, for any
M >= 2 (Gneiting and Raftery 2007; Ferro 2014). It is also flat where z lies between two members, which in finite
precision lets single members drift away; a < 1, "almost fair", removes this (Lang et al. 2024, with a = 0.95), and
makes members too narrow: for Gaussian data, by the factor

.. math:: \frac{1 - \varepsilon}{\sqrt{2 - (1 - \varepsilon)^2}}

which is 0.952 for two members with a = 0.95 and 0.990 with a = 0.99.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import torch
from torch import Generator, Tensor

from sciml.checks import choice, number, whole_number
from sciml.errors import InputError
from sciml.generative.flows import Condition, Flow, GaussianFlow, answer
from sciml.generative.objectives import Network, Objective, drawn_source
from sciml.generative.paths import Path
from sciml.generative.samplers import Sampler
from sciml.generative.samplers.denoising import is_one_call


def joint_distance(first: Tensor, second: Tensor) -> Tensor:
    """Return the root mean square difference of each item, ``(batch,)``."""
    difference = (first - second).flatten(1)
    return torch.linalg.vector_norm(difference, dim=1) / difference.shape[1] ** 0.5


def marginal_distance(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean absolute difference of each item, ``(batch,)``."""
    return (first - second).abs().flatten(1).mean(1)


DISTANCES = {"joint": joint_distance, "marginal": marginal_distance}


@dataclass(frozen=True)
class EnergyScoreObjective(Objective):
    r"""The almost fair energy score of members from one call each.

    Parameters
    ----------
    path : whose source is taken; the network is called at time 0
    members : M, for each item
    fairness : a; 1 is fair
    distance : ``"joint"``, the norm of a whole item, whose score is least for the joint law of the data;
        ``"marginal"``, absolute values of the entries, the mean CRPS, which sees the law of each entry only

    References
    ----------
    Lang et al., "AIFS-CRPS", 2024; Alet et al., "Skillful joint probabilistic weather forecasting from marginals"
    (FGN), 2025; Pacchiardi et al., "Probabilistic forecasting with generative networks via scoring rule minimization",
    2024.
    """

    path: Path
    members: int = 2
    fairness: float = 0.99
    distance: Literal["joint", "marginal"] = "joint"

    def __post_init__(self) -> None:
        whole_number("the number of members", self.members, at_least=2)
        number("the fairness of the score", self.fairness, at_least=0, at_most=1)
        choice("the distance", self.distance, DISTANCES)

    def flow(self, network: Network) -> Flow:
        """Return the flow of a trained network, of which one step of DDIM is the network itself."""
        return GaussianFlow(network, self.path, "data")

    def check_sampler(self, sampler: Sampler, steps: int) -> None:
        """Refuse all but one call whose answer is the sample: the network knows no other time than 0."""
        if not (steps == 1 and is_one_call(sampler)):
            raise InputError(
                f"the sampler is {sampler} with {steps} calls of a network that was trained on an energy score, at "
                "time 0 alone, expected one call of DDIM(), whose answer is the sample; set 1 for the calls."
            )

    def draw(self, mean: Tensor, generator: Generator) -> Tensor:
        """Draw a source for each member about its mean ``(batch, ...)``: ``(members, batch, ...)``."""
        return self.path.start(mean.expand(self.members, *mean.shape), generator)

    def loss(
        self,
        network: Network,
        data: Tensor,
        source: Tensor | None,
        condition: Condition | None,
        generator: Generator,
    ) -> Tensor:
        """Return the score of each item, ``(batch,)``, with a source ``(members, batch, ...)``."""
        source = drawn_source(self.path, data.expand(self.members, *data.shape), source, generator)
        start = data.new_zeros(len(data))
        made = [answer(network, each, start, condition) for each in source]
        return almost_fair_score(made, data, self.fairness, self.distance)


def almost_fair_score(members: list[Tensor], data: Tensor, fairness: float, distance: str) -> Tensor:
    """Return the almost fair score of members, each ``(batch, ...)``, for each item, ``(batch,)``."""
    count, between = len(members), DISTANCES[distance]
    missed = sum(between(each, data) for each in members) / count
    apart = sum(between(*two) for two in combinations(members, 2)) / (count * (count - 1))
    return missed - (1 - (1 - fairness) / count) * apart
