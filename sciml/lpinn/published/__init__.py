"""The method as its authors published it, beside which every correction can be measured."""

from sciml.lpinn.published.form import LabelDiffusion, PublishedNetwork, SoftCharacteristics, label_diffusion_floor
from sciml.lpinn.published.task import InterpolatedField, PublishedLagrangian, spectral_error

__all__ = [
    "InterpolatedField",
    "LabelDiffusion",
    "PublishedLagrangian",
    "PublishedNetwork",
    "SoftCharacteristics",
    "label_diffusion_floor",
    "spectral_error",
]
