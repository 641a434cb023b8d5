"""Configs whose data or model do not suit the task: a sentence before the folder of the run exists."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from sciml.data.pore_networks import write_networks
from sciml.errors import InputError
from sciml.reference.pore_networks import random_network
from sciml.training.config import load_config
from sciml.training.run import train

CONFIGS = sorted((Path(__file__).parents[2] / "configs/cgs").glob("*.yaml"))
LEARNED = [path for path in CONFIGS if "\ndata:" in path.read_text()]
GRAPHS = "2\n3 0\n0 2 1 2\n1 2 0 2\n0 2 0 1\n2 1\n0 1 1\n1 1 0\n"
DATA = {
    "sciml.cgs.PoreNetworks": "{}",
    "sciml.cgs.RockBoxes": "{network: absent.npz, edges: [1.0e-3, 2.0e-3]}",
    "sciml.cgs.DecisionGraphs": "{}",
    "sciml.cgs.LabelledGraphData": "{path: GRAPHS.txt}",
    "sciml.cgs.upscaling.LognormalFlows": "{cells: [64, 64]}",
}
POROUS = {"sciml.cgs.PoreNetworks", "sciml.cgs.RockBoxes"}
PORE = "task.init_args.model.init_args"


def _kind(path: Path) -> str:
    return load_config(path).values["data"]["class_path"]


def _others(path: Path) -> list[str]:
    kind = _kind(path)
    return [name for name in DATA if name != kind and not {name, kind} <= POROUS]


def _refused(path: Path, folder: Path, *changes: str) -> str:
    """Return the sentence in which the run is refused; neither a folder nor a changed global generator is left."""
    state = torch.get_rng_state()
    with pytest.raises(InputError) as refusal:
        train(load_config(path, changes), folder / "run")
    assert not (folder / "run").exists()
    assert torch.equal(torch.get_rng_state(), state)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("path", "other"),
    [pytest.param(path, name, id=f"{path.stem}-{name}") for path in LEARNED for name in _others(path)],
)
def test_a_config_with_data_of_another_kind_is_refused_before_its_folder_exists(
    path: Path, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("GRAPHS.txt").write_text(GRAPHS)
    found = _refused(path, tmp_path, f"data={{class_path: {other}, init_args: {DATA[other]}}}")
    expected = "PoreNetworks" if _kind(path) in POROUS else _kind(path).rpartition(".")[2]
    assert other.rpartition(".")[2] in found
    assert f"expected {expected}" in found


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("pore_cpu", [f"{PORE}.edge_dim=1"], "edge_dim of the model is 1, expected 3"),
        ("pore_cpu", [f"{PORE}.node_dim=7"], "node_dim of the model is 7, expected 5"),
        ("pore_cpu", [f"{PORE}.outputs=2"], "set its outputs to 1"),
        ("pore_cpu", [f"{PORE}.readout=sum"], "readout to nodes"),
        (
            "pore_cpu",
            ["task.init_args.features={class_path: sciml.cgs.ThroatFeatures}"],
            "the graphs have no x, expected",
        ),
        ("pore_cpu", ["task.init_args.target=permeability"], "has no conductances"),
        (
            "pore_anchored_cpu",
            [f"{PORE}.conductances.init_args.throat_dim=3"],
            "throat_dim of the model is 3, expected 2",
        ),
        ("pore_conduits_cpu", [f"{PORE}.conductances.init_args.end_dim=1"], "end_dim of the model is 1, expected 2"),
        (
            "pore_conduits_cpu",
            ["task.init_args.features={class_path: sciml.cgs.ThroatFeatures}"],
            "have no throat_ends",
        ),
        ("values_cpu", [f"{PORE}.edge_dim=3"], "edge_dim of the model is 3, expected 1"),
        ("values_heads_cpu", [f"{PORE}.node_dim=2"], "node_dim of the model is 2, expected 1"),
        ("values_heads_cpu", [f"{PORE}.outputs=3"], "set its outputs to 1"),
        ("mutag_cpu", [f"{PORE}.node_dim=6"], "set its node_dim to 7"),
        ("upscaling_2d_cpu", ["task.init_args.factor=4"], "factor of the task is 4, expected that of its data, 8"),
        ("upscaling_2d_cpu", ["task.init_args.base=averages"], "expected that of its data, local"),
        (
            "upscaling_2d_cpu",
            ["task.init_args.dimension=3"],
            "dimension of the task is 3, expected that of its data, 2",
        ),
    ],
)
def test_a_model_of_other_sizes_than_its_features_is_refused_before_its_folder_exists(
    name: str, changes: list[str], words: str, tmp_path: Path
) -> None:
    path = next(each for each in CONFIGS if each.stem == name)
    assert words in _refused(path, tmp_path, *changes)


def test_labelled_graphs_with_more_tags_than_the_task_has_are_refused_before_the_folder_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("GRAPHS.txt").write_text(GRAPHS)
    path = next(each for each in CONFIGS if each.stem == "mutag_cpu")
    changes = ["task.init_args.tags=1", f"{PORE}.node_dim=1", "data.init_args.path=GRAPHS.txt"]
    assert "GRAPHS.txt, graph 0: the graphs have 2 tags or more, expected 1" in _refused(path, tmp_path, *changes)


@pytest.mark.parametrize(
    "path", [path for path in LEARNED if _kind(path) in ("sciml.cgs.PoreNetworks", "sciml.cgs.DecisionGraphs")], ids=str
)
def test_the_configs_that_are_shipped_suit_their_data_and_the_check_leaves_the_weights(path: Path) -> None:
    config = load_config(path)
    task = config.build_task()
    task.prepare(config.training, config.seed)
    before = {name: value.clone() for name, value in task.state_dict().items()}
    task.check_data(config.build_data())
    assert task.training
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())


def test_a_sample_that_is_no_network_is_named_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.h5"
    write_networks(file, [random_network("delaunay", 8, np.random.default_rng(number)) for number in range(3)])
    with h5py.File(file, "r+") as opened:
        opened["parameters/viscosity"][:] = -1.0
    path = next(each for each in CONFIGS if each.stem == "pore_anchored_cpu")
    said = _refused(path, tmp_path, f"data.init_args.path={file}")
    assert said.startswith(f"{file}, sample ") and "viscosity" in said


def test_a_file_of_few_graphs_is_refused_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("few.txt").write_text("3\n" + "1 0\n0 0\n" * 3)
    path = next(each for each in CONFIGS if each.stem == "mutag_cpu")
    said = _refused(path, tmp_path, "data.init_args.path=few.txt")
    assert "few.txt has 3 graphs, which are split into 10 parts" in said
