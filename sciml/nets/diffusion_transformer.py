"""Diffusion transformers: denoisers of fields on grids of one to four axes, which see a time and conditions.

>>> network = DiffusionTransformer((6, 16, 16), patch=(1, 2, 2), channels=16, width=64, depth=2, heads=4)
>>> network(torch.zeros(5, 16, 6, 16, 16), torch.rand(5)).shape
torch.Size([5, 16, 6, 16, 16])
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

from sciml.checks import choice, real_tensor, shape, whole_number
from sciml.errors import InputError
from sciml.nets.coordinate import check_counts

MOST_AXES = 4
_FREQUENCIES = 256  # sines and cosines of the time
_SLOWEST = 10_000  # the ratio of the highest frequency to the lowest one
_TIMES = 1000  # steps of the published networks, whose time runs from 0 to this
_SLOW_TIMES = 30  # of two times, by one of which the network is differentiated: 1000 would rule that derivative


@dataclass(frozen=True)
class TransformerSize:
    """The size of a published network.

    Attributes
    ----------
    width : of the tokens
    depth : blocks
    heads : of the attention
    expansion : width of the hidden layer of a block over that of the tokens
    """

    width: int
    depth: int
    heads: int
    expansion: int = 4


SIZES = {
    "S": TransformerSize(512, 24, 16),
    "M": TransformerSize(1024, 28, 16),
    "L": TransformerSize(1536, 28, 16),
    "L-text": TransformerSize(2304, 28, 32, 2),
    "H": TransformerSize(2048, 28, 16),
}
"""The networks of Zhou et al. 2025: small, medium, large (which differs between first frames and text), and huge."""


class DiffusionTransformer(nn.Module):
    r"""A transformer on the patches of a field, modulated by a time in [0, 1] and by conditions: a DiT.

    A block with the modulation :math:`c`, a function of the time and of the mean of the condition's tokens, is

    .. math::
        x &\leftarrow x + g_1(c)\, \mathrm{Attention}\big((1 + s_1(c))\, \mathrm{LN}(x) + b_1(c)\big), \\
        x &\leftarrow x + \mathrm{CrossAttention}\big(\mathrm{LN}(x), \mathrm{tokens}\big), \\
        x &\leftarrow x + g_2(c)\, \mathrm{MLP}\big((1 + s_2(c))\, \mathrm{LN}(x) + b_2(c)\big).

    Gates, shifts, scales and the last layer start at zero (adaLN-Zero), so that the image of a network that is not
    trained is zero.

    Parameters
    ----------
    shape : points of the field along each of one to four axes
    patch : points of a patch along each axis, which divide those of the field; each patch is a token
    channels : of the field and of its image
    width : of the tokens, an even multiple of ``heads``
    depth : blocks
    heads : of the attention
    expansion : width of the hidden layer of a block over that of the tokens
    condition_width : of the tokens of the condition, for the cross-attention; 0 for a network without
    condition_channels : fields of the condition on the same grid, which stand beside those of the field; 0 for none
    two_times : whether the network sees a later time, too, as one of mean velocities between two times does; as its
        training differentiates by the first, both then turn sines of at most 30 rad per unit of time, not 1000

    Raises
    ------
    InputError
        If the patch does not divide the field, or a number is not a whole one in its range.

    References
    ----------
    Peebles and Xie, "Scalable diffusion models with transformers", ICCV 2023; Zhou et al., "Text2PDE: latent diffusion
    models for accessible physics simulation", ICLR 2025.
    """

    def __init__(  # noqa: PLR0913 - every parameter is a line of the config
        self,
        shape: Sequence[int],
        patch: Sequence[int],
        channels: int,
        width: int,
        depth: int,
        heads: int,
        expansion: int = 4,
        condition_width: int = 0,
        condition_channels: int = 0,
        two_times: bool = False,
    ) -> None:
        super().__init__()
        check_counts(channels=channels, width=width, depth=depth, heads=heads, expansion=expansion)
        whole_number("condition_width", condition_width, at_least=0)
        whole_number("condition_channels", condition_channels, at_least=0)
        if width % (2 * heads):
            raise InputError(f"the width is {width} for {heads} heads, expected an even multiple of the heads.")
        self.shape, self.patch = tuple(shape), tuple(patch)
        self.grid = tokens_along(self.shape, self.patch)
        self.channels, self.width = channels, width
        self.condition_width, self.condition_channels = condition_width, condition_channels
        values = math.prod(self.patch)
        self.embedding = nn.Linear((channels + condition_channels) * values, width)
        self.positions = nn.Parameter(_sines_of_positions(self.grid, width))
        parts = 2 if condition_width else 1  # halves of the modulation: time, and mean of the condition's tokens
        self.of_time = _two_layers(_FREQUENCIES, width // parts)
        self.of_later = _two_layers(_FREQUENCIES, width // parts) if two_times else None
        self.longest_time = _SLOW_TIMES if two_times else _TIMES
        self.of_condition = _two_layers(condition_width, width // parts) if condition_width else None
        self.blocks = nn.ModuleList(_Block(width, heads, expansion, condition_width) for _ in range(depth))
        self.last = _Modulation(width, 2)
        self.head = nn.Linear(width, channels * values)
        for zero in (self.head.weight, self.head.bias):
            nn.init.zeros_(zero)

    @classmethod
    def of_size(
        cls,
        size: str,
        shape: Sequence[int],
        patch: Sequence[int],
        channels: int,
        condition_width: int = 0,
        condition_channels: int = 0,
    ) -> DiffusionTransformer:
        """Return a network of a published size, a key of :data:`SIZES`, with 0.13 to 2.5 billion weights.

        Examples
        --------
        >>> with torch.device("meta"):
        ...     network = DiffusionTransformer.of_size("S", (6, 16, 16), (1, 2, 2), 16, condition_width=768)
        >>> f"{sum(weight.numel() for weight in network.parameters()) / 1e6:.0f} million"
        '146 million'
        """
        about = SIZES[choice("the size", size, SIZES)]
        return cls(
            shape, patch, channels, about.width, about.depth, about.heads, about.expansion, condition_width,
            condition_channels,
        )  # fmt: skip

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        tokens: Tensor | None = None,
        token_mask: Tensor | None = None,
        channels: Tensor | None = None,
        until: Tensor | None = None,
    ) -> Tensor:
        r"""Return the image of a field, ``(batch, channels, \*shape)``.

        Parameters
        ----------
        x : the field, ``(batch, channels, *shape)``
        t : the time of each sample, ``(batch,)``
        tokens : of the condition, ``(batch, any number, condition_width)``
        token_mask : which of them there are, ``(batch, number)``; by default all. The others change nothing
        channels : of the condition, ``(batch, condition_channels, *shape)``
        until : the later time of each sample, ``(batch,)``, of a network of two times

        Raises
        ------
        InputError
            If a shape is another one, a condition is missing or one that the network does not have, or a sample has no
            token at all.
        """
        count = len(real_tensor("the field", x))
        shape("the field", x, ("batch", self.channels, *self.shape))
        shape("the time", t, (count,))
        tokens, mask = self._checked(tokens, token_mask, count)
        if self.condition_channels:
            x = torch.cat([x, self._beside(channels, count)], 1)
        elif channels is not None:
            raise InputError("the network has no channels of a condition, but some are given; set condition_channels.")
        modulation = self.of_time(_sines_of_times(t.to(x.dtype), self.longest_time))
        if (until is None) != (self.of_later is None):
            raise InputError(f"the network sees {'one time' if self.of_later is None else 'two times'}; set two_times.")
        if until is not None:
            later = shape("the later time", until, (count,)).to(x.dtype)
            modulation = modulation + self.of_later(_sines_of_times(later, self.longest_time))
        if tokens is not None:
            modulation = torch.cat([modulation, self.of_condition(_mean(tokens, mask))], -1)
        values = self.embedding(to_patches(x, self.patch)) + self.positions
        for block in self.blocks:
            values = block(values, modulation, tokens, mask)
        shift, scale = self.last(modulation)
        return from_patches(self.head(_modulated(values, shift, scale)), self.patch, self.grid)

    def _checked(self, tokens: Tensor | None, mask: Tensor | None, count: int) -> tuple[Tensor | None, Tensor | None]:
        """Return tokens that are zero where they are masked, and the mask as bool."""
        if not self.condition_width:
            if tokens is not None:
                raise InputError("the network has no tokens of a condition, but some are given; set condition_width.")
            return None, None
        if tokens is None:
            raise InputError(f"the network needs the tokens of a condition, of width {self.condition_width}.")
        shape("the tokens", tokens, (count, "number", self.condition_width))
        if mask is None:
            return tokens, None
        shape("the mask of the tokens", mask, tuple(tokens.shape[:2]))
        mask = mask.bool()
        if not bool(mask.any(1).all()):
            number = int((~mask.any(1)).nonzero()[0, 0])
            raise InputError(f"all tokens of sample {number} are masked, expected at least one that is there.")
        return tokens.masked_fill(~mask[..., None], 0), mask

    def _beside(self, channels: Tensor | None, count: int) -> Tensor:
        if channels is None:
            raise InputError(f"the network needs {self.condition_channels} channels of a condition.")
        return shape("the channels of the condition", channels, (count, self.condition_channels, *self.shape))


def tokens_along(field: Sequence[int], patch: Sequence[int]) -> tuple[int, ...]:
    """Return the number of patches of a field along each axis.

    Parameters
    ----------
    field : points along each of one to four axes
    patch : points of a patch along each axis

    Raises
    ------
    InputError
        If the patch does not divide the field.

    Examples
    --------
    >>> tokens_along((6, 16, 16), (1, 2, 2))
    (6, 8, 8)
    """
    if not 1 <= len(field) <= MOST_AXES or len(patch) != len(field):
        raise InputError(
            f"the field has the shape {list(field)} and the patch {list(patch)}, expected a number for each of one to "
            f"{MOST_AXES} axes in both."
        )
    for axis, (points, size) in enumerate(zip(field, patch, strict=True)):
        whole_number(f"the number of points along axis {axis}", points, at_least=1)
        whole_number(f"the size of the patch along axis {axis}", size, at_least=1)
        if points % size:
            raise InputError(
                f"a field of {list(field)} points has no whole number of patches of {list(patch)} points along axis "
                f"{axis}; choose a patch that divides it."
            )
    return tuple(points // size for points, size in zip(field, patch, strict=True))


def to_patches(fields: Tensor, patch: Sequence[int]) -> Tensor:
    """Return the patches of fields in C order, ``(batch, patches, channels * points of a patch)``.

    Parameters
    ----------
    fields : ``(batch, channels, *shape)``
    patch : points of a patch along each axis, which divide the shape
    """
    axes, batch, channels = len(patch), *fields.shape[:2]
    split = [part for points, size in zip(fields.shape[2:], patch, strict=True) for part in (points // size, size)]
    pairs = fields.reshape(batch, channels, *split)
    order = (0, *(2 + 2 * axis for axis in range(axes)), 1, *(3 + 2 * axis for axis in range(axes)))
    return pairs.permute(order).reshape(batch, -1, channels * math.prod(patch))


def from_patches(patches: Tensor, patch: Sequence[int], grid: Sequence[int]) -> Tensor:
    """Return the fields that consist of patches, ``(batch, channels, *shape)``, the inverse of :func:`to_patches`.

    Parameters
    ----------
    patches : ``(batch, patches, channels * points of a patch)``
    patch : points of a patch along each axis
    grid : patches along each axis
    """
    axes, batch = len(patch), len(patches)
    channels = patches.shape[-1] // math.prod(patch)
    split = patches.reshape(batch, *grid, channels, *patch)
    order = (0, 1 + axes, *(place for axis in range(axes) for place in (1 + axis, 2 + axes + axis)))
    shape = [count * size for count, size in zip(grid, patch, strict=True)]
    return split.permute(order).reshape(batch, channels, *shape)


class _Attention(nn.Module):
    """Attention of tokens to those of a context, by default to themselves."""

    def __init__(self, width: int, heads: int, context_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.keys_and_values = nn.Linear(context_width, 2 * width)

    def forward(self, tokens: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        queries = self.queries(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        both = self.keys_and_values(context).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = None if mask is None else mask[:, None, None, :]
        found = scaled_dot_product_attention(queries, both[0], both[1], attn_mask=seen)
        return self.out(found.transpose(1, 2).flatten(2))


class _Modulation(nn.Module):
    """Vectors for every token that depend on the modulation and start at zero."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.count, self.linear = count, nn.Linear(width, count * width)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, modulation: Tensor) -> tuple[Tensor, ...]:
        return self.linear(silu(modulation))[:, None].chunk(self.count, -1)


class _Block(nn.Module):
    """One block of a transformer: self-attention, cross-attention if there is a condition, and two layers."""

    def __init__(self, width: int, heads: int, expansion: int, condition_width: int) -> None:
        super().__init__()
        self.modulation = _Modulation(width, 6)
        self.attention = _Attention(width, heads, width)
        self.norm = nn.LayerNorm(width) if condition_width else None
        self.cross_attention = _Attention(width, heads, condition_width) if condition_width else None
        self.layers = nn.Sequential(
            nn.Linear(width, expansion * width), nn.GELU("tanh"), nn.Linear(expansion * width, width)
        )

    def forward(self, x: Tensor, modulation: Tensor, tokens: Tensor | None, mask: Tensor | None) -> Tensor:
        shift, scale, gate, second_shift, second_scale, second_gate = self.modulation(modulation)
        seen = _modulated(x, shift, scale)
        x = x + gate * self.attention(seen, seen)
        if self.cross_attention is not None:
            x = x + self.cross_attention(self.norm(x), tokens, mask)
        return x + second_gate * self.layers(_modulated(x, second_shift, second_scale))


def _modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return nn.functional.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def _two_layers(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.SiLU(), nn.Linear(outputs, outputs))


def _mean(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean of the tokens that there are; the others are zero."""
    return tokens.mean(1) if mask is None else tokens.sum(1) / mask.sum(1, keepdim=True)


def _sines_of_times(t: Tensor, longest: float) -> Tensor:
    """Return cosines and sines of times that run from 0 to the longest one, ``(batch, frequencies)``."""
    half = _FREQUENCIES // 2
    rates = torch.exp(-math.log(_SLOWEST) / half * torch.arange(half, device=t.device, dtype=t.dtype))
    angles = longest * t[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], -1)


def _sines_of_positions(grid: Sequence[int], width: int) -> Tensor:
    """Return sines and cosines of the positions of the tokens, an equal part of the width for each axis, then zeros."""
    each = width // (2 * len(grid))
    rates = torch.exp(-math.log(_SLOWEST) / max(each, 1) * torch.arange(each))
    table = torch.zeros(*grid, width)
    for axis, count in enumerate(grid):
        angles = torch.arange(count)[:, None] * rates
        values = torch.cat([angles.sin(), angles.cos()], -1)
        shape = [count if other == axis else 1 for other in range(len(grid))]
        table[..., 2 * each * axis : 2 * each * (axis + 1)] = values.reshape(*shape, 2 * each)
    return table.reshape(-1, width)
