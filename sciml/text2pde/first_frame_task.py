"""The second stage: training of a denoiser that draws latents of whole trajectories for their first frames."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import lightning
import numpy as np
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor

from sciml import weights
from sciml.checks import choice, instance, number, whole_number
from sciml.data import FieldData
from sciml.data.normalise import Normaliser
from sciml.errors import CheckpointError, ConfigError, InputError
from sciml.generative import ClassifierFree, Flow, Objective, Sampler, sample
from sciml.nets import DiffusionTransformer
from sciml.numerics.random import generator
from sciml.text2pde.autoencoder_task import AutoencoderTask
from sciml.text2pde.autoencoders import Autoencoder
from sciml.text2pde.conditioner import FirstFrameConditioner
from sciml.text2pde.constraints import TrajectoryConstraints
from sciml.text2pde.latents import MOST_VALUES, LatentSpace, LatentStore
from sciml.text2pde.network_checks import check_networks
from sciml.text2pde.predicting import OTHER_PARAMETERS, Request, predict_trajectories
from sciml.text2pde.scores import EnsembleScores
from sciml.text2pde.stored_place import StoredPlace
from sciml.text2pde.trajectories import check_fields, field_data, grid_of, shape_of, training_batches, trajectories
from sciml.training.batches import to_float64
from sciml.training.task import PredictionProgress, Task

Source = Literal["first_frame", "noise"]
DROPS, NOISE, POSTERIOR = 1, 2, 3  # streams of the training's draws
VALIDATION, EVALUATION = 1, 2  # counters of draws out of the training


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
    source : where samples start: ``"first_frame"``, the latents of a trajectory that stays as it begins, with noise,
        or ``"noise"`` alone
    steps : calls of the network for a sample, unless others are asked for
    drop : probability that the condition of a trajectory is dropped in an update, for guidance, which takes the source
        ``"noise"``; and that its parameters alone are, for first frames whose parameters are not known
    latent_scale : constant factor of the latents, positive; by default they have unit deviation, as measured
    sample_latents : whether the latents of a variational autoencoder are drawn in the training, as published
    exact_first_frame : whether samples begin with the given frame itself
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
    ) -> None:
        super().__init__()
        self.space = LatentSpace(autoencoder, single_frames, latent_scale)
        self.network, self.conditioner, self.objective, self.sampler = network, conditioner, objective, sampler
        self.fields, self.names, self.autoencoder_run = dict(fields), list(parameters), autoencoder_run
        self.source = choice("the source", source, ("first_frame", "noise"), error=ConfigError)
        self.steps = sampler.calls(steps)
        objective.check_sampler(sampler, steps)
        self.drop = number("drop", drop, at_least=0, below=1, error=ConfigError)
        self.sample_latents = sample_latents
        self.constraints = TrajectoryConstraints(list(self.fields), exact_first_frame, divergence_free or [])
        check_networks(self)
        self.place = StoredPlace(self.conditioner.shape, self.trajectory_steps, len(self.names))
        self.numbers = Normaliser(max(1, len(self.names)))
        self._store: LatentStore | None = None

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
        return self.source == "first_frame" or self.conditioner.guess_channels > 0

    @property
    def parameter_options(self) -> tuple[str, ...]:
        """The names of the parameters of the trajectories."""
        return tuple(self.names)

    def describe(self) -> str:
        """Return the denoiser, its tokens and the source."""
        tokens = " x ".join(map(str, self.network.grid))
        begin = "from the first frame" if self.source == "first_frame" else "from noise"
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
            self._take_autoencoder()
            self._fit_scales(data)
        self.place.check(data)  # weights to begin with may be of other data
        values = (1 + self.has_guess) * self.network.channels * math.prod(self.network.shape)
        if not self.sample_latents and values * len(data.samples("train")) <= MOST_VALUES:
            self._store = LatentStore(self.space, self._batches(data), self.has_guess)

    def on_fit_end(self) -> None:
        """Forget the latents of the training."""
        self._store = None

    def sample(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the latents of a batch, and its condition, of which some are dropped."""
        found = self._prepared(batch, self._store, self.generator(POSTERIOR))
        keep = torch.rand(2, len(found["latents"]), generator=self.generator(DROPS), device=self.device) >= self.drop
        return {**found, "keep": keep[0], "keep_parameters": keep[1]}

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean of the objective, ``denoising``, for what :meth:`sample` returns."""
        return {"denoising": self._denoising(batch, self.generator(NOISE))}

    def validate(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the mean of the objective for draws that are the same in every epoch."""
        draws = generator(self._seed, VALIDATION, int(batch["trajectory"][0]), device=self.device)
        return {"denoising": self._denoising(self._prepared(batch, None, draws), draws)}

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
        guess = self.space.guess(frames, self.trajectory_steps) if self.has_guess else None
        condition = self._condition(frames, parameters, guess)
        shape = (len(frames), self.network.channels, *self.network.shape)
        mean = guess if self.source == "first_frame" else frames.new_zeros(shape)
        flow = self.objective.flow(self.network)
        if guidance != 1:
            flow = self._guided(flow, guidance, frames[:1])
        start = self.objective.path.start(mean, draws)
        return self.space.decode(sample(flow, start, steps, self.sampler, condition, draws, mean))

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
        scores, was_training = EnsembleScores(self.deviations), self.training
        self.eval()
        for index, batch in enumerate(loader):
            self.tell("evaluating", index / len(loader))
            moved = move_data_to_device(batch, self.device)
            moved = to_float64(moved) if self.dtype == torch.float64 else moved
            truth = trajectories(moved)
            draws = generator(self._seed, EVALUATION, index, device=self.device)
            members = [
                self.constraints(self.draw(truth[:, :, 0], moved["parameters"], draws), truth[:, :, 0], self.place.grid)
                for _ in range(self.members)
            ]
            scores.add(np.stack(members), truth.cpu().double().numpy(), batch["trajectory"].tolist())
        self.train(was_training)
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
        """Return latents, which may be drawn, guesses, first frames and parameters of a batch."""
        frames = batch["history"][:, 0].movedim(-1, 1)
        found = {"frames": frames, "parameters": batch["parameters"]}
        if store is not None:
            latents, guess = store.read(batch)
        else:
            with torch.no_grad():
                given, noise = trajectories(batch), None
                if self.sample_latents:
                    shape = (len(given), self.network.channels, *self.network.shape)
                    noise = torch.randn(shape, generator=draws, device=self.device).to(given)
                latents = self.space.encode(given, noise)
                guess = self.space.guess(frames, self.trajectory_steps) if self.has_guess else None
        return {**found, "latents": latents, **({} if guess is None else {"guess": guess})}

    def _denoising(self, batch: Mapping[str, Tensor], draws: torch.Generator) -> Tensor:
        latents, guess = batch["latents"], batch.get("guess")
        kept = batch.get("keep"), batch.get("keep_parameters")
        condition = self._condition(batch["frames"], batch["parameters"], guess, *kept)
        mean = guess if self.source == "first_frame" else torch.zeros_like(latents)
        source = self.objective.draw(mean, draws)
        return self.objective.loss(self.network, latents, source, condition, draws).mean()

    def _condition(
        self,
        frames: Tensor,
        parameters: Tensor | None,
        guess: Tensor | None,
        keep: Tensor | None = None,
        keep_parameters: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return what the network is given by name, for frames and parameters in physical units."""
        normalised = self.space.autoencoder.normaliser.encode(frames.movedim(1, -1)).movedim(-1, 1)
        if parameters is None:
            parameters = frames.new_zeros(len(frames), len(self.names))
            keep_parameters = torch.zeros(len(frames), dtype=torch.bool, device=frames.device)
        elif self.names:
            parameters = self.numbers.encode(parameters)
        guess = guess if self.conditioner.guess_channels else None
        return self.conditioner(normalised, parameters, guess, keep, keep_parameters)

    def _guided(self, flow: Flow, guidance: float, frame: Tensor) -> Flow:
        """Return a flow with guidance, for a network whose conditions were dropped now and then."""
        if self.source == "first_frame":
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

    def _take_autoencoder(self) -> None:
        """Give the autoencoder the weights of its run."""
        from sciml.training.stored import load_task

        name = self.autoencoder_run
        try:
            task = load_task(weights.find_shipped(name) or name)
        except CheckpointError as error:
            raise ConfigError(f"autoencoder_run names no autoencoder: {error}") from error
        instance(f"the task of {name}", task, AutoencoderTask, "an AutoencoderTask", error=ConfigError)
        if task.fields != self.fields or task.single_frames != self.space.single_frames:
            of, own = ("frames" if each else "trajectories" for each in (task.single_frames, self.space.single_frames))
            raise ConfigError(
                f"{name} is an autoencoder of {of} with the fields {task.fields}, expected one of {own} with "
                f"{self.fields}; name another run."
            )
        try:
            weights.assign(self.space.autoencoder, task.autoencoder.state_dict(), Path(name))
        except CheckpointError as error:
            reason = str(error).rstrip(".")
            raise ConfigError(f"{reason}; copy task.init_args.autoencoder from the config of that run.") from error
