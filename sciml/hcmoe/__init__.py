"""Hard constraints by a mixture of experts: on each subdomain, the combination of a basis that satisfies the equation.

After Chalapathi, Du and Krishnapriyan, *Scaling physics-informed hard constraints with mixture-of-experts*, ICLR 2024
(arXiv 2402.13412). There, a network proposes a basis of fields, and on each subdomain an expert finds the combination
of them with the least residual. As published, experts do not know of one another, and their solution jumps at faces.

Here experts are coupled: on elements of an interval, polynomials share values and slopes at faces, so that the solution
is smooth, and initial values and boundary conditions hold exactly, by construction. What is left is a least-squares
problem for the residual in each time slab, solved by QR at a cost linear in the number of experts, without training.

>>> import torch
>>> from sciml.hcmoe import Burgers, CoupledExperts, Elements, Slabs
>>> problem = Burgers(viscosity=0.1)
>>> experts = CoupledExperts(problem, Elements(8, degree=10), Slabs(5, degree=6))
>>> for state, report in experts.run(): pass
>>> x = torch.linspace(-1, 1, 101, dtype=torch.float64)
>>> error = experts.values(state, x, 1.0)[0] - problem.exact(x[:, None], 1.0)[:, 0]
>>> bool(error.abs().max() < 1e-6)
True

Any other basis, the fields of a network among them, is that of a layer, :class:`~sciml.hcmoe.layer.ExpertConstraint`,
whose combination is a differentiable function of the basis and of the equation's coefficients.

:class:`~sciml.hcmoe.operator_task.ConstrainedOperator` trains networks whose outputs are such a basis by the equation
alone, on the instances of a family: :class:`~sciml.hcmoe.families.sorption.SorptionFamily`, diffusion with sorption, or
:class:`~sciml.hcmoe.families.vorticity.VorticityFamily`, incompressible flows in a periodic square
(:class:`~sciml.hcmoe.periodic.PeriodicConstraint`). :class:`~sciml.hcmoe.plane.PlaneExperts` solves Darcy flow on
rectangles, :func:`~sciml.hcmoe.inverse.identify` finds coefficients from noisy readings, and
:class:`~sciml.hcmoe.projection.Projection` makes start, ends and mass exact on given fields.

A new equation is a class in :mod:`sciml.hcmoe.problems`; ``sciml solve hcmoe/burgers_cpu`` writes fields and
pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from sciml.hcmoe.bases import ChebyshevBasis, GridBasis, NetworkBasis, proper_orthogonal_modes
    from sciml.hcmoe.constraint_settings import ConstraintSettings
    from sciml.hcmoe.coupled import CoupledExperts, SlabReport, SlabState
    from sciml.hcmoe.darcy_task import DarcyExperts
    from sciml.hcmoe.elements import Elements, Slabs
    from sciml.hcmoe.families.base import Family
    from sciml.hcmoe.families.sorption import SorptionFamily
    from sciml.hcmoe.families.sorption_cases import SorptionCases
    from sciml.hcmoe.families.vorticity import VorticityFamily
    from sciml.hcmoe.families.vorticity_cases import VorticityCases
    from sciml.hcmoe.inverse import Identified, identify
    from sciml.hcmoe.inverse_task import InverseExperts
    from sciml.hcmoe.layer import ConstraintOutput, ExpertConstraint, HardConstraintLayer
    from sciml.hcmoe.local_bases import RandomFeatures
    from sciml.hcmoe.operator_task import ConstrainedOperator
    from sciml.hcmoe.periodic import PeriodicConstraint, PeriodicSettings
    from sciml.hcmoe.periodic_grid import PeriodicGrid
    from sciml.hcmoe.plane import Flow, PlaneExperts
    from sciml.hcmoe.problems import (
        Burgers,
        BurgersWaves,
        DarcyProblem,
        DiffusionSorption,
        EndCondition,
        GridDarcy,
        Heat,
        Points,
        Profile,
        RandomDarcy,
        Reference,
        SpaceTimeProblem,
        VariedSorption,
    )
    from sciml.hcmoe.projection import Projection
    from sciml.hcmoe.readings import Readings, ReadingsSource, ReadingsTable, SyntheticReadings
    from sciml.hcmoe.task import SpectralExperts
    from sciml.hcmoe.unknowns import Unknowns
    from sciml.numerics.batched_least_squares import BatchedSettings

_HOMES = {
    "BatchedSettings": "sciml.numerics.batched_least_squares",
    "Burgers": "sciml.hcmoe.problems",
    "BurgersWaves": "sciml.hcmoe.problems",
    "ChebyshevBasis": "sciml.hcmoe.bases",
    "ConstrainedOperator": "sciml.hcmoe.operator_task",
    "ConstraintOutput": "sciml.hcmoe.layer",
    "ConstraintSettings": "sciml.hcmoe.constraint_settings",
    "CoupledExperts": "sciml.hcmoe.coupled",
    "DarcyExperts": "sciml.hcmoe.darcy_task",
    "DarcyProblem": "sciml.hcmoe.problems",
    "DiffusionSorption": "sciml.hcmoe.problems",
    "Elements": "sciml.hcmoe.elements",
    "EndCondition": "sciml.hcmoe.problems",
    "ExpertConstraint": "sciml.hcmoe.layer",
    "Family": "sciml.hcmoe.families.base",
    "Flow": "sciml.hcmoe.plane",
    "GridBasis": "sciml.hcmoe.bases",
    "GridDarcy": "sciml.hcmoe.problems",
    "HardConstraintLayer": "sciml.hcmoe.layer",
    "Heat": "sciml.hcmoe.problems",
    "Identified": "sciml.hcmoe.inverse",
    "InverseExperts": "sciml.hcmoe.inverse_task",
    "NetworkBasis": "sciml.hcmoe.bases",
    "PeriodicConstraint": "sciml.hcmoe.periodic",
    "PeriodicGrid": "sciml.hcmoe.periodic_grid",
    "PeriodicSettings": "sciml.hcmoe.periodic",
    "PlaneExperts": "sciml.hcmoe.plane",
    "Points": "sciml.hcmoe.problems",
    "Profile": "sciml.hcmoe.problems",
    "Projection": "sciml.hcmoe.projection",
    "RandomDarcy": "sciml.hcmoe.problems",
    "RandomFeatures": "sciml.hcmoe.local_bases",
    "Readings": "sciml.hcmoe.readings",
    "ReadingsSource": "sciml.hcmoe.readings",
    "ReadingsTable": "sciml.hcmoe.readings",
    "Reference": "sciml.hcmoe.problems",
    "SlabReport": "sciml.hcmoe.coupled",
    "SlabState": "sciml.hcmoe.coupled",
    "Slabs": "sciml.hcmoe.elements",
    "SorptionCases": "sciml.hcmoe.families.sorption_cases",
    "SorptionFamily": "sciml.hcmoe.families.sorption",
    "SpaceTimeProblem": "sciml.hcmoe.problems",
    "SpectralExperts": "sciml.hcmoe.task",
    "SyntheticReadings": "sciml.hcmoe.readings",
    "Unknowns": "sciml.hcmoe.unknowns",
    "VariedSorption": "sciml.hcmoe.problems",
    "VorticityCases": "sciml.hcmoe.families.vorticity_cases",
    "VorticityFamily": "sciml.hcmoe.families.vorticity",
    "identify": "sciml.hcmoe.inverse",
    "proper_orthogonal_modes": "sciml.hcmoe.bases",
}
__all__ = [
    "BatchedSettings",
    "Burgers",
    "BurgersWaves",
    "ChebyshevBasis",
    "ConstrainedOperator",
    "ConstraintOutput",
    "ConstraintSettings",
    "CoupledExperts",
    "DarcyExperts",
    "DarcyProblem",
    "DiffusionSorption",
    "Elements",
    "EndCondition",
    "ExpertConstraint",
    "Family",
    "Flow",
    "GridBasis",
    "GridDarcy",
    "HardConstraintLayer",
    "Heat",
    "Identified",
    "InverseExperts",
    "NetworkBasis",
    "PeriodicConstraint",
    "PeriodicGrid",
    "PeriodicSettings",
    "PlaneExperts",
    "Points",
    "Profile",
    "Projection",
    "RandomDarcy",
    "RandomFeatures",
    "Readings",
    "ReadingsSource",
    "ReadingsTable",
    "Reference",
    "SlabReport",
    "SlabState",
    "Slabs",
    "SorptionCases",
    "SorptionFamily",
    "SpaceTimeProblem",
    "SpectralExperts",
    "SyntheticReadings",
    "Unknowns",
    "VariedSorption",
    "VorticityCases",
    "VorticityFamily",
    "identify",
    "proper_orthogonal_modes",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
