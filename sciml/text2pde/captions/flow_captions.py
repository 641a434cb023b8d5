"""Captions of the flows of a data set, for the training of a network that reads prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sciml.checks import choice, number
from sciml.errors import ConfigError
from sciml.text2pde.captions.channel_flow import MEAN_OVER_PEAK, VISCOSITY, ChannelFlow
from sciml.text2pde.captions.outlines import CircleOutline, exact
from sciml.text2pde.captions.paper import REGIMES, TEMPLATE, paper_caption, read_paper_caption
from sciml.text2pde.captions.reading import Prompt, read_prompt
from sciml.text2pde.captions.wordings import SEEN
from sciml.text2pde.captions.writing import words_of, write_caption

Style = Literal["grammar", "paper"]
LENGTH_DIGITS, PLACE_DIGITS, VELOCITY_DIGITS = 4, 3, 2  # of numbers in captions, after the point, in SI units
_STATEMENTS = (("peak_velocity",), ("mean_velocity",), ("reynolds_number",), ("peak_velocity", "reynolds_number"))


@dataclass(frozen=True)
class FlowCaptions:
    """A writer of captions of flows past circles, and the reader of prompts that belongs to it.

    Each caption states a choice of what is known, rounded: the velocity by its peak, its mean or the Reynolds number,
    the regime and the viscosity or not, and any of them may be left out.

    Parameters
    ----------
    style : ``grammar``, or ``paper`` for the template of the paper, whose Reynolds number and regime are wrong
    left_out : probability that a size, a place, a regime or a statement about the velocity is left out, each by itself
    unseen : whether the wordings are those that trainings do not use

    Examples
    --------
    >>> flow = ChannelFlow(CircleOutline(x=0.31, y=0.18, radius=0.0449), peak_velocity=1.16)
    >>> captions = FlowCaptions(left_out=0.0)
    >>> captions.read(captions.write(flow, np.random.default_rng(0))).flow.outline == flow.outline
    True
    """

    style: Style = "grammar"
    left_out: float = 0.15
    unseen: bool = False

    def __post_init__(self) -> None:
        choice("the style of the captions", self.style, ("grammar", "paper"), error=ConfigError)
        number("left_out", self.left_out, at_least=0, below=1, error=ConfigError)

    def write(self, flow: ChannelFlow, random: np.random.Generator) -> str:
        """Return a caption of a flow.

        Parameters
        ----------
        flow : with all that is known of it, the regime by its Reynolds number where it is not given
        random : chooses what is stated, and the words
        """
        if self.style == "paper":
            return paper_caption(flow)
        return write_caption(self.stated(flow, random), random, self.unseen)

    def stated(self, flow: ChannelFlow, random: np.random.Generator) -> ChannelFlow:
        """Return what a caption states of a flow, with its rounded numbers.

        Parameters
        ----------
        flow : past a circle, with its place, its radius and its peak velocity
        random : chooses what is stated
        """
        kept = random.random(5) >= self.left_out
        mean = float(exact(flow.peak_velocity) * MEAN_OVER_PEAK.numerator / MEAN_OVER_PEAK.denominator)
        known = {
            "peak_velocity": round(flow.peak_velocity, VELOCITY_DIGITS),
            "mean_velocity": round(mean, VELOCITY_DIGITS),
            "reynolds_number": float(round(flow.reynolds(VISCOSITY))),
        }
        names = _STATEMENTS[int(random.integers(len(_STATEMENTS)))] if kept[0] else ()
        circle = flow.outline
        x, y = (round(value, PLACE_DIGITS) if kept[1] else None for value in circle.place)
        return ChannelFlow(
            CircleOutline(x=x, y=y, radius=round(circle.radius, LENGTH_DIGITS) if kept[2] else None),
            **{name: known[name] for name in names},
            viscosity=flow.viscosity if kept[3] and random.random() < 0.5 else None,
            regime=(flow.regime or flow.expected_regime()) if kept[4] else None,
        )

    def read(self, text: str, viscosity: float = VISCOSITY) -> Prompt:
        """Return what a prompt says.

        Parameters
        ----------
        text : in English, or in the template of the paper where this is the style
        viscosity : where the prompt does not say it [m^2/s]
        """
        if self.style == "paper":
            return Prompt(text, read_paper_caption(text), {}, ())
        return read_prompt(text, viscosity)

    def vocabulary(self) -> list[str]:
        """Return the words and marks of all captions that a training may have, for a text encoder."""
        if self.style == "grammar":
            return words_of(SEEN)
        numbers = dict.fromkeys(("radius", "x", "y", "velocity", "reynolds"), 0)
        return words_of({"template": (TEMPLATE.format(**numbers, regime=" ".join(REGIMES)),)})
