"""The settings of a refinement: stages, priors, bounds and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sciml.checks import instance, number, positive, whole_number
from sciml.errors import InputError
from sciml.gfi.refinement.priors import Prior, TotalVariation
from sciml.reference.layered_maps import HIGHEST, LOWEST

FEWEST = 7  # solves, with which one step can be made


@dataclass(frozen=True)
class Stage:
    """A part of a refinement, in which records are compared in one band of frequencies.

    Parameters
    ----------
    highest : frequency, over that of the wavelet's peak, at which half of the amplitude is left; None for the full band
    share : of the solves
    gain : power of the time by which records are multiplied, so that late arrivals count more
    smoothing : deviation in cells of the Gaussian by which the first guess of each step is smoothed
    """

    highest: float | None = None
    share: float = 1.0
    gain: float = 0.0
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.highest is not None:
            positive("the highest frequency of a stage", self.highest)
        positive("the share of a stage", self.share)
        number("the gain of a stage", self.gain, at_least=0.0, at_most=4.0)
        number("the smoothing of a stage", self.smoothing, at_least=0.0, at_most=100.0)


STAGES = (
    Stage(0.27, 0.2, 0.5, 2.0),
    Stage(0.45, 0.2, 0.5, 1.5),
    Stage(0.8, 0.2, 0.5, 1.0),
    Stage(None, 0.4, 0.5, 0.7),
)
"""From a quarter of the peak frequency to the full band, late arrivals louder than they are."""


@dataclass(frozen=True)
class Refinement:
    r"""The algorithm: stages from low frequencies to the full band, each by L-BFGS steps within bounds.

    Parameters
    ----------
    solves : of the wave equation from each start, each the forward and the adjoint one of all shots; what assesses
        start and result is among them
    stages : one after the other
    priors : what is known of the map; total variation by default
    slowest, fastest : bounds of the velocity, in m/s; those of OpenFWI's maps by default
    lowest : frequency, over that of the wavelet's peak, below which records are not compared: there, absorbing layers
        reflect and receivers record little; None to compare down to zero
    lift : power of the period by which frequencies below the wavelet's peak are multiplied before records are compared;
        2 makes the spectrum of a Ricker wavelet flat there. Without stated noise the difference at the true map is the
        model's, about the same share of the records at all frequencies, so that all should count alike; white noise is
        not, and where it is stated nothing is lifted
    balance : power of the illumination by which gradients are divided on both sides, so that deep cells move sooner;
        with a high one, those that the records hardly see run away
    ready : misfit in the band of the next stage, beyond that of the noise, at which a stage ends, as it then has no
        cycle to skip
    noise : root mean square of white noise as a share of that of the observed records, where it is known. Records are
        then compared behind a Wiener filter (:meth:`~sciml.gfi.refinement.ShotProblem.signal`); with the misfit eta
        that the noise is expected to cause there, and k independent samples, a stage ends as soon as its misfit is at
        most :math:`\eta (1 + 2 \sqrt{2 / k})` (Morozov's discrepancy principle), and weights of priors go with the
        misfit beyond eta
    unknown_wavelet : whether the acquisition's wavelet is a guess, to be found with the map
    """

    solves: int = 300
    stages: Sequence[Stage] = STAGES
    priors: Sequence[Prior] | None = None
    slowest: float = LOWEST
    fastest: float = HIGHEST
    lowest: float | None = 0.2
    lift: float = 2.0
    balance: float = 0.2
    ready: float = 0.02
    noise: float | None = None
    unknown_wavelet: bool = False

    def __post_init__(self) -> None:
        whole_number("the number of solves", self.solves, at_least=FEWEST)
        priors = (TotalVariation(),) if self.priors is None else self.priors
        for name, given, kind in (("stage", self.stages, Stage), ("prior", priors, Prior)):
            for each in given:
                instance(f"a {name} of a refinement", each, kind, f"a {kind.__name__}")
            object.__setattr__(self, f"{name}s", tuple(given))
        if not self.stages:
            raise InputError("a refinement has no stages, expected at least one.")
        if self.lowest is not None:
            positive("the lowest frequency", self.lowest)
        if self.noise is not None:
            number("the noise", self.noise, above=0.0, below=1.0, remedy="give a share of the records, 0.05 for 5 %")
        self._check_bands()
        positive("the slowest velocity", self.slowest)
        number("the fastest velocity", self.fastest, above=self.slowest)
        number("the lift of low frequencies", self.lift, at_least=0.0, at_most=4.0)
        number("the balance of a refinement", self.balance, at_least=0.0, at_most=2.0)
        number("the misfit at which the next stage begins", self.ready, at_least=0.0)
        instance("unknown_wavelet", self.unknown_wavelet, bool, "True or False")

    def _check_bands(self) -> None:
        """Refuse stages whose band ends below where it begins."""
        if self.lowest is not None:
            for stage in self.stages:
                if stage.highest is not None:
                    remedy = "raise its highest, or take a smaller lowest or none"
                    number("the highest frequency of a stage", stage.highest, above=self.lowest, remedy=remedy)

    def ends_of_band(self, stage: Stage, peak: float) -> tuple[float | None, float | None]:
        """Return the lowest and the highest frequency of a stage in hertz, for a wavelet with this peak."""
        lowest, highest = (None if each is None else each * peak for each in (self.lowest, stage.highest))
        return lowest, highest

    def ends(self) -> list[float]:
        """Return the number of solves at which each stage ends."""
        total, shares = sum(stage.share for stage in self.stages), [stage.share for stage in self.stages]
        return [self.solves * sum(shares[: number + 1]) / total for number in range(len(shares))]
