import numpy as np
import pytest
import torch

from sciml.dcdm.data import make_problem
from sciml.dcdm.stencil import StencilOperator
from sciml.linalg import VoxelPoisson
from sciml.numerics.random import generator


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("name", ["box", "mixed", "jumps", "closed"])
def test_equals_the_matrix(name, dimension):
    problem = make_problem(name, 12, 3, dimension)
    x = np.where(problem.fluid, np.random.default_rng(0).standard_normal((2, 1, *problem.shape)), 0.0)
    result = StencilOperator(problem, torch.float64)(torch.as_tensor(x)).numpy()
    for image, expected in zip(result[:, 0], x[:, 0], strict=True):
        full = np.zeros(problem.shape)
        full[problem.fluid] = problem.to_csr() @ expected[problem.fluid]
        assert np.allclose(image, full, rtol=0, atol=1e-12 * np.abs(full).max())


def test_axes_keep_their_own_weights():
    problem = VoxelPoisson.from_cells(np.zeros((3, 4, 5), np.uint8), spacing=(1.0, 0.5, 0.25), outside="dirichlet")
    x = torch.randn(3, 4, 5, generator=generator(1), dtype=torch.float64)
    assert np.allclose(StencilOperator(problem, torch.float64)(x).numpy(), problem.matvec(x.numpy()), atol=1e-12)


def test_is_differentiable():
    operator = StencilOperator(make_problem("mixed", 12, 0, 2), torch.float64)
    x = operator.mask(torch.randn(1, 12, 12, generator=generator(2), dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(operator, (x,))


def test_mask():
    problem = make_problem("mixed", 12, 0, 2)
    masked = StencilOperator(problem, torch.float32).mask(torch.full((1, 1, 12, 12), torch.nan))
    assert torch.equal(torch.isnan(masked[0, 0]), torch.as_tensor(problem.fluid))
