"""The measured gradients of convergent graph solvers: exact, of constant memory, and within their bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.bench.cgs.gradients import TOLERANCES, anchored, memory, tolerance
from sciml.reference.pore_networks import random_network


def test_gradients_are_exact_and_take_a_fifth_of_the_memory_of_unrolling() -> None:
    result = memory({"seed": 7, "networks": 2, "heads": 3})
    found = result["last"]
    assert result["failed"] is None and found["gradient_error"] < 1e-12
    assert found["memory_ratio"] >= 5 and found["memory_growth"] == 1.0


@pytest.mark.parametrize("head", ["contraction", "anchored"])
def test_gradient_errors_are_in_proportion_to_the_tolerance_and_below_their_bounds(head: str) -> None:
    result = tolerance({"seed": 7, "head": head, "heads": 2})
    found = result["last"]
    assert result["failed"] is None and 0.8 < found["exponent"] < 1.25
    assert found["error_1e-09"] < 1e-4 * found["error_1e-03"] and len(TOLERANCES) == 7
    assert 0 < found["error_over_bound"] < 1 and 0 < found["error_over_estimate"] < 1
    assert found["bound_over_error"] < 1e4


def test_the_anchored_head_is_a_definite_matrix_with_pinned_rows() -> None:
    network = random_network("delaunay", 15, np.random.default_rng(0))
    head = anchored([network], 2, 0)
    matrix, pinned = head.matrices().detach(), torch.from_numpy(network.inlet | network.outlet)
    torch.testing.assert_close(matrix, matrix.mT)
    assert torch.linalg.eigvalsh(matrix).min() > 0
    assert (matrix[:, pinned] == torch.eye(network.n_pores, dtype=torch.float64)[pinned]).all()
