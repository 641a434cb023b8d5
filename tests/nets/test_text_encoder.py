"""Text encoders: padding and units change nothing, numbers are linear, unknown words are one, and weights are local."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sciml.errors import InputError, MissingExtraError
from sciml.nets import DiffusionTransformer, TextEncoder, WordEncoder
from sciml.nets.text_encoder import TextBatch, number_ranges
from sciml.numerics.random import seeded
from sciml.weights import assign

WORDS = ["a", "at", "of", "radius", "the", "is", "velocity", ".", ","]
TEXTS = ["a radius of 4 cm.", "the velocity is 1.2 m/s, at a radius of 6 cm.", "Re 30"]


def encoder(**options: object) -> WordEncoder:
    """Return a small encoder in double precision with a vocabulary."""
    with seeded(0):
        made = WordEncoder(**{"width": 24, "depth": 2, "heads": 3, "words": 12, "length": 40, **options}).double()
    made.fit(WORDS, number_ranges(TEXTS))
    return made


@pytest.mark.parametrize("numbers", ["values", "digits"])
def test_the_other_texts_of_a_batch_change_nothing(numbers: str) -> None:
    network = encoder(numbers=numbers)
    together, mask = network(TEXTS)
    for text, found, there in zip(TEXTS, together, mask, strict=True):
        alone, all_there = network([text])
        assert bool(all_there.all()) and int(there.sum()) == alone.shape[1]
        torch.testing.assert_close(found[: alone.shape[1]], alone[0], rtol=1e-12, atol=1e-12)
        assert not found[alone.shape[1] :].any()


def test_what_stands_under_the_mask_changes_nothing() -> None:
    network = encoder()
    batch = network.tokenise(TEXTS)
    other = TextBatch(
        batch.rows.where(batch.mask, torch.tensor(3)), batch.values.where(batch.mask, torch.tensor(7.0)), batch.mask
    )
    torch.testing.assert_close(network.encode(other), network.encode(batch), rtol=1e-12, atol=1e-12)


def test_the_vector_of_a_number_is_linear_in_its_value_over_the_range() -> None:
    network = encoder()
    vectors = [network.embed(network.tokenise([f"a radius of {value} cm"]))[0, 3] for value in (4, 5, 6, 8)]
    torch.testing.assert_close(vectors[1], (vectors[0] + vectors[2]) / 2)
    torch.testing.assert_close(vectors[3] - vectors[2], vectors[2] - vectors[0])
    assert (vectors[2] - vectors[0]).norm() > 0.1
    assert network.tokenise(TEXTS).values[network.tokenise(TEXTS).rows == 2].tolist() == pytest.approx([-1.0, 1.0])


def test_units_change_nothing_and_dimensions_do() -> None:
    network = encoder()
    centimetres, millimetres, metres = (network([f"the radius is {text}"])[0] for text in ("4 cm", "40 mm", "0.04 m"))
    assert torch.equal(centimetres, millimetres) and torch.equal(centimetres, metres)
    assert not torch.allclose(network(["4 m/s"])[0], network(["4 m"])[0])


def test_digits_are_tokens_of_their_own_with_their_units() -> None:
    network = encoder(numbers="digits")
    first, second = (network.tokenise([text]).rows[0] for text in ("4.25 cm", "42.5 mm"))
    assert len(first) == len(second) == 5 and not network.tokenise(["4.25 cm"]).values.any()
    assert sorted(first[:4].tolist()) == sorted(second[:4].tolist()) and first[4] != second[4]
    assert 0 not in first


def test_words_that_are_not_in_the_vocabulary_are_one_unknown_word() -> None:
    network = encoder()
    found, other = network.tokenise(["a horse is at the radius"]), network.tokenise(["a zebra is at the radius"])
    assert (found.rows == 0).tolist() == [[False, True, False, False, False, False]]
    assert torch.equal(found.rows, other.rows)
    assert not torch.allclose(network(["a horse"])[0], network(["a radius"])[0])


def test_the_order_of_words_matters() -> None:
    network = encoder()
    first, second = network(["the radius of a velocity"])[0], network(["the velocity of a radius"])[0]
    assert not torch.allclose(first.sum(1), second.sum(1))


@pytest.mark.parametrize("numbers", ["values", "digits"])
def test_every_weight_has_a_gradient(numbers: str) -> None:
    network = encoder(numbers=numbers)
    network(TEXTS)[0].square().sum().backward()
    unused = {"directions.weight"} if numbers == "digits" else set()
    for name, weight in network.named_parameters():
        assert (weight.grad is not None and bool(weight.grad.any())) != (name in unused), name


def test_gradients_in_the_values_are_those_of_finite_differences() -> None:
    network = encoder()
    batch = network.tokenise(TEXTS[:2])
    values = batch.values.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: network.encode(batch._replace(values=x)), values)


def test_vocabulary_and_ranges_are_in_the_weights() -> None:
    network, other = encoder(), WordEncoder(width=24, depth=2, heads=3, words=12, length=40).double()
    with pytest.raises(InputError, match="has no vocabulary"):
        other(TEXTS)
    assign(other, network.state_dict(), Path("weights.safetensors"))
    assert other.vocabulary == sorted(WORDS)
    assert torch.equal(other(TEXTS)[0], network(TEXTS)[0])


def test_cross_attention_sees_only_the_tokens_of_the_text() -> None:
    network = encoder()
    with seeded(1):
        denoiser = DiffusionTransformer((4, 4), (2, 2), channels=1, width=24, depth=1, heads=3, condition_width=24)
        for weight in denoiser.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    denoiser.double()
    x, t = torch.randn(3, 1, 4, 4, dtype=torch.float64), torch.rand(3, dtype=torch.float64)
    tokens, mask = network(TEXTS)
    together = denoiser(x, t, tokens=tokens, token_mask=mask)
    for index, text in enumerate(TEXTS):
        alone, there = network([text])
        one = denoiser(x[index : index + 1], t[index : index + 1], tokens=alone, token_mask=there)
        torch.testing.assert_close(together[index : index + 1], one, rtol=1e-10, atol=1e-10)
    assert not torch.allclose(together, denoiser(x, t, *[each.roll(1, 0) for each in (tokens, mask)]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: WordEncoder(width=10, heads=4), "width is 10 for 4 heads"),
        (lambda: WordEncoder(numbers="words"), "numbers is 'words', expected one of values, digits"),
        (lambda: encoder().fit([], {}), "number of words is 0"),
        (lambda: encoder().fit(map(str, range(20)), {}), "number of words is 20, expected a whole number from 1 to 12"),
        (lambda: encoder().fit(["a" * 25], {}), "is 25, expected a whole number from 1 to 24"),
        (lambda: encoder().fit(["a"], {"mass": (0, 1)}), "dimension of a range is 'mass'"),
        (lambda: encoder().fit(["a"], {"length": (1.0, 0.5)}), "highest length is 0.5"),
        (lambda: encoder()([]), r"texts are \[\], expected a list of at least one"),
        (lambda: encoder()("a radius"), "texts are 'a radius', expected a list"),
        (lambda: encoder()(["a " * 41]), "has 41 tokens, expected at most 40"),
    ],
)
def test_bad_input_is_refused(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


# Encoders of the user's own


def test_without_transformers_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"need transformers, .* pip install 'sciml\[text\]'"):
        TextEncoder.from_pretrained(tmp_path)


def save_tiny(folder: Path) -> None:
    """Save a BERT with random weights and a vocabulary of words."""
    transformers = pytest.importorskip("transformers")
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "re", *"0123456789", "cm", "m", "/", "s"]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(vocab_file=str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder)
    with seeded(0):
        config = transformers.BertConfig(
            vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=32,
        )  # fmt: skip
        transformers.BertModel(config).save_pretrained(folder)


def test_an_encoder_of_transformers_is_read_from_a_folder(tmp_path: Path) -> None:
    save_tiny(tmp_path / "bert")
    network = TextEncoder.from_pretrained(tmp_path / "bert").eval()
    together, mask = network(TEXTS)
    assert together.shape == (*mask.shape, network.width) and network.width == 16
    for text, found in zip(TEXTS, together, strict=True):
        alone, _ = network([text])
        torch.testing.assert_close(found[: alone.shape[1]], alone[0], rtol=1e-4, atol=1e-5)
        assert not found[alone.shape[1] :].any()
    assert all(weight.requires_grad for weight in network.parameters())
    assert not any(
        weight.requires_grad for weight in TextEncoder.from_pretrained(tmp_path / "bert", False).parameters()
    )
    with pytest.raises(InputError, match="tokens, expected at most 32"):
        network(["radius " * 40])


def test_folders_without_such_an_encoder_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(InputError, match=r"is no folder with a config\.json"):
        TextEncoder.from_pretrained("roberta-base")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="holds no text encoder that transformers can read"):
        TextEncoder.from_pretrained(tmp_path)


def test_code_in_a_folder_is_not_run(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    ran = tmp_path / "ran"
    (tmp_path / "config.json").write_text(
        '{"auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}, "model_type": "own"}'
    )
    (tmp_path / "own.py").write_text(f"open({str(ran)!r}, 'w').close()")
    with pytest.raises(InputError, match="holds no text encoder"):
        TextEncoder.from_pretrained(tmp_path)
    assert not ran.exists()
