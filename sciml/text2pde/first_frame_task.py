"""The second stage: training of a denoiser that draws latents of whole trajectories for their first frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import lightning
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor

from sciml.checks import choice, number, whole_number
from sciml.data import FieldData
from sciml.data.normalise import Normaliser
from sciml.errors import ConfigError, InputError
from sciml.generative import ClassifierFree, Flow, Objective, Sampler, sample
from sciml.nets import DiffusionTransformer
from sciml.numerics.random import generator
from sciml.text2pde.autoencoders import Autoencoder
from sciml.text2pde.conditioner import FirstFrameConditioner
from sciml.text2pde.constraints import TrajectoryConstraints
from sciml.text2pde.evaluating import ensemble_scores
from sciml.text2pde.figures import draw_figures
from sciml.text2pde.latents import MOST_VALUES, LatentSpace, LatentStore
from sciml.text2pde.mean_regression import MeanRegression
from sciml.text2pde.mirror import Mirror
from sciml.text2pde.network_checks import check_networks
from sciml.text2pde.predicting import OTHER_PARAMETERS, Request, predict_trajectories
from sciml.text2pde.stages import take_autoencoder
from sciml.text2pde.stored_place import StoredPlace
from sciml.text2pde.trajectories import check_fields, field_data, grid_of, shape_of, training_batches, trajectories
from sciml.training.task import PredictionProgress, Task

Source = Literal["first_frame", "regression", "noise"]
DROPS, NOISE, POSTERIOR, MIRRORS = 1, 2, 3, 4  # streams of the training's draws
VALIDATION = 1  # counter of draws out of the training


class FirstFrameTask(Task):
    r"""Training of a denoiser and its conditioner on the latents of an autoencoder that was trained before.

    The checkpoint holds all three, so that the run of the autoencoder is needed at the begin of the training only.

    Parameters
    ----------
    autoencoder : as in the config of its run, from which the weights are taken
    network : the denoiser, on the grid of the latents
    conditioner : of first frames and parameters, whose tokens have the ``condition_width`` of the network
    objective : what the network is trained on, with its path
    sampler : of the trajectories
    fields : units by names of the channels, as in the run of the autoencoder
    parameters : names of the numbers that trajectories depend on, such as ``[buoyancy]``
    autoencoder_run : folder of the run of the autoencoder, one of its checkpoints, or name or file of published weights
    single_frames : whether the autoencoder takes the frames of a trajectory one by one
    source : where samples start: ``"first_frame"``, the latents of a trajectory that stays as it begins, with noise;
        ``"regression"``, a Gaussian law about a mean by regression
        (:class:`~sciml.text2pde.mean_regression.MeanRegression`), from which an untrained network draws, and whose mean
        stands beside the input, too, if the conditioner has twice the channels of a guess; or ``"noise"`` alone
    steps : calls of the network for a sample, unless others are asked for
    drop : probability that the condition of a trajectory is dropped in an update, for guidance, which takes the source
        ``"noise"``; and that its parameters alone are, for first frames whose parameters are not known
    latent_scale : constant factor of the latents, positive; by default they have unit deviation, as measured
    sample_latents : whether the latents of a variational autoencoder are drawn in the training, as published
    exact_first_frame : whether samples begin with the given frame itself
    mirror : symmetry by which half of the trajectories of an update are mirror images
    divergence_free : channels that are the components of a velocity without divergence, in the order of the axes

    References
    ----------
    Zhou et al., "Text2PDE: latent diffusion models for accessible physics simulation", ICLR 2025; Albergo, Boffi and
    Vanden-Eijnden, "Stochastic interpolants", 2023 (informed sources).
    """

    precisions: ClassVar[tuple[str, ...]] = ("32-true", "64-true")
    members: ClassVar[int] = 8
    """Members of the ensembles that :meth:`evaluate` draws."""

    def __init__(  # noqa: PLR0913 - every parameter is a line of the config
        self,
        autoencoder: Autoencoder,
        network: DiffusionTransformer,
        conditioner: FirstFrameConditioner,
        objective: Objective,
        sampler: Sampler,
        fields: dict[str, str],
        parameters: list[str],
        autoencoder_run: str,
        single_frames: bool = False,
        source: Source = "first_frame",
        steps: int = 4,
        drop: float = 0.1,
        latent_scale: float | None = None,
        sample_latents: bool = False,
        exact_first_frame: bool = False,
        divergence_free: list[str] | None = None,
        mirror: Mirror | None = None,
    ) -> None:
        super().__init__()
        self.space = LatentSpace(autoencoder, single_frames, latent_scale)
        self.network, self.conditioner, self.objective, self.sampler = network, conditioner, objective, sampler
        self.fields, self.names, self.autoencoder_run = dict(fields), list(parameters), autoencoder_run
        self.source = choice("the source", source, get_args(Source), error=ConfigError)
        self.steps = sampler.calls(steps)
        objective.check_sampler(sampler, steps)
        self.drop = number("drop", drop, at_least=0, below=1, error=ConfigError)
        self.sample_latents = sample_latents
        self.constraints = TrajectoryConstraints(list(self.fields), exact_first_frame, divergence_free or [])
        self.mirror = mirror
        check_networks(self)
        self.regression = None
        if source == "regression":
            self.regression = MeanRegression(network.channels, network.shape, len(self.names))
        self.place = StoredPlace(self.conditioner.shape, self.trajectory_steps, len(self.names))
        self.numbers = Normaliser(max(1, len(self.names)))
        self._store: LatentStore | None = None
        self._shown: Mapping[str, Any] | None = None

    @property
    def trajectory_steps(self) -> int:
        """The number of times of a trajectory."""
        return (self.network if self.space.single_frames else self.space.autoencoder).shape[0]

    @property
    def deviations(self) -> dict[str, float]:
        """The deviations of the fields in the training, by name."""
        return dict(zip(self.fields, self.space.autoencoder.normaliser.deviation.tolist(), strict=True))

    @property
    def has_guess(self) -> bool:
        """True if the latents of the first frame at all times are needed."""
        return self.source != "noise" or self.conditioner.guess_channels > 0

    @property
    def image(self) -> Callable[[Tensor], Tensor] | None:
        """The map from frames or trajectories to their mirror images; None without a mirror."""
        if self.mirror is None:
            return None
        return partial(self.mirror.image, fields=list(self.fields), axes=len(self.conditioner.shape))

    @property
    def parameter_options(self) -> tuple[str, ...]:
        """The names of the parameters of the trajectories."""
        return tuple(self.names)

    def describe(self) -> str:
        """Return the denoiser, its tokens and the source."""
        tokens = " x ".join(map(str, self.network.grid))
        begin = "from " + {"first_frame": "the first frame", "regression": "a regression"}.get(self.source, "noise")
        return f"{type(self.network).__name__}, {tokens} tokens of width {self.network.width}, {begin}"

    # Training

    def check_data(self, data: lightning.LightningDataModule) -> None:
        """Refuse data of other fields, units, parameters or numbers of points than those of the networks."""
        found = field_data(data)
        check_fields(found, self.fields)
        expected = (self.trajectory_steps, *self.conditioner.shape)
        if shape_of(found) != expected:
            raise ConfigError(
                f"the data have trajectories of {list(shape_of(found))} points, expected {list(expected)}, as the "
                "networks have; set history and horizon of the data, or the shapes."
            )
        names = list(found.dataset.description.parameters)
        if names != self.names:
            raise ConfigError(
                f"the data have the parameters {', '.join(names) or 'none'}, expected "
                f"{', '.join(self.names) or 'none'}; set parameters."
            )
        self.constraints.check_grid(grid_of(found))

    def on_fit_start(self) -> None:
        """Take the weights of the autoencoder and the scales, and encode the trajectories of the training.

        A resumed run has weights and scales from its checkpoint, which has been read by now. Trajectories are encoded
        once, unless latents are drawn in each update, or those of all windows would not fit into memory.
        """
        data = field_data(self.trainer.datamodule)
        self.tell("latents")
        if not self.space.autoencoder.fitted:
            take_autoencoder(self.space, self.fields, self.autoencoder_run)
            self._fit_scales(data)
        self.place.check(data)  # weights to begin with may be of other data
        values = (1 + self.has_guess) * self.network.channels * math.prod(self.network.shape)
        values *= len(data.samples("train")) * (1 if self.mirror is None else 2)
        if not self.sample_latents and values <= MOST_VALUES:
            self._store = LatentStore(self.space, self._batches(data), self.has_guess, self.image)
        if self.regression is not None:
            if self._store is None:
                raise ConfigError(
                    "the regression of the source needs all latents of the training at once, but they are drawn in "
                    "each update or do not fit into memory; set source: first_frame."
                )
            self._store.regress(self.regression, self.numbers)

    def on_fit_end(self) -> None:
        """Forget the latents of the training."""
        self._store = None

    def sample(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the latents of a batch, and its condition, of which some are dropped."""
        count, place = len(batch["parameters"]), self.device
        keep, keep_parameters = torch.rand(2, count, generator=self.generator(DROPS), device=place) >= self.drop
        if self.regression is not None:
            keep = torch.ones_like(keep)  # the source knows the frame
        given = {**batch, "keep_parameters": keep_parameters}
        if self.mirror is not None:
            given["mirrored"] = torch.rand(count, generator=self.generator(MIRRORS), device=place) < 0.5
        found = self._prepared(given, self._store, self.generator(POSTERIOR))
        return {**found, "keep": keep, "keep_parameters": keep_parameters}

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean of the objective, ``denoising``, for what :meth:`sample` returns."""
        return {"denoising": self._denoising(batch, self.generator(NOISE))}

    def validate(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the mean of the objective for draws that are the same in every epoch."""
        draws = generator(self._seed, VALIDATION, int(batch["trajectory"][0]), device=self.device)
        return {"denoising": self._denoising(self._prepared(batch, None, draws), draws)}

    def validation_step(self, batch: Mapping[str, Any], index: int) -> None:
        """Log the means of :meth:`validate`, and remember trajectories for the figures."""
        super().validation_step(batch, index)
        self._shown = batch

    def figures(self, folder: Path) -> None:
        """Draw ensembles for trajectories of the validation, if there were some since the run went on.

        Parameters
        ----------
        folder : takes the pictures of :func:`~sciml.text2pde.figures.draw_figures`
        """
        if self._shown is not None:
            draw_figures(self, self._shown, folder)

    # Samples

    @torch.no_grad()
    def draw(
        self,
        frames: Tensor,
        parameters: Tensor | None,
        draws: torch.Generator,
        steps: int | None = None,
        guidance: float = 1.0,
    ) -> Tensor:
        r"""Return a trajectory for each first frame, ``(batch, channels, time, \*space)``, in physical units.

        Parameters
        ----------
        frames : in physical units, ``(batch, channels, *space)``
        parameters : ``(batch, number)``; None where they are not known
        draws : generator of the noise
        steps : calls of the network; by default those of the config
        guidance : factor of what the condition changes; 1 is the law of the training

        Raises
        ------
        InputError
            If the sampler cannot make so many calls, or there is guidance of a network whose conditions were never
            dropped, or whose samples start from the first frame.
        """
        steps = self.steps if steps is None else self.sampler.calls(steps)
        self.objective.check_sampler(self.sampler, steps)
        number("guidance", guidance, at_least=0)
        guess, mean = self._guess(frames, parameters)
        condition = self._condition(frames, parameters, guess, mean=mean)
        flow = self.objective.flow(self.network if self.regression is None else self._in_deviations)
        if guidance != 1:
            flow = self._guided(flow, guidance, frames[:1])
        centre = mean if self.regression is None else torch.zeros_like(mean)
        start = self.objective.path.start(centre, draws)
        found = sample(flow, start, steps, self.sampler, condition, draws, centre)
        if self.regression is not None:
            found = mean + self.regression.deviation * found
        return self.space.decode(found)

    @torch.no_grad()
    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Return scores of ensembles on the test set, see :class:`~sciml.text2pde.scores.EnsembleScores`.

        Where there is no test set, they are those on the validation set.
        """
        found = field_data(data)
        self.check_data(found)
        self.place.check(found)
        loader = found.test_dataloader() or found.val_dataloader()
        if not loader:
            raise InputError("the data have neither a test set nor a validation set to evaluate on.")
        scores = ensemble_scores(self, loader, self._seed)
        self.evaluated = scores.count
        return scores.means()

    def predict_file(  # noqa: PLR0913 - every parameter is an option of the command line
        self,
        source: Path,
        output: Path,
        *,
        members: int = 8,
        seed: int = 0,
        steps: int | None = None,
        guidance: float = 1.0,
        parameters: dict[str, float] | None = None,
        trajectory: int | None = None,
        show: str | None = None,
        progress: PredictionProgress | None = None,
    ) -> dict[str, float]:
        """Write trajectories that begin with a frame: members, mean and spread, an animation and a picture.

        Parameters
        ----------
        source : ``.xdmf`` with the first frame, on the grid of the training; of a series, the first one is taken. A
            parameter may be a field of that name, the same everywhere. Or ``.h5``, a data set, of which a trajectory is
            taken, so that the ensemble has scores, too
        output : ``.xdmf``; the animation (.gif) and the picture (.png) lie beside it under the same name
        members : trajectories to be drawn
        seed : of the draws
        steps : calls of the network for each; by default those of the config
        guidance : factor of what the condition changes; 1 is the law of the training
        parameters : numbers by name, such as ``{"buoyancy": 0.3}``, in place of those of the file; where none is known,
            trajectories differ in them, too. Other ones than those of a trajectory of a data set leave it no truth
        trajectory : number in a data set, which needs it; one of the training has scores that are too good
        show : field of animation and picture; by default the last one
        """
        whole_number("members", members, at_least=1)
        whole_number("seed", seed, at_least=0)
        request = Request(members, seed, steps, guidance, parameters or {}, show, trajectory)
        return predict_trajectories(self, Path(source), Path(output), request, progress)

    @classmethod
    def remarks(cls, metrics: Mapping[str, float]) -> list[str]:
        """Return a sentence where the trajectory of a data set is no truth of the ensemble."""
        if not metrics.get(OTHER_PARAMETERS):
            return []
        return ["the parameters given are not those of the trajectory, so that it is no truth and there are no scores."]

    # Parts

    def _prepared(
        self, batch: Mapping[str, Tensor], store: LatentStore | None, draws: torch.Generator
    ) -> dict[str, Tensor]:
        """Return latents, which may be drawn, guesses, first frames and parameters of a batch, or of mirror images."""
        frames, parameters, mirrored = batch["history"][:, 0].movedim(-1, 1), batch["parameters"], batch.get("mirrored")
        frames = frames if mirrored is None else self._turned(frames, mirrored)
        found = {"frames": frames, "parameters": parameters}
        if store is not None:
            found |= store.read(batch)
            still = found["guess"] if self.source == "first_frame" else torch.zeros_like(found["latents"])
            return {"mean": still, **found}
        with torch.no_grad():
            given, noise = trajectories(batch), None
            given = given if mirrored is None else self._turned(given, mirrored)
            if self.sample_latents:
                shape = (len(given), self.network.channels, *self.network.shape)
                noise = torch.randn(shape, generator=draws, device=self.device).to(given)
            guess, mean = self._guess(frames, parameters)
            found |= {"latents": self.space.encode(given, noise), "mean": mean}
        return found if guess is None else {**found, "guess": guess}

    def _turned(self, values: Tensor, mirrored: Tensor) -> Tensor:
        """Return frames or trajectories, some of them as their mirror images."""
        return torch.where(mirrored.reshape(-1, *(1,) * (values.ndim - 1)), self.image(values), values)

    def _guess(self, frames: Tensor, parameters: Tensor | None) -> tuple[Tensor | None, Tensor]:
        """Return the guess of the latents from frames, None where there is none, and the mean of the source."""
        guess = self.space.guess(frames, self.trajectory_steps) if self.has_guess else None
        if self.source == "first_frame":
            return guess, guess
        if self.regression is None:
            return guess, frames.new_zeros(len(frames), self.network.channels, *self.network.shape)
        known = frames.new_zeros(len(frames), len(self.names)) if parameters is None else self._scaled(parameters)
        return guess, self.regression(guess, known)

    def _scaled(self, parameters: Tensor) -> Tensor:
        return self.numbers.encode(parameters) if self.names else parameters

    def _in_deviations(self, x: Tensor, t: Tensor, **condition: Tensor) -> Tensor:
        """Return the output of the network where latents are in units of their deviations about the regression."""
        return self.network(x * self.regression.deviation, t, **condition) / self.regression.deviation

    def _denoising(self, batch: Mapping[str, Tensor], draws: torch.Generator) -> Tensor:
        latents, guess, mean = batch["latents"], batch.get("guess"), batch["mean"]
        kept = batch.get("keep"), batch.get("keep_parameters")
        condition = self._condition(batch["frames"], batch["parameters"], guess, *kept, mean)
        if self.regression is None:
            source = self.objective.draw(mean, draws)
        else:
            latents = latents - mean
            source = self.objective.draw(torch.zeros_like(mean), draws) * self.regression.deviation
        return self.objective.loss(self.network, latents, source, condition, draws).mean()

    def _condition(
        self,
        frames: Tensor,
        parameters: Tensor | None,
        guess: Tensor | None,
        keep: Tensor | None = None,
        keep_parameters: Tensor | None = None,
        mean: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return what the network is given by name, for frames and parameters in physical units."""
        normalised = self.space.autoencoder.normaliser.encode(frames.movedim(1, -1)).movedim(-1, 1)
        if parameters is None:
            parameters = frames.new_zeros(len(frames), len(self.names))
            keep_parameters = torch.zeros(len(frames), dtype=torch.bool, device=frames.device)
        else:
            parameters = self._scaled(parameters)
        if self.conditioner.guess_channels == 2 * self.network.channels:
            guess = torch.cat([guess, mean], 1)
        elif not self.conditioner.guess_channels:
            guess = None
        return self.conditioner(normalised, parameters, guess, keep, keep_parameters)

    def _guided(self, flow: Flow, guidance: float, frame: Tensor) -> Flow:
        """Return a flow with guidance, for a network whose conditions were dropped now and then."""
        if self.source != "noise":
            raise InputError(
                f"guidance is {guidance:g}, expected 1: samples start from the first frame, so that the network knows "
                "it without a condition, too, and there is nothing to guide away from; train with source: noise."
            )
        null = None
        if self.drop:
            nothing = torch.zeros(1, dtype=torch.bool, device=frame.device)
            guess = self.space.guess(frame, self.trajectory_steps) if self.conditioner.guess_channels else None
            null = self._condition(frame, frame.new_zeros(1, len(self.names)), guess, nothing)
        return ClassifierFree(flow, guidance, null)

    def _batches(self, data: FieldData) -> Iterator[dict[str, Tensor]]:
        return (move_data_to_device(batch, self.device) for batch in training_batches(data))

    @torch.no_grad()
    def _fit_scales(self, data: FieldData) -> None:
        """Take the place of the trajectories, and the scales of parameters and latents."""
        rows = [batch["parameters"] for batch in training_batches(data)]
        values = torch.cat(rows).double().numpy()
        self.place.fit(data, values)
        if self.names:
            self.numbers.fit([values])
        latents = (self.space.posterior(trajectories(batch).to(self.space.mean)) for batch in self._batches(data))
        self.space.fit(each.mean for each in latents)
