"""Rising smoke from one frame: an ensemble of whole simulations in four calls of a network, beside the solver's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sciml.bench.chapters import Chapter, Picture, Progress, Story, Table, demo_command, one_thread
from sciml.commands import command_line

if TYPE_CHECKING:
    import numpy as np

    from sciml.text2pde import FirstFrameTask

NETWORK = "text2pde/smoke_ff_cpu"
SEED = 4  # of the first smoke; those of the training have seed 0
FRAMES, QUICK_FRAMES = 6, 2  # of which simulations are made
MEMBERS, CALLS = 8, (1, 2, 4, 8)
KNOWN, UNKNOWN = "network, buoyancy given", "network, buoyancy not given"
SOLVED, STILL = "solver, 8 buoyancies at random", "the first frame at all times"
COLUMNS = ("simulations", "energy score", "spread over skill", "coverage", "CPU time of one [ms]")


@dataclass(frozen=True)
class Ensemble:
    """Members for all first frames, ``(m, frames, channels, time, x, y)``, and the CPU milliseconds of one."""

    members: np.ndarray
    milliseconds: float


class SmokeChapter(Chapter):
    """Whole simulations of smoke from their first frame, as ensembles."""

    title = "Whole simulations from one frame"
    about = (
        "Smoke rises in a closed box. From its first frame, a diffusion transformer draws whole simulations, several "
        "at once and without steps in time (after Zhou et al., ICLR 2025). Beside it the solver that made the data: "
        "with the buoyancy it has the answer itself, and without it an ensemble, too, one run for each buoyancy."
    )
    minutes = 0.2
    position = 7

    @one_thread()
    def run(self, folder: Path, progress: Progress) -> Story:
        """Draw ensembles with the buoyancy and without, and those of the solver, for a few first frames."""
        from sciml import weights
        from sciml.training import load_task

        count = QUICK_FRAMES if self.settings.quick else FRAMES
        progress.say(f"Simulations of {count} starts by the solver ...")
        task = load_task(weights.find(NETWORK))
        truth, buoyancy = _simulated(task, count)
        progress.say("The ensemble for the first of them, as 'sciml predict' draws it ...")
        first = _write_first(folder / "first.xdmf", truth[0], float(buoyancy[0]))
        task.predict_file(first, folder / "smoke.xdmf", members=MEMBERS)
        progress.say("Ensembles for all of them, with the buoyancy and without, and those of the solver ...")
        found = {KNOWN: _drawn(task, truth, buoyancy), UNKNOWN: _drawn(task, truth, None),
                 SOLVED: _solved(task, truth)}  # fmt: skip
        scores = {name: _scores(task, each.members, truth) for name, each in found.items()}
        still = truth[None, :, :, :1].repeat(MEMBERS, 0).repeat(truth.shape[2], 3)
        scores[STILL] = {"energy_score": _scores(task, still, truth)["energy_score"]}
        progress.say("Drawing the pictures ...")
        return _story(folder, found, scores, _draw(folder, task, found, scores, truth, buoyancy))


CHAPTER = SmokeChapter


def _simulated(task: FirstFrameTask, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return simulations ``(count, channels, time, x, y)`` of new starts, and their buoyancies."""
    import numpy as np

    from sciml.data.smoke import Smoke

    generator = Smoke(cells=task.place.grid.shape[0], steps=task.trajectory_steps)
    samples = [generator.sample(np.random.default_rng((SEED, number))) for number in range(count)]
    fields = np.stack([np.stack([each[name] for name in task.fields]) for each, _ in samples])
    return fields, np.array([parameters["buoyancy"] for _, parameters in samples])


def _write_first(path: Path, truth: np.ndarray, buoyancy: float) -> Path:
    """Write the first frame of a simulation with its buoyancy, as a file of one's own would be."""
    import numpy as np

    from sciml.mesh import Grid, write_fields
    from sciml.reference.incompressible_smoke import FIELDS, SIDE

    fields = dict(zip(FIELDS, truth[:, 0], strict=True))
    grid = Grid(truth.shape[2:], (0.0, 0.0), (SIDE, SIDE), centring="cell")
    write_fields(path, grid, {**fields, "buoyancy": np.full(grid.shape, buoyancy)})
    return path


def _drawn(task: FirstFrameTask, truth: np.ndarray, buoyancy: np.ndarray | None, calls: int | None = None) -> Ensemble:
    """Return members for the first frames of simulations, with their buoyancies or without."""
    import torch

    from sciml.bench.measure import cpu_timed
    from sciml.numerics.random import generator
    from sciml.text2pde.evaluating import ensemble

    frames = torch.from_numpy(truth[:, :, 0]).float()
    parameters = None if buoyancy is None else torch.from_numpy(buoyancy).float()[:, None]
    members, seconds = cpu_timed(lambda: ensemble(task, frames, parameters, generator(SEED), calls))
    return Ensemble(members, 1e3 * seconds / (len(members) * len(truth)))


def _solved(task: FirstFrameTask, truth: np.ndarray) -> Ensemble:
    """Return what the solver makes of first frames with buoyancies at random from the range of the training."""
    import numpy as np

    from sciml.bench.measure import cpu_timed
    from sciml.reference.incompressible_smoke import RisingSmoke

    problem, draws = RisingSmoke(truth.shape[-1]), np.random.default_rng(SEED)
    (low, high), steps = task.place.ranges[:, 0].tolist(), truth.shape[2]
    starts = [problem.restart(dict(zip(task.fields, each[:, 0], strict=True))) for each in truth]

    def member(buoyancy: float) -> np.ndarray:
        runs = [problem.frames(start, buoyancy, steps) for start in starts]
        return np.stack([np.stack([run[name] for name in task.fields]) for run in runs])

    buoyancies = draws.uniform(low, high, MEMBERS)
    members, seconds = cpu_timed(lambda: np.stack([member(each) for each in buoyancies]))
    return Ensemble(members, 1e3 * seconds / (MEMBERS * len(truth)))


def _scores(task: FirstFrameTask, members: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    from sciml.text2pde.scores import EnsembleScores

    scores = EnsembleScores(task.deviations)
    scores.add(members, truth, range(len(truth)))
    return scores.means()


def _draw(
    folder: Path,
    task: FirstFrameTask,
    found: Mapping[str, Ensemble],
    scores: Mapping[str, Mapping[str, float]],
    truth: np.ndarray,
    buoyancy: np.ndarray,
) -> list[Picture]:
    from sciml import plots
    from sciml.mesh import Field
    from sciml.metrics import rank_histogram

    times, place = task.place.times.numpy(), task.place.grid
    smoke = partial(Field, "smoke", on=place, times=times)
    for file, name in (("given", KNOWN), ("not_given", UNKNOWN)):
        fields = [smoke(values=each[0, -1]) for each in found[name].members]
        plots.ensemble_picture(fields, folder / f"{file}.png", truth=smoke(values=truth[0, -1]), shown=2)
    curve = {calls: _scores(task, _drawn(task, truth, buoyancy, calls).members, truth)["energy_score"]
             for calls in CALLS}  # fmt: skip
    levels = {name: scores[name]["energy_score"] for name in (SOLVED, STILL)}
    plots.score_against_calls({KNOWN: curve}, folder / "calls.png", levels=levels)
    ranks = {short: rank_histogram(found[name].members[:, :, -1, 1:], truth[:, -1, 1:])
             for short, name in (("given", KNOWN), ("not given", UNKNOWN))}  # fmt: skip
    plots.calibration_picture(ranks, folder / "calibration.png")
    return [
        Picture(folder / "given.png", "Seven rows of smoke at five times: truth, mean, error, spread and two members.",
                "The solver's smoke, the mean of eight members that know the buoyancy, its error beside their spread, "
                "and two of them."),
        Picture(folder / "not_given.png", "The same rows, of members that do not know the buoyancy.",
                "The same without the buoyancy. It changes little: what the network lacks are the small scales of the "
                "first frame, which its latents do not keep."),
        Picture(folder / "calls.png", "A falling curve of the energy score over the calls, and two level lines.",
                "The energy score against the calls of the network for each member."),
        Picture(folder / "calibration.png", "Two rank histograms and their coverage beside the diagonal.",
                "How often the true smoke has each rank among the members: flat if the ensemble is honest."),
    ]  # fmt: skip


def _story(
    folder: Path,
    found: Mapping[str, Ensemble],
    scores: Mapping[str, Mapping[str, float]],
    pictures: Sequence[Picture],
) -> Story:
    known, unknown, solved, still = (scores[name] for name in (KNOWN, UNKNOWN, SOLVED, STILL))
    rows = [(name, f"{each['energy_score']:.2f}",
             *(f"{each[key]:.2f}" if name != STILL else "–" for key in ("spread_skill", "coverage")),
             f"{found[name].milliseconds:.0f}" if name in found else "–")
            for name, each in scores.items()]  # fmt: skip
    cost = found[KNOWN].milliseconds / found[SOLVED].milliseconds
    return Story(
        summary=(
            f"From one frame and the buoyancy, eight simulations of smoke have an energy score of "
            f"{known['energy_score']:.2f}, and without the buoyancy of {unknown['energy_score']:.2f}, where eight runs "
            f"of the solver have {solved['energy_score']:.2f} and the first frame itself {still['energy_score']:.2f}; a"
            f" member takes {cost:.2f} of the time of a run of the solver."
        ),
        text=(
            ("Who has the solver should use it: with first frame and buoyancy it is exact, and over buoyancies at "
             "random it is an honest ensemble. A network is for simulations whose solver is slow, or not at hand."),
            ("Members show the patches of the latent grid, 16 x 16 cells and four frames each, and are smooth within "
             "them: that is the price of 96 times fewer numbers."),
            ("A few first frames show how it works, not which method is better: sciml bench text2pde takes more of "
             "them, analogs, a linear-Gaussian law, a regression and networks that step in time."),
        ),
        tables=[Table(COLUMNS, rows, "An honest ensemble of eight has a spread over skill of 1 and a coverage of 0.78; "
                                     "a few starts tell them roughly.")],
        pictures=pictures,
        commands={
            command_line("predict", NETWORK, folder / "first.xdmf", "-o", folder / "mine.xdmf", "-n", str(MEMBERS)):
                "the same ensemble from a file with a first frame, as you would for your own",
            demo_command(folder): "repeats this chapter",
            "sciml train text2pde/smoke_ae_cpu": "trains the autoencoder, then text2pde/smoke_ff_cpu the network",
            "sciml bench text2pde --quick": "measures generator, autoencoders, ensembles and equations",
        },
        files={folder / "smoke.xdmf": "members, mean and spread, for ParaView",
               folder / "smoke.gif": "the first member in time"},
        metrics={
            "energy_score": known["energy_score"], "unknown_energy_score": unknown["energy_score"],
            "solver_energy_score": solved["energy_score"], "persistence_energy_score": still["energy_score"],
            "spread_skill": known["spread_skill"], "coverage": known["coverage"], "cost": cost,
        },
    )  # fmt: skip
