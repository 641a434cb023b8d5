"""Former names of classes and of their arguments, so that old configs, run folders and weights cards still load.

A class or module that moves or is renamed gets a row in :data:`PATHS`, an argument of a class that a config can name
gets one in :data:`ARGUMENTS`. Rows are kept in alphabetical order, one per line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Former dotted path of a class or of a module -> its path today. A row for a module holds for all that is in it.
PATHS: dict[str, str] = {
    "sciml.data.formats.dataset.DataField": "sciml.data.formats.DataField",
    "sciml.dcdm.solver.DeepConjugateDirections": "sciml.dcdm.DeepConjugateDirections",
    "sciml.insr.Adam": "sciml.insr.AdamFit",
    "sciml.insr.Burgers": "sciml.insr.PeriodicBurgers",
    "sciml.insr.CellPoints": "sciml.domains.CellPoints",
    "sciml.insr.GaussPoints": "sciml.domains.GaussPoints",
    "sciml.insr.LeastSquares": "sciml.insr.LeastSquaresFit",
    "sciml.insr.Output": "sciml.training.output.Output",
    "sciml.insr.Points": "sciml.insr.FitPoints",
    "sciml.insr.State": "sciml.insr.TimeStepState",
    "sciml.insr.contact": "sciml.insr.problems.contact",
    "sciml.insr.elastic_steps": "sciml.insr.integrators.elastic",
    "sciml.insr.elasticity": "sciml.insr.problems.elasticity",
    "sciml.insr.energies": "sciml.insr.problems.energies",
    "sciml.insr.fitting.Adam": "sciml.insr.fitting.AdamFit",
    "sciml.insr.fitting.LeastSquares": "sciml.insr.fitting.LeastSquaresFit",
    "sciml.insr.fitting.Points": "sciml.insr.fitting.FitPoints",
    "sciml.insr.fluids": "sciml.insr.problems.stream_function",
    "sciml.insr.output.Errors": "sciml.training.point_errors.PointErrors",
    "sciml.insr.output.Output": "sciml.training.output.Output",
    "sciml.insr.scalar_problems": "sciml.insr.problems.scalar",
    "sciml.insr.scalar_problems.Burgers": "sciml.insr.problems.scalar.PeriodicBurgers",
    "sciml.insr.semi_lagrangian": "sciml.insr.integrators.semi_lagrangian",
    "sciml.insr.solver.State": "sciml.insr.solver.TimeStepState",
    "sciml.insr.splitting": "sciml.insr.problems.velocity_pressure",
    "sciml.insr.splitting.ChorinSplitting": "sciml.insr.integrators.splitting.ChorinSplitting",
    "sciml.insr.transport": "sciml.insr.problems.transport",
    "sciml.insr.transport.Velocity": "sciml.insr.integrators.paths.Velocity",
    "sciml.linalg.n_width": "sciml.lpinn.diagnostics.n_width",
    "sciml.lpinn.Burgers": "sciml.lpinn.ViscousBurgers",
    "sciml.lpinn.Difference": "sciml.domains.Difference",
    "sciml.lpinn.Disc": "sciml.domains.Disc",
    "sciml.lpinn.Field": "sciml.lpinn.SpaceTimeField",
    "sciml.lpinn.Gradient": "sciml.lpinn.GradientRounds",
    "sciml.lpinn.LeastSquares": "sciml.lpinn.LeastSquaresRounds",
    "sciml.lpinn.Output": "sciml.lpinn.SpaceTimeOutput",
    "sciml.lpinn.Points": "sciml.lpinn.CollocationPoints",
    "sciml.lpinn.Polygon": "sciml.domains.Polygon",
    "sciml.lpinn.Region": "sciml.domains.Region",
    "sciml.lpinn.State": "sciml.lpinn.SpaceTimeState",
    "sciml.lpinn.baselines.contract.Purse": "sciml.lpinn.baselines.contract.BudgetTracker",
    "sciml.lpinn.baselines.fourier": "sciml.lpinn.baselines.causal_fourier",
    "sciml.lpinn.baselines.parts": "sciml.lpinn.baselines.subdomains",
    "sciml.lpinn.baselines.parts.Parts": "sciml.lpinn.baselines.subdomains.Subdomains",
    "sciml.lpinn.baselines.parts.Pieces": "sciml.lpinn.baselines.subdomains.SubdomainPinns",
    "sciml.lpinn.baselines.pinn": "sciml.lpinn.baselines.standard",
    "sciml.lpinn.baselines.waves": "sciml.lpinn.baselines.random_fourier",
    "sciml.lpinn.baselines.waves.WaveNetwork": "sciml.lpinn.baselines.random_fourier.RandomFourierNetwork",
    "sciml.lpinn.cases": "sciml.lpinn.problems.cases",
    "sciml.lpinn.cases.Burgers": "sciml.lpinn.problems.ViscousBurgers",
    "sciml.lpinn.deepxde_backend": "sciml.deepxde_backend",
    "sciml.lpinn.deepxde_problem": "sciml.lpinn.problems.deepxde_data",
    "sciml.lpinn.fitting.Gradient": "sciml.lpinn.fitting.GradientRounds",
    "sciml.lpinn.fitting.LeastSquares": "sciml.lpinn.fitting.LeastSquaresRounds",
    "sciml.lpinn.frames.Motion": "sciml.lpinn.frames.LabelMotion",
    "sciml.lpinn.intervals": "sciml.lpinn.problems.intervals",
    "sciml.lpinn.least_action": "sciml.lpinn.readout.least_action",
    "sciml.lpinn.output.LabelErrors": "sciml.lpinn.readout.error_norms.LabelErrors",
    "sciml.lpinn.output.Output": "sciml.lpinn.output.SpaceTimeOutput",
    "sciml.lpinn.published_task": "sciml.lpinn.published.task",
    "sciml.lpinn.readout.Field": "sciml.lpinn.readout.SpaceTimeField",
    "sciml.lpinn.regions": "sciml.domains.regions",
    "sciml.lpinn.rezoning": "sciml.lpinn.frames.circle_map",
    "sciml.lpinn.solver.Points": "sciml.lpinn.solver.CollocationPoints",
    "sciml.lpinn.solver.State": "sciml.lpinn.solver.SpaceTimeState",
    "sciml.lpinn.through_flow": "sciml.lpinn.problems.through_flow",
    "sciml.nets.HeldAtEnds": "sciml.nets.DirichletEnds",
    "sciml.nets.MirroredNetwork": "sciml.nets.OddReflectionNetwork",
    "sciml.nets.held": "sciml.nets.dirichlet_ends",
    "sciml.nets.held.HeldAtEnds": "sciml.nets.dirichlet_ends.DirichletEnds",
    "sciml.nets.mirrored": "sciml.nets.odd_reflection",
    "sciml.nets.mirrored.MirroredNetwork": "sciml.nets.odd_reflection.OddReflectionNetwork",
    "sciml.pde": "sciml.reference",
    "sciml.pde.mesh_sampling": "sciml.domains.mesh_domain",
    "sciml.pde.places": "sciml.domains.output_points",
    "sciml.pde.quadrature": "sciml.domains.quadrature",
    "sciml.pde.sampling": "sciml.domains.box",
    "sciml.pde.strata": "sciml.domains.strata",
    "sciml.reference.conservation": "sciml.reference.conservation_laws_entropy",
    "sciml.reference.euler_box": "sciml.reference.incompressible_spectral",
    "sciml.reference.flow_maps": "sciml.reference.advection_flow_maps",
    "sciml.reference.flows": "sciml.reference.incompressible_plane_flows",
    "sciml.reference.hyperelastic": "sciml.reference.hyperelasticity_materials",
    "sciml.reference.hyperelastic_fem": "sciml.reference.hyperelasticity_finite_elements",
    "sciml.reference.semi_lagrangian": "sciml.reference.advection_semi_lagrangian",
    "sciml.reference.stable_fluids": "sciml.reference.incompressible_stable_fluids",
    "sciml.reference.trigonometric": "sciml.reference.trigonometric_series",
    "sciml.training.config_errors": "sciml.config_errors",
}

# Package and name of a class today -> former names of its arguments -> their names today. A row holds in whatever
# module of the package a config finds the class.
ARGUMENTS: dict[str, dict[str, str]] = {
    "sciml.insr.IncompressibleFlow": {"start": "initial"},
    "sciml.insr.StreamFunctionFlow": {"start": "initial"},
    "sciml.lpinn.BoundaryLayer": {"beats": "frequency"},
    "sciml.lpinn.Channel": {"beats": "frequency"},
    "sciml.lpinn.Convection": {"waves": "wave_number"},
    "sciml.lpinn.Curriculum": {"waves": "modes"},
    "sciml.lpinn.DeepXdePinn": {"waves": "modes"},
    "sciml.lpinn.Features": {"waves": "modes", "beats": "frequencies"},
    "sciml.lpinn.FourierCausal": {"waves": "modes"},
    "sciml.lpinn.Rezoned": {"waves": "modes"},
    "sciml.lpinn.SequenceToSequence": {"waves": "modes"},
    "sciml.lpinn.Solution": {"numbers": "parameters"},
    "sciml.lpinn.Xpinn": {"waves": "modes"},
    "sciml.nets.FourierNetwork": {"waves": "modes"},
    "sciml.nets.OddReflectionNetwork": {"waves": "modes"},
    "sciml.reference.ConservationLaw": {"start": "initial"},
}


def current_path(path: str) -> str:
    """Return the dotted path that a class has today; a path without a row is returned unchanged.

    Parameters
    ----------
    path : of a class, such as ``sciml.pde.sampling.Box``
    """
    for _ in range(len(PATHS)):  # a name may have changed several times
        former = path
        while former and former not in PATHS:
            former = former.rpartition(".")[0]
        if not former:
            break
        path = PATHS[former] + path[len(former) :]
    return path


def current_values(values: Any) -> Any:
    """Return a copy of the plain values of a config in which every class and argument has the name of today.

    Parameters
    ----------
    values : as they were read, nested mappings and lists
    """
    if isinstance(values, list | tuple):
        return [current_values(item) for item in values]
    if isinstance(values, Mapping):
        return _current_section({key: current_values(item) for key, item in values.items()})
    return current_path(values) if isinstance(values, str) and values.startswith("sciml.") else values


def _current_section(section: dict[str, Any]) -> dict[str, Any]:
    """Rename the arguments of a section that has ``class_path`` and ``init_args``."""
    path, arguments = section.get("class_path"), section.get("init_args")
    if not isinstance(path, str) or not isinstance(arguments, Mapping):
        return section
    names = ARGUMENTS.get(in_its_package(path), {})
    return {**section, "init_args": {names.get(name, name): value for name, value in arguments.items()}}


def in_its_package(path: str) -> str:
    """Return ``sciml.PACKAGE.CLASS`` for the path of a class in any module of the package."""
    parts = path.split(".")
    return ".".join([*parts[:2], parts[-1]])
