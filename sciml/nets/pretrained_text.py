"""Text encoders of the library transformers, from a folder of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sciml.errors import InputError, MissingExtraError
from sciml.nets.text_encoder import TextEncoder


class PretrainedTextEncoder(TextEncoder):
    """A text encoder of transformers, such as RoBERTa: the vectors of its last layer for all tokens.

    Its tokens split numbers into pieces, so that its weights have to be trained on captions to tell values apart. Files
    are local, weights are safetensors, and code that a folder may hold is not run.

    Parameters
    ----------
    path : folder with ``config.json``, ``model.safetensors`` and the files of its tokeniser
    trainable : whether its weights are trained, too

    Raises
    ------
    MissingExtraError
        If transformers is not installed.
    InputError
        If the folder holds no such encoder.
    """

    def __init__(self, path: str, trainable: bool = True) -> None:
        super().__init__()
        transformers = _transformers()
        if not (Path(path) / "config.json").is_file():
            raise InputError(
                f"{path} is no folder with a config.json, expected that of a text encoder of transformers; download "
                "one and name its folder."
            )
        options = {"local_files_only": True, "trust_remote_code": False}
        try:
            self.tokeniser = transformers.AutoTokenizer.from_pretrained(path, **options)
            self.model = transformers.AutoModel.from_pretrained(path, use_safetensors=True, **options)
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0].rstrip(".")
            raise InputError(
                f"{path} holds no text encoder that transformers can read: {reason}; expected config.json, "
                "model.safetensors and a tokeniser."
            ) from error
        self.width = self.model.config.hidden_size
        self.length = min(self.model.config.max_position_embeddings, self.tokeniser.model_max_length)
        self.model.requires_grad_(trainable)

    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the vectors of the tokens of texts, ``(batch, tokens, width)``, and which of them there are.

        Parameters
        ----------
        texts : at least one
        """
        if isinstance(texts, str) or not texts:
            raise InputError(f"the texts are {texts!r}, expected a list of at least one.")
        batch = self.tokeniser(list(texts), padding=True, return_tensors="pt").to(self.model.device)
        mask = batch["attention_mask"].bool()
        if mask.shape[1] > self.length:
            raise InputError(f"a text has {mask.shape[1]} tokens, expected at most {self.length}; shorten it.")
        found = self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        return torch.where(mask[..., None], found, 0.0), mask


def _transformers() -> Any:
    """Return the library."""
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            "text encoders of your own need transformers, which is not installed; run pip install 'sciml[text]'."
        ) from error
    return transformers
