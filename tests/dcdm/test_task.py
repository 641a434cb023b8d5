import numpy as np
import pytest
import torch
from scipy import optimize

from sciml.data.modules import Draws
from sciml.dcdm import DirectionNet, DirectionTask
from sciml.dcdm.data import DirectionBatch, make_draws, make_problem
from sciml.dcdm.stencil import StencilOperator
from sciml.dcdm.task import remaining_residual
from sciml.errors import ConfigError
from sciml.linalg.sparse_files import write_cells
from sciml.numerics.random import generator, seeded
from sciml.training.prediction import predict_file


def batch_of(name="mixed", dtype=torch.float64, count=3):
    problem = make_problem(name, 16, 2, 2)
    return problem, DirectionBatch(
        StencilOperator(problem, dtype), make_draws(problem, 40).draw(count, generator(0)).to(dtype)
    )


class Inverse(DirectionNet):
    """A^-1, times a factor that must not matter."""

    def __init__(self, problem):
        super().__init__(2)
        self.inverse = torch.as_tensor(np.linalg.inv(problem.to_csr().toarray()))

    def directions(self, residual, operator):
        q = torch.zeros_like(residual)
        q[:, :, operator.fluid] = -7 * residual[:, :, operator.fluid] @ self.inverse
        return q


def test_loss_is_zero_for_the_inverse_and_one_for_no_direction():
    problem, batch = batch_of()
    task = DirectionTask(2)
    task.network = Inverse(problem)
    assert float(task.loss(batch)["residual"]) < 1e-20
    task.network.inverse = torch.zeros_like(task.network.inverse)
    assert float(task.loss(batch)["residual"]) == pytest.approx(1.0, rel=1e-6)


def test_step_is_the_minimiser_of_the_error_energy():
    """alpha against a minimiser that knows nothing of the formula."""
    problem, batch = batch_of()
    with seeded(1):
        network = DirectionNet(2, filters=4).double()
    left = remaining_residual(network, batch)
    q = network.directions(batch.residuals, batch.operator).detach()
    matrix = problem.to_csr().toarray()
    for r, direction, after in zip(batch.residuals, q, left, strict=True):
        r, direction = (v[0].numpy()[problem.fluid] for v in (r, direction))
        solution = np.linalg.solve(matrix, r)
        energy = lambda alpha: (e := solution - alpha * direction) @ matrix @ e  # noqa: B023, E731
        alpha = optimize.minimize_scalar(energy, options={"xtol": 1e-12}).x
        expected = r - alpha * (matrix @ direction)
        assert after[0].detach().numpy()[problem.fluid] == pytest.approx(expected, abs=1e-6)
        assert after[0].detach().numpy()[problem.fluid] @ direction == pytest.approx(0.0, abs=1e-9)


def test_gradient_of_the_loss_in_the_direction(network):
    """Through alpha, too; the network's own derivatives are torch's business."""
    _, batch = batch_of(count=2)
    q = torch.randn(2, 1, 16, 16, generator=generator(5), dtype=torch.float64).requires_grad_()

    def loss(directions):
        network.directions = lambda residuals, operator: operator.mask(directions)
        return remaining_residual(network, batch).square().sum()

    assert torch.autograd.gradcheck(loss, (q,), fast_mode=True)


def test_loss_does_not_depend_on_length_or_sign_of_the_direction(network):
    _, batch = batch_of(dtype=torch.float32)
    task = DirectionTask(2)
    task.network = network
    before = float(task.loss(batch)["residual"].detach())
    with torch.no_grad():
        network.last.weight.mul_(-5.0)
        network.last.bias.mul_(-5.0)
    assert float(task.loss(batch)["residual"].detach()) == pytest.approx(before, rel=1e-5)


def test_training_lowers_the_loss(data):
    with seeded(0):
        task = DirectionTask(2, filters=8, pairs=[1, 1, 1])
    optimizer = torch.optim.Adam(task.parameters(), 3e-3)
    losses = []
    for update in range(40):
        loss = task.loss(data.draw(0, generator(0, update)))["residual"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:8])


def test_evaluation_counts_iterations_on_held_out_systems(data, network):
    data.test_sizes = [20]
    task = DirectionTask(2)
    task.network = network
    result = task.evaluate(data)
    assert list(result)[:4] == ["ratio", "unseen_ratio", "resized_ratio", "residual"]
    names = [system.name for system in data.held_out_systems()]
    ratios = {name: result[name] / result[f"{name}_cg"] for name in names}
    assert result["ratio"] == max(ratio for name, ratio in ratios.items() if "_16_" in name and "spheres" not in name)
    assert result["unseen_ratio"] == max(ratio for name, ratio in ratios.items() if "spheres" in name)
    assert result["resized_ratio"] == max(ratio for name, ratio in ratios.items() if "_20_" in name)
    with pytest.raises(ConfigError, match="RitzDirections"):
        task.evaluate(Draws(2))


def test_predict_file_solves_the_system_in_it(tmp_path, network):
    problem = make_problem("mixed", 16, 3, 2)
    b = np.where(problem.fluid, 1.0, 0.0)
    write_cells(tmp_path / "in.npz", problem.cells, b)
    task = DirectionTask(2)
    task.network = network
    numbers = task.predict_file(tmp_path / "in.npz", tmp_path / "out.npz")
    x = np.load(tmp_path / "out.npz")["x"]
    true = np.linalg.norm(b - problem.matvec(x)) / np.linalg.norm(b)
    assert true <= 1e-6
    assert numbers["true_residual"] == pytest.approx(true, rel=1e-3)
    assert numbers["iterations"] > 0


def test_predict_file_takes_the_tolerance_and_reports_how_far_the_residual_has_come(tmp_path, network):
    problem = make_problem("mixed", 16, 3, 2)
    b = np.where(problem.fluid, 1.0, 0.0)
    write_cells(tmp_path / "in.npz", problem.cells, b)
    task, told = DirectionTask(2), []
    task.network = network
    numbers = predict_file(
        task, tmp_path / "in.npz", tmp_path / "out.npz", ["rtol=1e-2"], progress=lambda *state: told.append(state)
    )
    x = np.load(tmp_path / "out.npz")["x"]
    assert np.linalg.norm(b - problem.matvec(x)) / np.linalg.norm(b) <= 1e-2
    assert len(told) == numbers["iterations"]
    done = [fraction for fraction, _ in told]
    assert done[-1] == 1.0 and all(0 <= fraction <= 1 for fraction in done)
    assert told[0][1].startswith("iteration 1, relative residual ")
