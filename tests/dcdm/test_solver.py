import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from sciml.dcdm import DeepConjugateDirections, DirectionNet, shipped
from sciml.dcdm.data import make_draws, make_problem
from sciml.errors import CheckpointError, IncompatibleRightHandSideError, InputError, NotStructuredError
from sciml.linalg import VoxelPoisson, solve
from sciml.numerics.random import generator
from sciml.reference.poisson_cases import poisson_case
from sciml.weights import find


@pytest.fixture
def exported(tmp_path, network):
    """Weights as ``sciml train`` exports them."""
    path = tmp_path / "mine.safetensors"
    save_file({f"network.{name}": tensor for name, tensor in network.state_dict().items()}, path)
    config = {
        "task": {
            "class_path": "sciml.dcdm.DirectionTask",
            "init_args": {"dimension": 2, "filters": 4, "pairs": [1, 1, 1]},
        },
        "data": {"class_path": "sciml.dcdm.RitzDirections", "init_args": {"dimension": 2, "sizes": [16]}},
    }
    card = {"config": config, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(card))
    return path


def test_weights_from_a_file_are_those_of_the_network(exported, network):
    solver = DeepConjugateDirections.from_weights(exported)
    unit = torch.randn(1, 1, 10, 12, generator=generator(0))
    assert torch.equal(solver.network(unit), network(unit))


def test_damaged_or_foreign_weights_are_refused(exported):
    content = exported.read_bytes()
    exported.write_bytes(content[:100])
    with pytest.raises(CheckpointError, match="is damaged"):
        DeepConjugateDirections.from_weights(exported)
    exported.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=r"does not belong to mine\.yaml"):
        DeepConjugateDirections.from_weights(exported)
    exported.write_bytes(content)
    about = exported.with_suffix(".yaml")
    text = about.read_text()
    about.write_text(text.replace("filters: 4", "filters: 5"))
    with pytest.raises(CheckpointError, match="do not fit DirectionNet"):
        DeepConjugateDirections.from_weights(exported)
    about.write_text(text.replace("DirectionTask", "OtherTask"))
    with pytest.raises(CheckpointError, match="OtherTask"):
        DeepConjugateDirections.from_weights(exported)
    about.unlink()
    with pytest.raises(CheckpointError, match=r"mine\.yaml does not exist"):
        DeepConjugateDirections.from_weights(exported)


def test_matrix_and_grid_give_the_same(network):
    problem = make_problem("mixed", 14, 0, 2)
    b = np.where(problem.fluid, np.random.default_rng(1).standard_normal(problem.shape), 0.0)
    box = VoxelPoisson.from_cells(np.zeros((9, 13), np.uint8), outside="dirichlet")
    for grid, right in ((problem, b), (box, np.ones((9, 13)))):
        result = solve(grid, right, method=DeepConjugateDirections(network), rtol=1e-9)
        assert result.x.shape == right.shape
        assert result.x == pytest.approx(solve(grid, right, rtol=1e-12).x, abs=1e-6)
    matrix = solve(box.to_csr(), np.ones(117), method=DeepConjugateDirections(network), rtol=1e-9)
    assert matrix.x.shape == (117,)
    assert matrix.x == pytest.approx(result.x.ravel(), abs=1e-7)


def test_what_is_refused(network):
    problem = make_problem("closed", 14, 0, 2)
    b = problem.fluid * 1.0
    with pytest.raises(IncompatibleRightHandSideError):
        solve(problem, b, method=DeepConjugateDirections(network))
    assert solve(
        problem, b + np.eye(14) * problem.fluid, method=DeepConjugateDirections(network), project=True
    ).converged
    with pytest.raises(InputError, match="2-D problems"):
        solve(make_problem("box", 12, 0, 3), np.zeros((12, 12, 12)), method=DeepConjugateDirections(network))
    with pytest.raises(NotStructuredError):
        solve(np.eye(7) * 2 - np.ones((7, 7)) / 8, np.ones(7), method=DeepConjugateDirections(network))
    with pytest.raises(InputError, match="method"):
        solve(problem, b, method="newton")
    with pytest.raises(InputError, match="shipped weights"):
        solve(problem, b * 0, method=DeepConjugateDirections(weights="nothing"))


# ----------------------------------------------------------------------------------------------------- shipped weights


def iterations(solver, name, size, dimension, kind, **options):
    case = poisson_case(name, size, 200, dimension)
    problem = VoxelPoisson.from_cells(case.cells, outside=case.outside)
    if kind == "ritz":
        b = case.compatible(make_draws(problem).draw(1, generator(200))[0, 0].double().numpy())
    else:
        b = case.right_hand_side(kind, seed=200)
    ours = solve(problem, b, method=replace(solver, **options), rtol=1e-4)
    reference = solve(problem, b, method="cg", rtol=1e-4)
    assert ours.status == "converged"
    assert np.linalg.norm(b - problem.matvec(ours.x)) <= 1e-4 * np.linalg.norm(b)
    return ours.iterations, reference.iterations


@pytest.fixture(scope="module")
def plane():
    return DeepConjugateDirections.from_weights(dimension=2, size=64)


@pytest.fixture(scope="module")
def space():
    return DeepConjugateDirections.from_weights(dimension=3, size=32)


def test_weights_of_both_dimensions_are_shipped_and_small():
    assert {about["dimension"] for about in shipped().values()} == {2, 3}
    for name, about in shipped().items():
        assert about["method"] == "dcdm"
        assert find(name).stat().st_size < 1_000_000
        network = DeepConjugateDirections.from_weights(name).network
        assert network.dimension == about["dimension"]
        assert isinstance(network, DirectionNet)


@pytest.mark.parametrize("kind", ["white", "ritz", "smooth"])
def test_published_iteration_needs_an_eighth_of_the_iterations_in_the_plane(plane, kind):
    ours, reference = iterations(plane, "box", 64, 2, kind, faithful=True)
    assert 8 * ours <= reference


@pytest.mark.parametrize("kind", ["white", "ritz", "smooth"])
def test_asking_on_coarser_images_first_needs_less_than_a_fifteenth(plane, kind):
    ours, reference = iterations(plane, "box", 64, 2, kind)
    assert 15 * ours <= reference


@pytest.mark.parametrize("kind", ["white", "smooth"])
@pytest.mark.parametrize(("name", "factor"), [("spheres", 8), ("smoke", 8), ("mixed", 4)])
def test_domains_never_seen(plane, name, factor, kind):
    ours, reference = iterations(plane, name, 64, 2, kind)
    assert factor * ours <= reference


def test_published_iteration_among_obstacles_never_seen(plane):
    ours, reference = iterations(plane, "spheres", 64, 2, "white", faithful=True)
    assert 3 * ours <= reference


@pytest.mark.parametrize(("name", "faithful", "factor"), [("box", True, 5), ("box", False, 8), ("spheres", False, 6)])
def test_shipped_weights_in_space(space, name, faithful, factor):
    ours, reference = iterations(space, name, 32, 3, "white", faithful=faithful)
    assert factor * ours <= reference


@pytest.mark.parametrize("kind", ["white", "smooth"])
def test_iterations_do_not_grow_with_the_size(plane, kind):
    small, _ = iterations(plane, "box", 64, 2, kind)
    large, _ = iterations(plane, "box", 256, 2, kind)
    assert large <= small + 2


def test_size_that_no_power_of_two_divides(plane):
    ours, reference = iterations(plane, "mixed", 75, 2, "white")
    assert 4 * ours <= reference
