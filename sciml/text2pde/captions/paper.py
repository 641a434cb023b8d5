"""The captions of the paper: one template, and a statement about the regime that is not true of these flows.

Its Reynolds number is U D / (100 * 1.0533e-6 m^2/s) of the peak velocity U and the diameter D in m, about 9.5 times U D
over the viscosity 1e-3 m^2/s of its data, and calls the flow laminar up to 200 and turbulent from 350 on. So a laminar
flow past a cylinder, of the Reynolds number 69, is called turbulent and 989:

>>> circle = CircleOutline(x=0.31, y=0.18, radius=0.0449)
>>> paper_caption(ChannelFlow(circle, peak_velocity=1.16))[-50:]
'The Reynolds number is 989. The flow is turbulent.'

References
----------
Zhou et al., "Text2PDE: latent diffusion models for accessible physics simulation", ICLR 2025, and its published code.
"""

from __future__ import annotations

import re

from sciml.errors import InputError
from sciml.nets.text_tokens import normalised
from sciml.text2pde.captions.channel_flow import ChannelFlow
from sciml.text2pde.captions.outlines import CircleOutline, exact

TEMPLATE = (
    "Fluid passes over a cylinder with a radius of {radius:.2f} and position: {x:.2f}, {y:.2f}. Fluid enters with a "
    "velocity of {velocity:.2f}. The Reynolds number is {reynolds:.0f}. {regime}"
)
LAMINAR_BELOW, TURBULENT_FROM = 200.0, 350.0
REGIMES = (
    "The flow is fully laminar.",
    "The flow is transitioning in the wake.",
    "The flow is turbulent.",
)
_NUMBER = r"(\d+(?:\.\d+)?)"
_CAPTION = re.compile(
    rf"Fluid passes over a cylinder with a radius of {_NUMBER} and position: {_NUMBER}, {_NUMBER}\. Fluid enters with "
    rf"a velocity of {_NUMBER}\.(?: The Reynolds number is {_NUMBER}\.)?(?: (?:{'|'.join(map(re.escape, REGIMES))}))?",
    re.IGNORECASE,
)


def paper_reynolds(flow: ChannelFlow) -> float:
    """Return the number that the paper's captions call the Reynolds number.

    Parameters
    ----------
    flow : past a circle, with its peak velocity
    """
    circle = _circle(flow)
    return flow.peak_velocity * 2 * circle.radius / 100 / 1.0533e-6


def paper_caption(flow: ChannelFlow) -> str:
    """Return the paper's caption of a flow past a circle; radius in cm, position in m and peak velocity in m/s.

    Parameters
    ----------
    flow : past a circle, with its place, its radius and its peak velocity

    Raises
    ------
    InputError
        If the obstacle is no circle, or one of these is not known.
    """
    circle, reynolds = _circle(flow), paper_reynolds(flow)
    regime = REGIMES[(reynolds >= LAMINAR_BELOW) + (reynolds >= TURBULENT_FROM)]
    return TEMPLATE.format(
        radius=exact(circle.radius).scaleb(2),
        x=exact(circle.x),
        y=exact(circle.y),
        velocity=exact(flow.peak_velocity),
        reynolds=reynolds,
        regime=regime,
    )


def read_paper_caption(text: str) -> ChannelFlow:
    """Return the flow that a caption of the paper describes, without what it says of Reynolds number and regime.

    Parameters
    ----------
    text : in the paper's template, of which Reynolds number and regime may be left out

    Raises
    ------
    InputError
        If it is none of the paper's captions.
    """
    found = _CAPTION.fullmatch(" ".join(normalised(text).split()))
    if found is None:
        raise InputError(
            f"the prompt is {text[:60]!r}, expected the template of the paper, such as 'Fluid passes over a cylinder "
            "with a radius of 4.49 and position: 0.31, 0.18. Fluid enters with a velocity of 1.16.'; use captions: "
            "grammar for others."
        )
    radius, x, y, velocity = (exact(float(value)) for value in found.groups()[:4])
    return ChannelFlow(
        CircleOutline(x=float(x), y=float(y), radius=float(radius.scaleb(-2))), peak_velocity=float(velocity)
    )


def _circle(flow: ChannelFlow) -> CircleOutline:
    """Return the circle of a flow of which all is known."""
    if not isinstance(flow.outline, CircleOutline) or flow.outline.missing or flow.peak_velocity is None:
        raise InputError(
            f"the flow is {flow}, expected one past a circle with place, radius and peak velocity, as the captions of "
            "the paper have."
        )
    return flow.outline
