"""Captions of flows and of smoke: writers in many wordings, and readers by a small grammar that undo them.

>>> from sciml.text2pde.captions import read_prompt
>>> prompt = read_prompt("Re = 72 past a cylinder 9 cm wide, 31 cm from the inlet, on the centreline")
>>> prompt.flow.outline.obstacle(), prompt.flow.velocity()
(Circle(centre=(0.31, 0.205), radius=0.045), 1.2)
"""

from __future__ import annotations

from sciml.text2pde.captions.channel_flow import ChannelFlow
from sciml.text2pde.captions.flow_captions import FlowCaptions
from sciml.text2pde.captions.outlines import (
    CircleOutline,
    EllipseOutline,
    Outline,
    PolygonOutline,
    RectangleOutline,
)
from sciml.text2pde.captions.reading import Prompt, read_prompt
from sciml.text2pde.captions.smoke_captions import read_smoke_prompt, write_smoke_caption
from sciml.text2pde.captions.smoke_scenes import Plume, SmokeScene, describe_smoke
from sciml.text2pde.captions.writing import write_caption

__all__ = [
    "ChannelFlow",
    "CircleOutline",
    "EllipseOutline",
    "FlowCaptions",
    "Outline",
    "Plume",
    "PolygonOutline",
    "Prompt",
    "RectangleOutline",
    "SmokeScene",
    "describe_smoke",
    "read_prompt",
    "read_smoke_prompt",
    "write_caption",
    "write_smoke_caption",
]
