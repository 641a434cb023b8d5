"""Published weights: read only as they were written, found by name, and described by a card."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

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
    rewrite(path, sha256=sha256(JPEG).hexdigest())
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
        assert {"config", "command", "commit", "version", "metrics", "seconds", "sha256"} <= set(card.values)
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "DCDM" in done.stdout and done.stdout.endswith("False\n")
