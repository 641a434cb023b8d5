"""Encoders of texts: token vectors and a mask, for the cross-attention of a network that reads prompts.

>>> encoder = WordEncoder(width=32, depth=1, heads=2)
>>> texts = ["the radius is 4 cm", "a radius of 6 cm"]
>>> encoder.fit(["a", "is", "of", "radius", "the"], number_ranges(texts))
>>> tokens, mask = encoder(texts)
>>> tokens.shape, mask.sum(1)
(torch.Size([2, 4, 32]), tensor([4, 4]))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from sciml.checks import choice, known_names, number, whole_number
from sciml.errors import InputError
from sciml.nets.coordinate import check_counts
from sciml.nets.text_tokens import DIMENSIONS, Token, tokens_of

Numbers = Literal["values", "digits"]
LONGEST_WORD = 24  # bytes
_CHARACTERS = "0123456789.-+e"  # of numbers that are spelt
_UNITS = ("mm", "cm", "m", "mm/s", "cm/s", "m/s", "mm^2/s", "cm^2/s", "m^2/s", "degrees", "°")
_FIRST_CHARACTER = 1 + len(DIMENSIONS)  # rows of the table: unknown, the dimensions, characters, units, words
_FIRST_UNIT = _FIRST_CHARACTER + len(_CHARACTERS)
_FIRST_WORD = _FIRST_UNIT + len(_UNITS)


class TextEncoder(nn.Module, ABC):
    """A network from texts to vectors, one for each token.

    Attributes
    ----------
    width : of the vectors
    """

    width: int

    @abstractmethod
    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the vectors of the tokens, ``(batch, tokens, width)``, and which of them there are.

        The mask is ``(batch, tokens)``; texts with fewer tokens than the longest one have zeros at the end, which
        change nothing.

        Parameters
        ----------
        texts : at least one
        """

    @staticmethod
    def from_pretrained(path: str | Path, trainable: bool = True) -> TextEncoder:
        """Return a text encoder of the library transformers from a folder of the user's own.

        Parameters
        ----------
        path : folder with ``config.json``, ``model.safetensors`` and the files of its tokeniser; nothing is downloaded
        trainable : whether its weights are trained, too

        Raises
        ------
        MissingExtraError
            If transformers is not installed.
        InputError
            If the folder holds no such encoder.
        """
        from sciml.nets.pretrained_text import PretrainedTextEncoder

        return PretrainedTextEncoder(str(path), trainable)


class TextBatch(NamedTuple):
    """The tokens of texts as numbers.

    Attributes
    ----------
    rows : of the table of vectors, ``(batch, tokens)``
    values : of numbers, -1 and 1 at the ends of their range, 0 for words, ``(batch, tokens)``
    mask : which tokens there are, ``(batch, tokens)``
    """

    rows: Tensor
    values: Tensor
    mask: Tensor


class WordEncoder(TextEncoder):
    r"""A transformer on the words and numbers of texts, made to be trained from random weights.

    A number with the dimension d, a length for instance, and the value x in SI units is one token with the vector

    .. math:: e_d + \frac{2 x - (a_d + b_d)}{b_d - a_d}\, v_d

    before positions are added, with the range [a, b] of the dimension in the training. It is linear in the value, and
    does not depend on the unit in which it is written. The constant part, which xVal does not have, keeps the dimension
    of numbers in the middle of their range.

    Parameters
    ----------
    width : of the vectors
    depth : layers of the transformer
    heads : of the attention, which divide the width
    expansion : width of the hidden layer over that of the vectors
    words : largest number of words of the vocabulary, which :meth:`fit` sets and the weights hold
    length : largest number of tokens of a text
    numbers : ``values``, or ``digits`` for numbers that are spelt, one token for each character, in their units

    References
    ----------
    Golkar et al., "xVal: a continuous numerical tokenization for scientific language models", 2023.
    """

    bytes_of_words: Tensor
    ranges: Tensor

    def __init__(
        self,
        width: int = 192,
        depth: int = 4,
        heads: int = 4,
        expansion: int = 2,
        words: int = 256,
        length: int = 128,
        numbers: Numbers = "values",
    ) -> None:
        super().__init__()
        check_counts(width=width, depth=depth, heads=heads, expansion=expansion, words=words, length=length)
        if width % heads:
            raise InputError(f"the width is {width} for {heads} heads, expected a multiple of the heads.")
        self.width, self.length = width, length
        self.numbers = choice("numbers", numbers, ("values", "digits"))
        self.table = nn.Embedding(_FIRST_WORD + words, width)
        self.directions = nn.Embedding(len(DIMENSIONS), width)
        self.positions = nn.Parameter(torch.empty(length, width))
        for weight in (self.table.weight, self.directions.weight, self.positions):
            nn.init.normal_(weight, std=0.3)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, expansion * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.register_buffer("bytes_of_words", torch.zeros(words, LONGEST_WORD, dtype=torch.uint8))
        self.register_buffer("ranges", torch.tensor([[-1.0, 1.0]] * len(DIMENSIONS), dtype=torch.float64))

    def fit(self, vocabulary: Iterable[str], ranges: Mapping[str, tuple[float, float]]) -> None:
        """Take the vocabulary and the ranges of numbers.

        Parameters
        ----------
        vocabulary : words and marks in lower case; others are one unknown word
        ranges : of the numbers in the texts of the training by their dimensions, in SI units

        Raises
        ------
        InputError
            If there are too many words, one is too long, or a range is none.
        """
        words = sorted(set(vocabulary))
        whole_number("the number of words", len(words), at_least=1, at_most=len(self.bytes_of_words))
        known_names("the dimension of a range", ranges, DIMENSIONS)
        for row, word in enumerate(words):
            spelt = list(word.encode())
            whole_number(f"the length of the word {word!r}", len(spelt), at_least=1, at_most=LONGEST_WORD)
            spelt += [0] * (LONGEST_WORD - len(spelt))
            self.bytes_of_words[row] = torch.tensor(spelt, dtype=torch.uint8)
        self.bytes_of_words[len(words) :] = 0
        for row, name in enumerate(DIMENSIONS):
            lowest, highest = ranges.get(name, (-1.0, 1.0))
            number(f"the highest {name}", highest, at_least=number(f"the lowest {name}", lowest))
            self.ranges[row] = self.ranges.new_tensor([lowest, highest])

    @property
    def vocabulary(self) -> list[str]:
        """The words in the order of their vectors; empty before the encoder has been fitted."""
        rows = (bytes(row).rstrip(b"\0").decode() for row in self.bytes_of_words.tolist())
        return [word for word in rows if word]

    def tokenise(self, texts: Sequence[str]) -> TextBatch:
        """Return the tokens of texts.

        Parameters
        ----------
        texts : at least one

        Raises
        ------
        InputError
            If there is none, one is blank or too long, or the encoder has no vocabulary.
        """
        words = {word: _FIRST_WORD + row for row, word in enumerate(self.vocabulary)}
        if not words:
            raise InputError("the text encoder has no vocabulary; call fit, or load its weights.")
        if isinstance(texts, str) or not texts:
            raise InputError(f"the texts are {texts!r}, expected a list of at least one.")
        spans = self.ranges.tolist()
        read = [[row for token in tokens_of(text) for row in self._rows(token, words, spans)] for text in texts]
        longest = max(map(len, read))
        if longest > self.length:
            raise InputError(
                f"a text has {longest} tokens, expected at most {self.length}; shorten it, or set length of the "
                "encoder."
            )
        padded = [[*rows, *[(0, 0.0)] * (longest - len(rows))] for rows in read]
        like = self.table.weight
        return TextBatch(
            torch.tensor([[row for row, _ in each] for each in padded], device=like.device),
            torch.tensor([[value for _, value in each] for each in padded], dtype=like.dtype, device=like.device),
            torch.tensor([[place < len(rows) for place in range(longest)] for rows in read], device=like.device),
        )

    def encode(self, batch: TextBatch) -> Tensor:
        """Return the vectors of tokens, zero where there are none, ``(batch, tokens, width)``.

        Parameters
        ----------
        batch : as :meth:`tokenise` returns it
        """
        vectors = self.embed(batch) + self.positions[: batch.rows.shape[1]]
        for layer in self.layers:
            vectors = layer(vectors, src_key_padding_mask=~batch.mask)
        return self.norm(vectors).masked_fill(~batch.mask[..., None], 0.0)

    def embed(self, batch: TextBatch) -> Tensor:
        """Return the vectors of tokens before the transformer, without positions, ``(batch, tokens, width)``.

        Parameters
        ----------
        batch : as :meth:`tokenise` returns it
        """
        directions = self.directions((batch.rows - 1).clamp(0, len(DIMENSIONS) - 1))
        return self.table(batch.rows) + batch.values[..., None] * directions

    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the vectors of the tokens of texts, ``(batch, tokens, width)``, and which of them there are.

        Parameters
        ----------
        texts : at least one
        """
        batch = self.tokenise(texts)
        return self.encode(batch), batch.mask

    def _rows(
        self, token: Token, words: Mapping[str, int], spans: Sequence[Sequence[float]]
    ) -> list[tuple[int, float]]:
        """Return the rows of a token and their values; a number that is spelt has several."""
        if not token.dimension:
            return [(words.get(token.text, 0), 0.0)]
        if self.numbers == "digits":
            return [(row, 0.0) for row in _spelt(token)]
        kind = list(DIMENSIONS).index(token.dimension) if token.dimension in DIMENSIONS else 0
        lowest, highest = spans[kind]
        half = (highest - lowest) / 2 or 1.0
        return [(1 + kind, (float(token.value) - (lowest + highest) / 2) / half)]


def number_ranges(texts: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest number of each dimension in texts, in SI units.

    Parameters
    ----------
    texts : any number

    Examples
    --------
    >>> number_ranges(["4 cm and 0.5 m", "Re 30"])
    {'length': (0.04, 0.5), 'number': (30.0, 30.0)}
    """
    found: dict[str, tuple[float, float]] = {}
    for text in texts:
        for token in tokens_of(text):
            if token.dimension in DIMENSIONS:
                value = float(token.value)
                lowest, highest = found.get(token.dimension, (value, value))
                found[token.dimension] = min(lowest, value), max(highest, value)
    return found


def _spelt(token: Token) -> list[int]:
    """Return the rows of the characters of a number and of its unit."""
    end = next((place for place, each in enumerate(token.text) if each.lower() not in _CHARACTERS), len(token.text))
    unit = token.text[end:].strip(" -").lower()
    rows = [_FIRST_CHARACTER + _CHARACTERS.index(each.lower()) for each in token.text[:end]]
    if not unit:
        return rows
    return [*rows, _FIRST_UNIT + _UNITS.index(unit) if unit in _UNITS else 0]
