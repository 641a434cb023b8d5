"""Published weights: read only as they were written, found by name, and described by a card."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sciml import strict_yaml, weights
from sciml.errors import CheckpointError, InputError

CONFIG = {"title": "a line", "task": {"class_path": "sciml.lines.Line", "init_args": {"width": 3}}}
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb0043") + bytes(range(256)) * 8 + b"\xff\xd9"


@pytest.fixture
def published(tmp_path) -> Path:
    line = nn.Linear(3, 2)
    tensors = {f"line.{name}": value for name, value in line.state_dict().items()}
    weights.publish(
        tmp_path / "line.safetensors", tensors, config=CONFIG, metrics={"error": 1e-5}, command="sciml train"
    )
    return tmp_path / "line.safetensors"


def rewrite(path: Path, **changes: object) -> None:
    card = path.with_suffix(".yaml")
    card.write_text(strict_yaml.dump({**strict_yaml.read(card), **changes}))


def test_weights_are_read_only_as_they_were_written(tmp_path):
    path = tmp_path / "net.safetensors"
    shared = torch.arange(12.0).reshape(3, 4)
    tensors = {"a": shared, "b": shared.T, "n": torch.tensor(2)}  # neither contiguous nor apart in memory
    card = weights.publish(path, tensors, config=CONFIG)
    found = weights.read_tensors(path)
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["net.safetensors", "net.yaml"]
    data = path.read_bytes()
    for wrong in (data[:-1], data[:-3] + b"\x01" + data[-2:], b"", JPEG):
        path.write_bytes(wrong)
        with pytest.raises(CheckpointError, match=r"is damaged, or does not belong to net\.yaml"):
            weights.read_tensors(path)
        with pytest.raises(CheckpointError, match="is damaged"):
            weights.read_tensors(path, card)
    values = {name: value for name, value in card.values.items() if name != "card_sha256"}
    card.path.write_text(strict_yaml.dump({**values, "sha256": sha256(JPEG).hexdigest()}))
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        weights.read_tensors(path)
    path.unlink()
    with pytest.raises(CheckpointError, match="does not exist"):
        weights.read_tensors(path)


def test_a_network_is_made_from_the_arguments_of_its_task(published):
    line = weights.load(published, "sciml.lines.Line", "line.", lambda arguments: nn.Linear(arguments["width"], 2))
    assert not line.training and not line.weight.requires_grad
    assert torch.equal(line.weight, weights.read_tensors(published)["line.weight"])
    with pytest.raises(CheckpointError, match=r"holds weights of sciml\.lines\.Line, expected sciml\.lines\.Curve"):
        weights.load(published, "sciml.lines.Curve", "line.", lambda arguments: nn.Linear(3, 2))
    with pytest.raises(CheckpointError, match="do not fit Linear as its config builds it: size mismatch for weight"):
        weights.load(published, "sciml.lines.Line", "line.", lambda arguments: nn.Linear(5, 2))


def test_the_card_says_what_made_the_weights(published):
    card = weights.read_card(published)
    assert (card.title, card.class_path, card.arguments) == ("a line", "sciml.lines.Line", {"width": 3})
    assert card.metrics == {"error": 1e-5} and card.values["command"] == "sciml train"
    assert card.sha256 == sha256(published.read_bytes()).hexdigest()
    with pytest.raises(InputError, match=r"ends with '\.pt', expected \.safetensors"):
        weights.publish(published.with_suffix(".pt"), {}, config=CONFIG)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not describe weights, expected a config with a task"),
        ("- 1", "does not describe weights"),
        ("config: {task: 3}", "does not describe weights"),
        ("config: {task: {class_path: 3}}", "does not describe weights"),
        ("config: {task: {class_path: a.B, init_args: [1]}}", "init_args is not a mapping"),
        ("config: {task: {class_path: a.B}}", "has no checksum of its weights"),
        ("config: {task: {class_path: a.B}}\nsha256: 12", "has no checksum of its weights"),
        ("config: [", "line 1, column 10: invalid YAML"),
    ],
)
def test_a_bad_card_is_refused_in_a_sentence(published, text, reason):
    published.with_suffix(".yaml").write_text(text)
    assert not weights.is_card(published.with_suffix(".yaml"))
    with pytest.raises(CheckpointError, match=reason) as caught:
        weights.read_tensors(published)
    assert "line.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_shipped_weights_are_whole_and_named_like_their_configs():
    found = weights.shipped()
    assert {"dcdm/box2d_cpu", "dcdm/box3d_cpu", "dcdm/multigrid_cpu"} <= set(found)
    assert weights.shipped("no_method") == {}
    for name, path in found.items():
        assert weights.read_tensors(path)
        card = weights.read_card(path)
        assert set(weights.CARD_KEYS) == set(card.values)
        assert weights.find(name) == weights.find(path.stem) == weights.find(path) == path


def test_a_name_that_does_not_exist_or_is_not_unique_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"no shipped weights 'box2d', expected one of .*; did you mean 'box2d_cpu'\?"):
        weights.find("box2d")
    for method in ("a", "b"):
        (tmp_path / method / "weights").mkdir(parents=True)
        (tmp_path / method / "weights" / "x_cpu.safetensors").touch()
    monkeypatch.setattr(weights, "_PACKAGE", tmp_path)
    with pytest.raises(InputError, match=r"several weights 'x_cpu', expected one of a/x_cpu, b/x_cpu\."):
        weights.find("x_cpu")
    assert weights.find("x_cpu", "b") == weights.find("b/x_cpu") == tmp_path / "b/weights/x_cpu.safetensors"


def test_cards_are_listed_without_torch():
    code = (
        "import sys; from sciml import weights\n"
        "print(*(weights.read_card(path).title for path in weights.shipped().values()), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=3600, check=True)
    assert "DCDM" in done.stdout and done.stdout.endswith("False\n")


def test_each_flipped_byte_of_a_card_is_found_or_changes_no_value(published):
    path = published.with_suffix(".yaml")
    data, values = path.read_bytes(), weights.read_card(published).values
    draws = np.random.default_rng(0)
    read = 0
    for place in range(len(data)):
        for bit in draws.choice(8, 3, replace=False):
            path.write_bytes(data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :])
            try:
                found = weights.read_card(published).values
            except CheckpointError as error:
                assert "line.yaml" in str(error) and "\n" not in str(error), str(error)  # noqa: PT017 - or it is read
            else:
                read += 1
                assert repr(found) == repr(values), (place, bit)
    assert read < len(data) * 3 / 20


def test_a_card_of_an_earlier_version_has_no_checksum_of_its_own(published):
    card = published.with_suffix(".yaml")
    lines = card.read_text().splitlines()
    card.write_text("\n".join(line for line in lines if not line.startswith("card_sha256")) + "\n")
    assert "card_sha256" not in weights.read_card(published).values
    assert weights.read_tensors(published)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"metrics": [1]}, "metrics is [1], expected numbers by name"),
        ({"metrics": {"error": "small"}}, "metrics.'error' is 'small', expected a finite number"),
        ({"seconds": 2.0}, "its values do not match their checksum"),
        ({"comands": "sciml"}, "the key is 'comands', expected one of config, command"),
        ({"card_sha256": None}, "its values do not match their checksum"),
    ],
)
def test_a_card_that_says_something_else_is_refused(published, changes, reason):
    rewrite(published, **changes)
    with pytest.raises(CheckpointError, match=re.escape(reason)) as caught:
        weights.read_tensors(published)
    assert str(caught.value).endswith("; download both files again.")


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("step", range(8))
def test_a_kill_at_any_step_of_publishing_leaves_the_old_pair_or_the_new_one(tmp_path, monkeypatch, is_first, step):
    path = tmp_path / "net.safetensors"
    old, new = ({"a": torch.full((2,), value)} for value in (1.0, 2.0))
    if not is_first:
        weights.publish(path, old, config=CONFIG, seconds=1.0)
    calls = []

    def killed(function):
        def call(*arguments, **options):
            calls.append(function)
            if len(calls) > step:  # and after a kill nothing runs, not even what removes the parts
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for owner, name in ((os, "fsync"), (os, "replace"), (Path, "unlink"), (Path, "open")):
            patch.setattr(owner, name, killed(getattr(owner, name)))
        with suppress(Killed):
            weights.publish(path, new, config=CONFIG, seconds=2.0)
    if is_first and not path.exists():  # there is no pair yet, and the next one is written in its place
        weights.publish(path, new, config=CONFIG, seconds=2.0)
    card, found = weights.read_card(path), weights.read_tensors(path)
    assert found["a"].tolist() == [card.values["seconds"]] * 2
    weights.publish(path, new, config=CONFIG, seconds=2.0)
    # of a kill, the part of the file that was being written is left
    assert {file.name for file in tmp_path.iterdir() if file.suffix != ".part"} == {"net.safetensors", "net.yaml"}
    assert weights.read_tensors(path)["a"].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"weight": torch.ones(2, 3) * 1j, "bias": torch.ones(2)}, "weight holds torch.complex64, expected"),
        ({"weight": torch.ones(2, 3), "bias": torch.ones(2, dtype=torch.int64)}, "bias holds torch.int64, expected"),
        ({"weight": torch.ones(2, 3), "bias": torch.tensor([1.0, float("nan")])}, "1 of 2 values of bias are not"),
        ({"weight": torch.ones(2, 3), "bias": torch.ones(2), "more": torch.ones(1)}, "Unexpected key"),
        ({"weight": torch.ones(2, 3), 3: torch.ones(2)}, "do not fit"),
        ({"weight": torch.ones(2, 3), "bias": 3.0}, "do not fit"),
        ({"weight": torch.ones(1).expand(2**40), "bias": torch.ones(2)}, "size mismatch for weight"),
        ({"weight": torch.ones(2, 3).to_sparse(), "bias": torch.ones(2)}, "do not fit"),
    ],
    ids=["complex", "whole", "nan", "more", "number as name", "no tensor", "huge", "sparse"],
)  # fmt: skip
def test_tensors_that_no_run_writes_are_refused(tensors, reason):
    with pytest.raises(CheckpointError, match=reason) as caught:
        weights.assign(nn.Linear(3, 2), tensors, Path("net.safetensors"))
    assert "net.safetensors" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "words", [{"width": "a"}, {"width": -3}, {"width": 2**62}, {"breadth": 3}, {}, {"width": None}]
)
def test_arguments_that_a_network_refuses_are_an_error_of_the_card(published, words):
    config = {**CONFIG, "task": {"class_path": "sciml.lines.Line", "init_args": words}}
    weights.publish(published, weights.read_tensors(published), config=config)
    with pytest.raises(CheckpointError, match=r"line\.yaml has arguments that sciml\.lines\.Line refuses"):
        weights.load(published, "sciml.lines.Line", "line.", lambda arguments: nn.Linear(arguments["width"], 2))
