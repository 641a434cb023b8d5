"""Learned upscaling has the symmetries of Darcy flow, conserves it without training, and learns what rivals miss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sciml.cgs.upscaling import LognormalFlows, TransmissibilityNet, UpscalingTask
from sciml.cgs.upscaling.flows import closed_flows, coarse_laplacians, through_flow
from sciml.errors import ConfigError, InputError, SciMLError
from sciml.linalg import VoxelPoisson, solve
from sciml.linalg.sparse_files import read_coefficient, read_system, write_cells
from sciml.numerics.random import seeded
from sciml.reference.upscaling import Transmissibilities, fine_transmissibilities
from sciml.reference.upscaling_fields import lognormal_field
from sciml.reference.upscaling_flows import coarse_flows, fine_flows, pair_sources, random_wells
from sciml.training.config import load_config
from sciml.training.prediction import predict_file
from sciml.training.run import load_task, train
from sciml.weights import find

SHAPES = ((24, 16), (8, 12, 8))
HELD = {"x-": 1.0, "x+": 0.0}


def network_for(shape, seed=0, **options) -> TransmissibilityNet:
    """Return a network of random weights, the last layer included, whose corrections are far from 0."""
    with seeded(seed):
        network = TransmissibilityNet(len(shape), 4, **({"hidden": 12} | options))
        torch.nn.init.normal_(network.last.weight)
    return network


def field(shape, seed=0, **options) -> np.ndarray:
    return lognormal_field(shape, np.random.default_rng(seed), **options)


def corrections_of(network, k) -> list[np.ndarray]:
    return [t.detach().numpy()[0] for t in network.corrections(torch.from_numpy(np.log(k)).float()[None])]


# Symmetries


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("base", ["averages", "local"])
def test_mirrored_fields_have_mirrored_transmissibilities(shape, base) -> None:
    network, k = network_for(shape, base=base), field(shape)
    faces = network.transmissibilities(k).faces
    assert max(np.abs(c).max() for c in corrections_of(network, k)) > 0.05
    for mirror in range(len(shape)):
        mirrored = network.transmissibilities(np.flip(k, mirror)).faces
        for ours, expected in zip(mirrored, faces, strict=True):
            np.testing.assert_allclose(ours, np.flip(expected, mirror), rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_exchanged_axes_exchange_the_transmissibilities(shape) -> None:
    network, k = network_for(shape), field(shape)
    faces = network.transmissibilities(k).faces
    order = list(reversed(range(len(shape))))
    turned = network.transmissibilities(np.ascontiguousarray(k.transpose(order))).faces
    for axis, ours in enumerate(turned):
        np.testing.assert_allclose(ours, faces[order[axis]].transpose(order), rtol=1e-4)


@pytest.mark.parametrize("factor", [3, 4])
def test_a_transmissibility_scales_with_the_coefficient_and_the_spacing(factor) -> None:
    network, k = network_for((24, 16)), field((24, 12))
    if factor == 3:
        with seeded(0):
            network = TransmissibilityNet(2, 3, hidden=8)
            torch.nn.init.normal_(network.last.weight)
    faces = network.transmissibilities(k).faces
    for ours, expected in zip(network.transmissibilities(1e6 * k, 10.0).faces, faces, strict=True):
        np.testing.assert_allclose(ours, 1e4 * expected, rtol=1e-4)


def test_the_first_layer_is_that_of_each_mirror_image() -> None:
    network = network_for((24, 16))
    windows = torch.randn(3, *network.window, generator=torch.Generator().manual_seed(0))
    images = network._images(windows)
    for number, axes in enumerate(((), (-1,), (-2,), (-2, -1))):
        alone = network._images(windows.flip(axes) if axes else windows)[..., 0, :]
        torch.testing.assert_close(images[..., number, :], alone, rtol=1e-4, atol=1e-5)


def test_a_window_on_a_side_is_its_own_mirror_image() -> None:
    network, k = network_for((24, 16)), torch.from_numpy(np.log(field((24, 16))))[None]
    for axis in (0, 1):
        ends = network.windows(k, axis).movedim(axis + 1, 0)[[0, -1]]
        torch.testing.assert_close(ends, ends.flip(-2))


# Structure


@pytest.mark.parametrize("shape", SHAPES)
def test_an_untrained_network_conserves_and_obeys_the_maximum_principle(shape) -> None:
    for seed in range(5):
        coarse = network_for(shape, seed).transmissibilities(field(shape, seed, deviation=2.0))
        p = coarse.solve(HELD)
        assert p.min() > 0.0
        assert p.max() < 1.0
        out = sum(np.diff(flux, axis=axis) for axis, flux in enumerate(coarse.fluxes(p, HELD)))
        np.testing.assert_allclose(out, 0.0, atol=1e-10 * coarse.faces[0].max())
        assert coarse.flow_rate(p, HELD, "x-") == pytest.approx(-coarse.flow_rate(p, HELD, "x+"), rel=1e-10)


def test_corrections_are_bounded() -> None:
    network, k = network_for((24, 16), bound=0.25), field((24, 16), deviation=3.0)
    network.last.weight.data *= 1e3
    assert max(np.abs(c).max() for c in corrections_of(network, k)) == pytest.approx(0.25, rel=1e-3)


def test_a_new_network_is_its_base() -> None:
    k = field((24, 16))
    ours = TransmissibilityNet(2, 1, hidden=4).transmissibilities(k)
    for faces, fine in zip(ours.faces, fine_transmissibilities(k).faces, strict=True):
        np.testing.assert_allclose(faces, fine, rtol=1e-10)


@pytest.mark.parametrize("shape", [(4, 6), (3, 4, 5)])
def test_batched_flows_are_those_of_single_problems(shape) -> None:
    random = np.random.default_rng(0)
    fields = [fine_transmissibilities(field(shape, seed, length=1.0)) for seed in range(3)]
    faces = [torch.from_numpy(np.stack([each.faces[axis] for each in fields])) for axis in range(len(shape))]
    wells = random_wells(shape, 2, random)
    sources = torch.from_numpy(pair_sources(shape, wells)).flatten(1).expand(3, -1, -1)
    laplacians = coarse_laplacians(faces)
    between = closed_flows(laplacians, sources)
    for number, each in enumerate(fields):
        np.testing.assert_allclose(
            between[number].reshape(2, *shape), each.solve({}, pair_sources(shape, wells)), atol=1e-9
        )
        for axis, name in enumerate("xyz"[: len(shape)]):
            held = {f"{name}-": 1.0, f"{name}+": 0.0}
            p, rate = through_flow(laplacians, faces, axis)
            expected = each.solve(held)
            np.testing.assert_allclose(p[number].reshape(shape), expected, atol=1e-10)
            assert float(rate[number]) == pytest.approx(float(each.flow_rate(expected, held, f"{name}-")), rel=1e-10)


def test_the_gradient_goes_through_the_flows() -> None:
    faces = [torch.rand(1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.5]
    faces.append(torch.rand(1, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.5)
    sources = torch.zeros(1, 1, 6, dtype=torch.float64)
    sources[0, 0, 0], sources[0, 0, 5] = 1.0, -1.0
    parts = [part.requires_grad_() for part in faces]

    def outputs(*values):
        laplacians = coarse_laplacians(values)
        return *through_flow(laplacians, values, 0), closed_flows(laplacians, sources)

    assert torch.autograd.gradcheck(outputs, parts)


# Flows as data


def test_exact_transmissibilities_have_no_errors() -> None:
    k = field((8, 8))
    flows = fine_flows(k, 1, random_wells((8, 8), 3, np.random.default_rng(0)))
    errors = flows.errors(fine_transmissibilities(k))
    assert set(errors) == {"rate", "pressure", "pair_rate", "pair_pressure"}
    assert max(errors.values()) < 1e-9


def test_conductances_twice_too_large_have_rates_twice_too_large() -> None:
    k = field((8, 8))
    flows = fine_flows(k, 1, random_wells((8, 8), 3, np.random.default_rng(0)))
    doubled = Transmissibilities(tuple(2.0 * faces for faces in fine_transmissibilities(k).faces))
    errors = flows.errors(doubled)
    assert errors["rate"] == pytest.approx(1.0)
    assert errors["pressure"] == pytest.approx(0.0, abs=1e-10)
    assert errors["pair_pressure"] > 0.1


def test_fields_are_functions_of_seed_and_number() -> None:
    data, again = (LognormalFlows([32, 32], fields=2, validation_fields=1, seed=3) for _ in range(2))
    first, second = data.flows(0, 1), again.flows(0, 1)
    np.testing.assert_array_equal(first.blocks.coefficient, second.blocks.coefficient)
    np.testing.assert_array_equal(first.pressures, second.pressures)
    others = [data.flows(0, 0), data.flows(1, 1), LognormalFlows([32, 32], seed=4).flows(0, 1)]
    assert all(np.abs(other.blocks.coefficient - first.blocks.coefficient).max() > 0.1 for other in others)


# Task


def small_data(seed=0, **options) -> LognormalFlows:
    return LognormalFlows(
        [32, 32], 4, **({"fields": 16, "validation_fields": 0, "test_fields": 8, "seed": seed} | options)
    )


def test_a_short_training_beats_its_base_on_new_fields() -> None:
    with seeded(0):
        task = UpscalingTask(factor=4, hidden=16)
    data = small_data(fields=48)
    before = task.evaluate(data)
    assert before["rate"] == pytest.approx(before["rate_local"], rel=1e-6)
    optimizer = torch.optim.Adam(task.parameters(), 5e-3)
    for _ in range(12):
        for batch in data.train_dataloader():
            optimizer.zero_grad()
            sum(task.loss(batch).values()).backward()
            optimizer.step()
    after = task.evaluate(data)
    assert after["rate"] < 0.6 * before["rate"]
    assert after["rate"] < after["rate_extended"]
    assert after["pressure"] < before["pressure"]


def test_every_shipped_flow_of_the_loss_vanishes_for_exact_transmissibilities() -> None:
    task = UpscalingTask(factor=1, hidden=4)
    (batch,) = LognormalFlows([8, 8], 1, fields=2, batch_size=2, validation_fields=0).train_dataloader()
    assert all(abs(term.item()) < 1e-8 for term in task.loss(batch).values())


def predict(network_task, tmp_path, *options, **arrays) -> dict[str, float]:
    np.savez(tmp_path / "k.npz", **arrays)
    return predict_file(network_task, tmp_path / "k.npz", tmp_path / "coarse.npz", options)


@pytest.fixture
def task() -> UpscalingTask:
    with seeded(0):
        return UpscalingTask(factor=4, hidden=8)


def test_a_predicted_matrix_is_solved_by_precondition_and_is_close_to_the_fine_answer(task, tmp_path: Path) -> None:
    k, spacing = field((32, 32), deviation=0.5), 0.1
    b = np.random.default_rng(0).standard_normal((32, 32))
    numbers = predict(task, tmp_path, coefficient=k, spacing=spacing, outside="dirichlet", b=b)
    assert numbers == {"unknowns": 64.0, "fine_unknowns": 1024.0}
    file = read_system(tmp_path / "coarse.npz", tmp_path / "coarse_rhs.npy")
    assert file.b.sum() == pytest.approx(b.sum())
    alone = read_system(tmp_path / "coarse.npz")
    assert np.array_equal(alone.b, file.b) and alone.spacing == (0.4, 0.4)
    coarse = solve(file.matrix, file.b, rtol=1e-10).x
    smooth = np.ones((32, 32))
    predict(task, tmp_path, coefficient=k, spacing=spacing, outside="dirichlet", b=smooth)
    coarse = solve(file.matrix, np.load(tmp_path / "coarse_rhs.npy"), rtol=1e-10).x
    cells = np.zeros((32, 32), np.uint8)
    fine = solve(VoxelPoisson.from_cells(cells, coefficient=k, spacing=spacing, outside="dirichlet"), smooth).x
    means = fine.reshape(8, 4, 8, 4).mean(axis=(1, 3)).ravel()
    assert np.linalg.norm(coarse - means) < 0.1 * np.linalg.norm(means)


def test_ghost_cells_are_those_of_the_voxel_problem(tmp_path: Path) -> None:
    k = field((6, 4))
    predict(UpscalingTask(factor=1, hidden=4), tmp_path, coefficient=k, outside=np.array(["dirichlet", "neumann"] * 2))
    sides = {"x-": "dirichlet", "y-": "dirichlet"}
    fine = VoxelPoisson.from_cells(np.zeros((6, 4), np.uint8), coefficient=k, outside=sides)
    file = read_system(tmp_path / "coarse.npz", tmp_path / "coarse_rhs.npy")
    np.testing.assert_allclose(file.matrix.toarray(), fine.to_csr().toarray(), rtol=1e-5)


def test_a_solution_has_pressures_and_conserving_fluxes(task, tmp_path: Path) -> None:
    k, b = field((16, 24)), np.zeros((16, 24))
    b[:4, :4], b[-4:, -4:] = 1.0, -1.0
    numbers = predict(task, tmp_path, "solve=true", coefficient=k, b=b)
    assert numbers["true_residual"] < 1e-9
    arrays = np.load(tmp_path / "coarse.npz")
    out = np.diff(arrays["flux_x"], axis=0) + np.diff(arrays["flux_y"], axis=1)
    expected = b.reshape(4, 4, 6, 4).sum(axis=(1, 3))
    np.testing.assert_allclose(out, expected, atol=1e-7)
    flows = fine_flows(k, 4, np.array([[[0, 0], [3, 5]]]))
    np.testing.assert_allclose(
        arrays["pressure"],
        16.0 * coarse_flows(flows.blocks, task.network.transmissibilities(k), flows.wells)[0][2],
        atol=1e-6,
    )


def test_a_file_with_cells_is_read_as_precondition_reads_it(task, tmp_path: Path) -> None:
    k, b = field((16, 16)), np.ones((16, 16))
    write_cells(tmp_path / "k.npz", np.zeros((16, 16), np.uint8), b, coefficient=k, outside={"x-": "dirichlet"})
    predict_file(task, tmp_path / "k.npz", tmp_path / "coarse.npz")
    assert np.load(tmp_path / "coarse_rhs.npy").tolist() == [16.0] * 16


def test_a_right_hand_side_that_cannot_be_written_leaves_the_matrix_before(task, tmp_path: Path) -> None:
    (tmp_path / "coarse.npz").write_bytes(b"old")
    (tmp_path / "coarse_rhs.npy").mkdir()
    with pytest.raises(InputError, match=r"coarse_rhs\.npy is a folder, expected a file name"):
        predict(task, tmp_path, coefficient=field((16, 16)))
    assert (tmp_path / "coarse.npz").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coarse.npz", "coarse_rhs.npy", "k.npz"]


def test_a_right_hand_side_never_replaces_the_input(task, tmp_path: Path) -> None:
    source = tmp_path / "coarse_rhs.npy"
    with source.open("wb") as stream:
        np.savez(stream, coefficient=field((16, 16)))
    before = source.read_bytes()
    with pytest.raises(InputError, match=r"coarse_rhs\.npy and replace the input; choose another name"):
        predict_file(task, source, tmp_path / "coarse.npz")
    assert source.read_bytes() == before and not (tmp_path / "coarse.npz").exists()


def test_a_solution_without_sources_is_at_rest(task, tmp_path: Path) -> None:
    predict(task, tmp_path, "solve=true", coefficient=field((16, 16)))
    arrays = np.load(tmp_path / "coarse.npz")
    assert {name: float(np.abs(values).max()) for name, values in arrays.items()} == {
        "pressure": 0.0,
        "flux_x": 0.0,
        "flux_y": 0.0,
    }


CONTRASTS = np.where(np.random.default_rng(0).random((8, 8)) < 0.5, 1e-90, 1e90)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"coefficient": np.ones((16, 10))}, r"shape \(16, 10\), which the factor 4 does not divide; cut or pad it"),
        ({"coefficient": np.ones((8, 8, 8))}, "expected 2 axes"),
        ({"coefficient": -np.ones((8, 8))}, "must be finite and > 0 in every cell"),
        ({"coefficient": np.ones(8)}, r"cells must have shape \(nx, ny\)"),
        ({"k": np.ones((8, 8))}, "the name of an array beside the coefficient"),
        ({"b": np.ones((8, 8))}, "it holds the arrays b, expected 'coefficient'"),
        ({"coefficient": np.ones((8, 8)), "b": np.ones((8, 4))}, "b has shape"),
        ({"coefficient": np.ones((8, 8)), "b": np.full((8, 8), np.nan)}, "b"),
        ({"coefficient": np.ones((8, 8)), "cells": np.ones((8, 8), int) * 2 - np.eye(8, dtype=int) * 2}, "obstacles"),
        ({"coefficient": np.ones((8, 8)), "spacing": [1.0, 2.0]}, "expected the same along each axis"),
        ({"coefficient": np.ones((8, 8)), "outside": "open"}, "outside"),
        ({"coefficient": np.full((8, 8), 1e-300)}, r"k\.npz: the coefficient lies between 1e-300 and 1e-300"),
        (
            {"coefficient": np.ones((8, 8)), "spacing": 1e-200},
            r"k\.npz: the spacing is .*, expected numbers from 1e-50",
        ),
        ({"coefficient": np.ones((8, 8)), "b": np.full((8, 8), 1e308)}, r"k\.npz: .*the sums of b over the blocks"),
        ({"coefficient": CONTRASTS}, r"k\.npz: a pivot of a local fine problem is lost to rounding"),
    ],
)
def test_bad_files_are_refused_with_a_sentence(task, tmp_path: Path, arrays, sentence) -> None:
    with pytest.raises(SciMLError, match=sentence):
        predict(task, tmp_path, **arrays)
    assert not (tmp_path / "coarse.npz").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cells": [60, 64]}, r"cells is \[60, 64\], expected 2 or 3 numbers that the factor 8 divides"),
        ({"cells": [64]}, "expected 2 or 3 numbers"),
        ({"factor": 0}, "factor is 0"),
        ({"lengths": (2.0, 1.0)}, "the larger of lengths is 1.0, expected"),
        ({"lengths": (0.0, 1.0)}, "the smaller of lengths is 0.0, expected"),
        ({"lengths": (1.0, float("inf"))}, "the larger of lengths is inf, expected"),
        ({"deviations": (-0.1, 1.0)}, "the smaller of deviations is -0.1, expected"),
        ({"deviations": (0.5, float("nan"))}, "the larger of deviations is nan, expected"),
        ({"base": "harmonic"}, "harmonic"),
    ],
)
def test_bad_settings_of_the_data_are_refused(change, sentence) -> None:
    with pytest.raises(ConfigError, match=sentence):
        LognormalFlows(**({"cells": [64, 64]} | change))


# Runs

SMALL = [
    "task.init_args.factor=4", "task.init_args.hidden=4", "data.init_args.cells=[16, 16]", "data.init_args.factor=4",
    "data.init_args.fields=16", "data.init_args.validation_fields=2", "data.init_args.test_fields=2",
    "training.phases.0.epochs=3",
]  # fmt: skip


class Stopped(BaseException):
    """What a test stops a run with."""


def test_a_run_draws_its_figures_and_one_that_was_killed_ends_with_the_same_bits(tmp_path: Path, monkeypatch) -> None:
    config = load_config("cgs/upscaling_2d_cpu", SMALL)
    train(config, tmp_path / "whole")
    assert {path.name for path in (tmp_path / "whole" / "figures").iterdir()} >= {"pressure.png", "rates.png"}
    real, calls = UpscalingTask.loss, []

    def stopping(task, batch):
        calls.append(1)
        if len(calls) == 4:
            raise Stopped
        return real(task, batch)

    monkeypatch.setattr(UpscalingTask, "loss", stopping)
    with pytest.raises(Stopped):
        train(config, tmp_path / "killed")
    monkeypatch.setattr(UpscalingTask, "loss", real)
    train(config, tmp_path / "killed", resume=True)
    whole, resumed = (load_task(tmp_path / name).state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())
    assert whole["network.last.weight"].abs().max() > 0.0


def test_shipped_weights_are_far_better_than_the_classical_methods() -> None:
    data = LognormalFlows([64, 64], test_fields=6, seed=77)
    task = load_task(find("cgs/upscaling_2d_cpu"))
    found = task.evaluate(data)
    for name, at_most in (("rate", 0.02), ("pair_rate", 0.03)):
        assert found[name] < at_most
        assert found[name] < 0.7 * found[f"{name}_extended"]
    assert found["pressure"] < found["pressure_extended"]


def test_damaged_files_give_sentences_and_never_another_coefficient(tmp_path: Path) -> None:
    k, path = field((8, 8)), tmp_path / "k.npz"
    np.savez(path, coefficient=k, spacing=0.5, outside="dirichlet")
    whole, random = path.read_bytes(), np.random.default_rng(0)
    for trial in range(150):
        damaged = bytearray(whole)
        if trial % 3:
            damaged[random.integers(len(whole))] ^= 1 << random.integers(8)
        else:
            damaged = damaged[: random.integers(len(whole))]
        path.write_bytes(damaged)
        try:
            read = read_coefficient(path)
        except SciMLError:
            continue
        np.testing.assert_array_equal(read.coefficient, k)
