"""The condition of a denoiser by prompts: the tokens of a text, which may be dropped for a learned one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sciml.checks import shape
from sciml.nets.coordinate import check_counts
from sciml.nets.text_encoder import TextEncoder


class TextConditioner(nn.Module):
    """Tokens of prompts in the width of a denoiser.

    A prompt that is dropped has one learned token, so that one network learns the law of trajectories for a prompt and
    without.

    Parameters
    ----------
    encoder : of the prompts
    width : of the tokens, ``condition_width`` of the denoiser

    References
    ----------
    Ho and Salimans, "Classifier-free diffusion guidance", NeurIPS workshop 2021 (the dropping).
    """

    def __init__(self, encoder: TextEncoder, width: int) -> None:
        super().__init__()
        check_counts(width=width)
        self.encoder, self.width = encoder, width
        self.projection = nn.Linear(encoder.width, width)
        self.null = nn.Parameter(0.02 * torch.randn(width))

    def forward(self, texts: Sequence[str], keep: Tensor | None = None) -> dict[str, Tensor]:
        """Return the condition by the names of the denoiser's arguments, ``tokens`` and ``token_mask``.

        Parameters
        ----------
        texts : prompts
        keep : which of them are kept, ``(batch,)``; by default all
        """
        found, mask = self.encoder(texts)
        tokens = self.projection(found)
        if keep is not None:
            dropped = ~shape("the kept prompts", keep, (len(texts),)).bool()
            first = torch.arange(mask.shape[1], device=mask.device) == 0
            tokens = torch.where(dropped[:, None, None], self.null, tokens)
            mask = torch.where(dropped[:, None], first, mask)
        return {"tokens": tokens, "token_mask": mask}
