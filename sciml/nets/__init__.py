"""Networks of coordinates, operators from fields to fields, and networks on images.

A network of coordinates has exact derivatives: ``net(points)`` is a tensor, ``net(points, order=2)`` a jet.
:class:`FourierNeuralOperator` maps fields on a grid to fields on the same grid, and :class:`PolynomialsInTime` a start
to its evolution. :class:`UNet` and :class:`DilatedResNet` map images to images, and :class:`InvertibleUNet` is a
bijection of them.
:class:`DiffusionTransformer` maps a field, a time and conditions to a field: the denoiser of generative methods.
:class:`WordEncoder` maps texts to vectors, one for each word or number, which are such a condition.
"""

from sciml.nets.ansatz import VanishingOnBox
from sciml.nets.coordinate import CoordinateNetwork, FourierNetwork, Siren, TanhNetwork
from sciml.nets.diffusion_transformer import DiffusionTransformer
from sciml.nets.dilated_resnet import DilatedBlock, DilatedResNet
from sciml.nets.dirichlet_ends import DirichletEnds
from sciml.nets.fno import FourierNeuralOperator, SpectralConvolution
from sciml.nets.gaussian import GaussianNetwork
from sciml.nets.invertible import AdditiveCoupling, ChannelMixing, InvertibleUNet, OrthogonalHalving
from sciml.nets.odd_reflection import OddReflectionNetwork
from sciml.nets.text_encoder import TextEncoder, WordEncoder
from sciml.nets.time_polynomials import PolynomialsInTime
from sciml.nets.unet import DoubleConvolution, UNet

__all__ = [
    "AdditiveCoupling",
    "ChannelMixing",
    "CoordinateNetwork",
    "DiffusionTransformer",
    "DilatedBlock",
    "DilatedResNet",
    "DoubleConvolution",
    "FourierNetwork",
    "FourierNeuralOperator",
    "GaussianNetwork",
    "DirichletEnds",
    "InvertibleUNet",
    "OddReflectionNetwork",
    "OrthogonalHalving",
    "PolynomialsInTime",
    "Siren",
    "SpectralConvolution",
    "TanhNetwork",
    "TextEncoder",
    "UNet",
    "VanishingOnBox",
    "WordEncoder",
]
