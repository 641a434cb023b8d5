"""Full-waveform inversion from a start, such as the map of a network: stages, bounds, priors, and what data cannot see.

:func:`refine` minimises the misfit of the records by L-BFGS, at first at low frequencies, in which a map that is half a
period off still finds its way, and at last in the full band.

>>> from sciml.gfi.refinement import Refinement, refine
>>> refined = refine(start, observed, Acquisition.openfwi(), Refinement(solves=80))  # doctest: +SKIP
>>> refined.map, refined.misfit, refined.unseen, refined.status  # doctest: +SKIP

The problem is :class:`ShotProblem`, the algorithm :class:`Refinement` with its :class:`Stage` and
:mod:`~sciml.gfi.refinement.priors`, the result :class:`Refined`.
"""

from __future__ import annotations

from sciml.lazy_exports import lazy_exports

_HOMES = {
    "FlatRegions": "sciml.gfi.refinement.priors",
    "GaussianField": "sciml.gfi.refinement.priors",
    "Prior": "sciml.gfi.refinement.priors",
    "Pull": "sciml.gfi.refinement.priors",
    "Refined": "sciml.gfi.refinement.refined",
    "Refinement": "sciml.gfi.refinement.settings",
    "RisingWithDepth": "sciml.gfi.refinement.priors",
    "Rows": "sciml.gfi.refinement.priors",
    "ShotProblem": "sciml.gfi.refinement.misfit",
    "SurveyRecords": "sciml.gfi.refinement.survey",
    "Stage": "sciml.gfi.refinement.settings",
    "Survey": "sciml.gfi.refinement.survey",
    "TotalVariation": "sciml.gfi.refinement.priors",
    "refine": "sciml.gfi.refinement.refined",
}
__all__ = [
    "FlatRegions",
    "GaussianField",
    "Prior",
    "Pull",
    "Refined",
    "Refinement",
    "RisingWithDepth",
    "Rows",
    "ShotProblem",
    "SurveyRecords",
    "Stage",
    "Survey",
    "TotalVariation",
    "refine",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
