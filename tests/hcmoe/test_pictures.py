"""What the pictures of coupled experts show: residuals that add up to those of the slabs, and jumps at faces."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.hcmoe import Burgers, CoupledExperts, Elements, Slabs
from sciml.hcmoe.pictures import SAMPLES, expert_boxes, face_jumps


def solved(degree: int = 8) -> tuple[CoupledExperts, list, list]:
    experts = CoupledExperts(Burgers(0.05), Elements(6, degree, [0.0], 0.1), Slabs(3, 6))
    states, reports = zip(*experts.run(), strict=True)
    return experts, list(states), list(reports)


def test_the_residuals_of_the_experts_have_the_mean_square_of_their_slab():
    experts, states, reports = solved()
    boxes = expert_boxes(experts, states)
    shares = np.diff(boxes.faces) / (boxes.faces[-1] - boxes.faces[0])
    for row, report in zip(boxes.residual, reports, strict=True):
        assert (row**2 @ shares) ** 0.5 == pytest.approx(report.residual, rel=1e-6)
    assert boxes.residual == pytest.approx(boxes.residual[:, ::-1], rel=1e-6)  # u is odd


def test_the_values_are_those_within_the_boxes():
    experts, states, _ = solved()
    boxes = expert_boxes(experts, states)
    share = (2 * 3 + 1) / (2 * SAMPLES)  # of the sample of number 3
    x = boxes.faces[4] + share * (boxes.faces[5] - boxes.faces[4])
    time = boxes.times[1] + share * (boxes.times[2] - boxes.times[1])
    expected = experts.values(states[1], torch.tensor([x]), float(time))[0]
    assert boxes.u[1, 3, 4, 3] == pytest.approx(float(expected), abs=1e-12)


def test_u_and_its_slope_do_not_jump_and_the_second_derivative_jumps_less_the_higher_the_degree():
    jumps = [face_jumps(*solved(degree)[:2]) for degree in (6, 10)]
    for found in jumps:
        assert max(found["u"].max(), found["u_x"].max()) < 1e-13
        assert all(len(each) == 5 for each in found.values())
    assert 1e-8 < jumps[1]["u_xx"].max() < 0.1 * jumps[0]["u_xx"].max()
