"""The example of the package runs, and problems, time steppers and reports print themselves."""

from __future__ import annotations

import doctest

import sciml.insr
from sciml.insr import Advection, FitPoints, Pade22, StepReport, TaylorGreen, TimeStepper
from sciml.nets.coordinate import FourierNetwork
from sciml.numerics.random import seeded


def test_the_example_of_the_package_runs():
    with seeded(0):
        assert doctest.testmod(sciml.insr).failed == 0


def test_a_problem_prints_its_domain_its_fields_and_its_parameters():
    lines = repr(Advection(velocity=(0.25,), width=0.1)).splitlines()
    assert lines[0] == "Advection"
    rows = {line[: line.index("   ", 2)].strip(): line.split("   ")[-1].strip() for line in lines[1:]}
    assert rows["domain"] == "Box([-2, 2], periodic=(True,))"
    assert (rows["fields"], rows["velocity"], rows["width"]) == ("u", "(0.25,)", "0.1")
    assert "viscosity" in repr(TaylorGreen(viscosity=0.01)) and "0.01" in repr(TaylorGreen(viscosity=0.01))


def test_a_time_stepper_prints_its_networks_and_settings():
    network = FourierNetwork(1, width=6, modes=4, box=[[-2], [2]]).double()
    stepper = TimeStepper(Advection(), {"u": network}, Pade22(), 0.05, points=FitPoints(200))
    count = sum(weight.numel() for weight in network.parameters())
    said = repr(stepper)
    assert said.startswith("TimeStepper\n  problem")
    for words in (f"u: FourierNetwork, {count} parameters", "Pade22", "0.05", "LeastSquaresFit", "count=200"):
        assert words in said


def test_a_report_is_one_line_and_in_a_notebook_a_table():
    report = StepReport(3, 0.15, 2.5e-7, 4, 0.1, {"mass": 0.25})
    assert str(report) == "step 3, t = 0.15: residual 2.50e-07 after 4 solves, mass 0.25"
    title, *rows = repr(report).splitlines()
    assert title == "Step 3"
    assert [row.split()[-1] for row in rows] == ["0.15", "2.50e-07", "4", "converged", "0.1", "0.25"]
