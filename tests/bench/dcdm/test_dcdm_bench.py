"""`sciml bench dcdm`: every solver meets the same tolerance on the same system; slow ones are stopped, not hidden."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import scipy.sparse as sp
import torch

from sciml.bench import runner
from sciml.bench.dcdm import jobs as dcdm_jobs
from sciml.bench.dcdm import plan as dcdm
from sciml.bench.dcdm.benchmark import BENCHMARK
from sciml.bench.dcdm.results import DcdmResults, Place
from sciml.bench.dcdm.solvers import CONTENDERS, RTOLS, Contender, Stopwatch, TimeIsUpError, timed_solve
from sciml.bench.dcdm.tables import checks, losses
from sciml.bench.linear_systems import System
from sciml.bench.provenance import code_digest
from sciml.bench.results import read_results
from sciml.bench.runner import run_benchmark
from sciml.errors import DataFormatError, InputError
from sciml.linalg import VoxelPoisson
from sciml.reference.poisson_cases import poisson_case

ENDLESS = 1e9  # seconds: no test depends on the speed of the processor
TINY = dcdm.Plan(
    plane=(16,), cube=(12,), large=0, multigrid=(12,), seeds=(100,), jump_seeds=(100,), limit=ENDLESS, quick=True
)
NETWORKS = {"flat": {"dimension": 2, "size": 64}, "solid": {"dimension": 3, "size": 32}}


def tiny(name: str = "mixed", size: int = 14, dimension: int = 3, seed: int = 100) -> System:
    case = poisson_case(name, size, seed, dimension)
    problem = VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)
    return System(problem, problem.to_csr(), case.right_hand_side("white", 1000 + seed))


class Inverse:
    """Stands for a network that has learned everything: its direction is the solution."""

    def __init__(self) -> None:
        self.network = torch.nn.Linear(2, 3)

    def directions(self, problem: VoxelPoisson, scales: int):
        solve = sp.linalg.factorized(problem.to_csr().tocsc())

        def apply(unit: torch.Tensor) -> torch.Tensor:
            x = np.zeros(problem.shape)
            x[problem.fluid] = solve(unit.numpy()[problem.fluid])
            return torch.as_tensor(-3.0 * x)  # up to a factor

        return [apply]


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Iterator[tuple[Path, dict]]:
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "code_digest", lambda root, names: "this code")
        patch.setattr(dcdm, "networks", dict)
        yield folder, run_benchmark(BENCHMARK, folder, TINY, only=("plane",))


def test_every_solver_meets_both_tolerances_on_every_right_hand_side(measured) -> None:
    folder, results = measured
    assert read_results(folder / "dcdm_quick.json", "dcdm") == results
    assert {job["case"] for job in results["jobs"].values()} == set(dcdm.CASES)
    for job in results["jobs"].values():
        assert job["code"] == "this code" and job["finished"]
        assert set(job["solvers"]) | set(job["not_installed"]) == {*dcdm.MULTIGRID, *dcdm.CLASSICAL}
        for entry in job["solvers"].values():
            assert entry["kinds"].keys() == {"white", "ritz", "smooth"}
            for run in entry["kinds"].values():
                assert run["status"] == "converged" and run["residual"] <= 1.01e-6
                assert 0 < run["iterations"]["0.0001"] <= run["iterations"]["1e-06"] == run["done"]
                assert 0 < run["seconds"]["0.0001"] <= run["seconds"]["1e-06"]
        white = {name: entry["kinds"]["white"]["iterations"]["1e-06"] for name, entry in job["solvers"].items()}
        assert white["multigrid"] < white["deflated"] < white["cg"]
    assert "not installed" not in BENCHMARK.report(results) or "ilupp" not in BENCHMARK.report(results)


def test_what_was_measured_is_in_the_report(measured) -> None:
    text = BENCHMARK.report(measured[1])
    assert "**Grid of 16²**" in text and "deflated CG, 16 vectors" in text
    count = DcdmResults(measured[1]).iterations(Place(2, 16, "walls"), "cg")
    assert count and f"{count[0]:g}" in text


def test_results_of_another_benchmark_are_refused(measured) -> None:
    with pytest.raises(DataFormatError, match="no results of 'sciml bench poisson'"):
        read_results(measured[0] / "dcdm_quick.json", "poisson")


@pytest.mark.parametrize("name", ["cg", "ic0", "deflated"])
def test_iterations_are_counted_as_scipy_counts_them(name: str) -> None:
    one = tiny()
    preconditioner = None
    if name == "ic0":
        ilupp = pytest.importorskip("ilupp", reason="ilupp is an optional peer: pip install 'sciml[peers]'")
        preconditioner = ilupp.IChol0Preconditioner(sp.csr_matrix(one.matrix))
    norms: list[float] = []
    b = one.b[one.problem.fluid]

    def note(x: np.ndarray) -> None:
        norms.append(np.linalg.norm(b - one.matrix @ x) / np.linalg.norm(b))

    sp.linalg.cg(one.matrix, b, rtol=1e-7, M=preconditioner, callback=note)
    run = timed_solve(CONTENDERS[name].setup(one), one, one.b, ENDLESS)
    for rtol in RTOLS:
        expected = 1 + next(step for step, norm in enumerate(norms) if norm <= rtol)
        counted = run["iterations"][f"{rtol:g}"]
        assert counted < 0.8 * expected if name == "deflated" else abs(counted - expected) <= 1


@pytest.mark.parametrize("name", [name for name in CONTENDERS if name not in ("cg", "ic0", "deflated")])
def test_every_other_contender_reaches_both_tolerances_in_fewer_iterations_than_cg(name: str) -> None:
    one = tiny("jumps", 12)
    run = timed_solve(CONTENDERS[name].setup(one), one, one.b, ENDLESS)
    plain = timed_solve(CONTENDERS["cg"].setup(one), one, one.b, ENDLESS)
    assert run["status"] == "converged" and run["residual"] <= 1.01e-6
    assert 0 < run["iterations"]["0.0001"] <= run["iterations"]["1e-06"] < 0.5 * plain["iterations"]["1e-06"]


def test_a_solver_that_takes_too_long_is_stopped_and_what_it_reached_stays() -> None:
    watch = Stopwatch(limit=2.0, clock=itertools.count(step=3.0).__next__)
    with pytest.raises(TimeIsUpError):
        watch(3, 5e-5)
    assert watch.crossed.keys() == {"0.0001"} and watch.crossed["0.0001"] == (3, 3.0)
    one = tiny()
    run = timed_solve(CONTENDERS["cg"].setup(one), one, one.b, 0.0)
    assert run["status"] == "time" and run["done"] == 1
    assert run["iterations"] == {"0.0001": None, "1e-06": None} == run["seconds"]
    assert 1e-4 < run["residual"] < 10


def test_a_solver_that_says_it_has_arrived_and_has_not_is_found_out() -> None:
    one = tiny()

    def liar(b: np.ndarray, callback) -> tuple[np.ndarray, str]:
        callback(1, 1e-9)
        return np.zeros_like(b), "converged"

    run = timed_solve(liar, one, one.b, ENDLESS)
    assert run["residual"] == 1.0 and run["iterations"]["1e-06"] is None


def test_the_loss_of_a_perfect_network_is_zero_and_its_parameters_are_counted(monkeypatch) -> None:
    import sciml.dcdm

    class Factory:
        from_weights = staticmethod(lambda weights: Inverse())

    monkeypatch.setattr(sciml.dcdm, "DeepConjugateDirections", Factory, raising=False)
    job = {"case": "box", "size": 16, "seed": 100, "dimension": 2, "weights": "perfect"}
    result = dcdm_jobs.network(job)
    assert result["parameters"] == 9
    assert result["loss"] < 1e-10 and len(result["losses"]) == dcdm_jobs.LOSS_DRAWS


def test_ritz_like_right_hand_sides_hold_equal_energy_per_part_of_the_spectrum() -> None:
    problem = VoxelPoisson.from_cells(np.zeros((32, 32), np.uint8), outside="dirichlet")
    draws = dcdm_jobs.ritz_like(problem, 7, 200)
    np.testing.assert_allclose([np.linalg.norm(r) for r in draws], 1.0, rtol=1e-5)
    line = 2 - 2 * np.cos(np.pi * np.arange(1, 33) / 33)
    values = line[:, None] + line
    energy = np.mean([scipy.fft.dstn(r, type=1, norm="ortho") ** 2 for r in draws], axis=0)
    low = [energy[(values >= a) & (values < a + 1)].sum() for a in range(4)]
    assert energy[values < 4].sum() == pytest.approx(81 / 82, abs=0.01)  # nine times the amplitude
    assert max(low) < 1.6 * min(low)  # though there are far more eigenvalues near 4 than near 0
    again = dcdm_jobs.ritz_like(problem, 7)[0]
    other = dcdm_jobs.ritz_like(problem, 8)[0]
    assert abs(np.vdot(again, other)) < 0.5 < abs(np.vdot(again, again))


def test_every_network_is_measured_where_its_limits_are() -> None:
    plan = dcdm.Plan()
    jobs = dcdm.plan_jobs(plan, NETWORKS)
    assert len({job["key"] for job in jobs}) == len(jobs)
    assert {job["group"] for job in jobs} == set(dcdm.GROUPS)
    for name, about in NETWORKS.items():
        for case in ("box", "spheres"):
            at = [
                job
                for job in jobs
                if f"dcdm:{name}" in job.get("solvers", ())
                and (job["dimension"], job["size"], job["case"]) == (about["dimension"], about["size"], case)
            ]
            assert sorted({job["seed"] for job in at}) == [100, 101, 102]
            assert all(job["kinds"] == ["white", "ritz", "smooth"] for job in at)
            assert all("cg" in job["solvers"] for job in at)
    stretched = [job for job in jobs if job["group"] == "anisotropic"]
    assert all(job["spacing"][-1] == 10.0 and set(job["spacing"][:-1]) == {1.0} for job in stretched)  # 1 / h^2


def test_a_network_is_measured_like_the_others() -> None:
    job = {"case": "box", "size": 32, "seed": 0, "dimension": 2, "kinds": ["white"], "limit": ENDLESS}
    solvers = dcdm_jobs.compare(job | {"solvers": ["cg", "dcdm:box2d_cpu", "published:box2d_cpu"]})["solvers"]
    plain, guarded, published = (each["kinds"]["white"] for each in solvers.values())
    assert all(run["status"] == "converged" and run["residual"] <= 1e-6 for run in (plain, guarded, published))
    assert guarded["done"] < published["done"] < plain["done"] / 4


def test_a_network_that_is_of_no_use_costs_conjugate_gradients_no_iterations(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from sciml.dcdm import DirectionNet

    shape = {"dimension": 2, "filters": 2, "pairs": [1, 1, 1]}
    weights = DirectionNet(**shape).state_dict()
    path = tmp_path / "zero.safetensors"
    save_file({f"network.{name}": torch.zeros_like(tensor) for name, tensor in weights.items()}, path)
    about = {"config": {"task": {"class_path": "sciml.dcdm.DirectionTask", "init_args": shape}}}
    about["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".yaml").write_text(json.dumps(about))
    job = {"case": "spheres", "size": 16, "seed": 0, "dimension": 2, "kinds": ["white"], "limit": ENDLESS}
    solvers = dcdm_jobs.compare(job | {"solvers": ["cg", f"dcdm:{path}"]})["solvers"]
    plain, guarded = (each["kinds"]["white"] for each in solvers.values())
    # All its directions are zero: the residual itself is the direction, until the network is dropped.
    assert guarded["status"] == "fallback" and guarded["residual"] <= 1e-6
    assert abs(guarded["done"] - plain["done"]) <= 3


def test_other_weights_are_measured_again(tmp_path: Path) -> None:
    for name in ("linalg/solver.py", "dcdm/weights/net.safetensors", *BENCHMARK.measured_code[2:]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    before = code_digest(tmp_path, BENCHMARK.measured_code)
    (tmp_path / "dcdm" / "weights" / "notes.txt").write_text("no weights")
    assert code_digest(tmp_path, BENCHMARK.measured_code) == before
    (tmp_path / "dcdm" / "weights" / "net.safetensors").write_text("2")
    assert code_digest(tmp_path, BENCHMARK.measured_code) != before


def test_wrong_groups_and_peers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the group of .* is 'speed', expected one of"):
        run_benchmark(BENCHMARK, tmp_path / "new", TINY, only=("speed",))
    with pytest.raises(InputError, match="no optional peers, got hypre"):
        run_benchmark(BENCHMARK, tmp_path / "new", TINY, peers=("hypre",))
    assert not (tmp_path / "new").exists()


# ------------------------------------------------------------------------------------------ tables from made-up numbers


def entry(loose: int | None, tight: int | None, setup: float = 0.0, solve: float = 1.0, status: str = "converged"):
    run = {
        "iterations": {"0.0001": loose, "1e-06": tight},
        "seconds": {"0.0001": loose and solve / 2, "1e-06": tight and solve},
        "status": status,
        "residual": 1e-7,
        "done": tight or 77,
    }
    return setup, dict.fromkeys(("white", "ritz", "smooth"), run)


def compared(group: str, size: int, case: str = "box", seed: int = 100, dimension: int = 2, **solvers):
    named = {name.replace("net", "dcdm:net"): pair for name, pair in solvers.items()}
    return {
        "group": group, "case": case, "size": size, "seed": seed, "dimension": dimension, "finished": "2030-01-02T",
        "solvers": {n: {"title": n, "setup_seconds": setup, "kinds": k} for n, (setup, k) in named.items()},
    }  # fmt: skip


def results(*jobs, quick: bool = False):
    plan = {"plane": [64, 128], "cube": [32, 64], "large": 0, "multigrid": [64], "seeds": [100, 102], "limit": 30}
    return {
        "name": "dcdm",
        "environment": {"processor": "abacus", "cores": 2, "python": "3.11", "packages": {}},
        "plan": {**plan, "large_limit": 90, "quick": quick},
        "networks": {"net": {"dimension": 2, "size": 64}},
        "rtol": list(RTOLS),
        "jobs": {str(number): job for number, job in enumerate(jobs)},
    }


def row(raw: dict, title: str):
    (found,) = [check for check in checks(raw) if title in check.title]
    return found


def test_the_limits_are_ratios_of_the_same_seed() -> None:
    jobs = [compared("plane", 64, seed=s, cg=entry(n, 200), net=entry(10, 15)) for s, n in ((0, 90), (1, 70), (2, 110))]
    raw = results(*jobs, compared("plane", 128, seed=0, net=entry(14, 20)), compared("plane", 128, seed=1))
    check = row(raw, "training domain, white")
    assert check.parts[0].values == [9, 7, 11] and check.verdict == "yes"
    assert check.measured.startswith("9.0x (7.0x to 11.0x) / 9.0x")
    assert row(raw, "growth").parts[0].values == [1.4]
    assert row(raw, "growth").verdict == "–"  # the unseen domain was not measured
    assert row(raw, "jumps").measured == "not measured"


def test_a_network_that_does_not_converge_meets_nothing_and_grows_without_bounds() -> None:
    raw = results(
        compared("plane", 64, cg=entry(100, 200), net=entry(None, None)),
        compared("plane", 64, "spheres", cg=entry(100, 200), net=entry(20, 30)),
        compared("plane", 128, "spheres", net=entry(None, None)),
    )
    assert row(raw, "training domain").measured == "not reached / not reached / not reached"
    assert row(raw, "training domain").verdict == "**no**"
    assert row(raw, "unseen domain, white").verdict == "yes"
    assert row(raw, "growth").parts[1].values == [math.inf]


def test_learned_multigrid_is_held_against_its_worst_family() -> None:
    def both(case: str, classical: int, learned: int):
        return compared("multigrid", 64, case, dimension=3, multigrid=entry(3, classical), learned=entry(3, learned))

    raw = results(both("jumps", 10, 7), both("walls", 5, 5), both("mixed", 5, 6), both("box", 5, 4))
    assert row(raw, "jumps").measured == "0.70" and row(raw, "jumps").verdict == "yes, the goal too"
    assert row(raw, "worst of the other").measured == "1.20" and row(raw, "worst").verdict == "**no**"


def test_cells_say_what_was_stopped_what_fell_back_and_who_won() -> None:
    raw = results(
        compared(
            "plane",
            64,
            multigrid=entry(3, 4, 0.25, 0.75),
            cg=entry(90, 120, 0.0, 0.5),
            net=entry(80, 110, 0.1, 9.9, "fallback"),
            slow=entry(50, None, status="time"),
        )
    )
    text = BENCHMARK.report(raw)
    assert "| 3 / 4 (0.25 + 0.75) |" in text and "| 80 / 110† (0.1 + 9.9) |" in text and "| 50 / –‡ (77) |" in text
    assert losses(raw) == [
        "At 64², cg is faster than our multigrid on box (2.0x).",
        "At 64², dcdm:net takes longer than our multigrid on box (10x).",
    ]


def test_an_absent_solver_is_left_out_and_said_to_be(monkeypatch) -> None:
    monkeypatch.setitem(CONTENDERS, "absent", Contender("absent", CONTENDERS["cg"].setup, "no_such_package_anywhere"))
    job = {"case": "box", "size": 12, "seed": 0, "dimension": 2, "kinds": ["white"], "limit": ENDLESS}
    result = dcdm_jobs.compare(job | {"solvers": ["cg", "absent"]})
    assert result["not_installed"] == ["absent"] and result["solvers"].keys() == {"cg"}
    raw = results(compared("plane", 64, cg=entry(9, 9)) | {"not_installed": ["absent"]})
    assert "Not installed here: absent." in BENCHMARK.report(raw)


def test_the_loss_of_a_network_is_what_its_training_ended_with():
    job = {"weights": "box2d_cpu", "case": "box", "size": 64, "seed": 100, "dimension": 2}
    found = dcdm_jobs.network(job)
    assert found["parameters"] == 32_657
    assert 1e-4 < found["loss"] < 0.02
