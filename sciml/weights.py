"""Published weights of trained networks: ``NAME.safetensors``, and ``NAME.yaml``, the card with all that made them.

The card holds the config, the command, the commit, the metrics, and the SHA-256 of the weights, without which they are
not loaded. Weights that come with sciml lie in ``sciml/METHOD/weights`` under the names of their configs and are found
by listing, such as ``dcdm/box2d_cpu``. Nothing is ever unpickled, and torch is imported only when tensors are read.

>>> from sciml import weights
>>> weights.read_card(weights.find("dcdm/box2d_cpu")).class_path
'sciml.dcdm.DirectionTask'
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sciml import strict_yaml
from sciml.atomic import write_bytes, write_text
from sciml.checks import did_you_mean
from sciml.errors import CheckpointError, ConfigError, InputError
from sciml.regular_files import read_bytes
from sciml.renamed import current_values

if TYPE_CHECKING:
    from torch import Tensor, nn

ENDING, CARD_ENDING = ".safetensors", ".yaml"
_PACKAGE = Path(__file__).resolve().parent
_SHA256 = re.compile(r"[0-9a-f]{64}")

Module = TypeVar("Module", bound="nn.Module")


@dataclass(frozen=True)
class Card:
    """The description of published weights.

    Parameters
    ----------
    path : of the card
    values : all that the card says: ``config``, ``sha256``, and where they are known ``command``, ``commit``,
        ``version``, ``metrics`` and ``seconds``
    """

    path: Path
    values: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config of the run."""
        return self.values["config"]

    @property
    def title(self) -> str:
        """The title of the config."""
        return str(self.config.get("title"))

    @property
    def class_path(self) -> str:
        """The dotted path that the task has today."""
        return self.config["task"]["class_path"]

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the task."""
        return self.config["task"].get("init_args") or {}

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the run, the headline first; empty if the card has none."""
        return self.values.get("metrics") or {}

    @property
    def sha256(self) -> str:
        """The checksum of the weights, in hexadecimal."""
        return self.values["sha256"]


def shipped(method: str | None = None) -> dict[str, Path]:
    """Return the files of the weights that come with sciml by their names, such as ``dcdm/box2d_cpu``.

    Parameters
    ----------
    method : name of the package of a method; all of them by default
    """
    files = sorted(_PACKAGE.glob(f"{method or '*'}/weights/*{ENDING}"))
    return {f"{path.parent.parent.name}/{path.stem}": path for path in files}


def find(name: str | Path, method: str | None = None) -> Path:
    """Return a file of weights given by its path, or by the name of weights that come with sciml.

    Parameters
    ----------
    name : a path that ends with ``.safetensors``, a name such as ``dcdm/box2d_cpu``, or its last part if only one
        method has it
    method : the method whose weights are looked for; all of them by default

    Raises
    ------
    InputError
        If there are none; the sentence names the nearest.
    """
    if Path(name).suffix == ENDING:
        return Path(name)
    found = find_shipped(name, method)
    if found is None:
        known = shipped(method)
        listed = f", expected one of {', '.join(known)}" if known else ""
        end = did_you_mean(str(name), [*known, *(path.stem for path in known.values())]) or "."
        raise InputError(f"there are no shipped weights {str(name)!r}{listed}{end}")
    return found


def find_shipped(name: str | Path, method: str | None = None) -> Path | None:
    """Return the file of weights that come with sciml, given by their name or by its last part; None if there are none.

    Raises
    ------
    InputError
        If two methods have weights of this name.
    """
    known = shipped(method)
    name = Path(name).as_posix()
    same = {full: path for full, path in known.items() if name in (full, path.stem)}
    if len(same) > 1:
        raise InputError(f"there are several weights {name!r}, expected one of {', '.join(same)}.")
    return next(iter(same.values()), None)


def read_card(path: str | Path) -> Card:
    """Return the card of weights.

    Parameters
    ----------
    path : ``NAME.safetensors``; the card ``NAME.yaml`` lies beside it

    Raises
    ------
    CheckpointError
        If there is no card, or it does not describe weights.
    """
    path = Path(path).with_suffix(CARD_ENDING)
    try:
        values = strict_yaml.read(path)
    except ConfigError as error:
        raise CheckpointError(f"the weights beside {path} cannot be used: {error}") from error
    config = values.get("config") if isinstance(values, dict) else None
    task = config.get("task") if isinstance(config, dict) else None
    if not isinstance(task, dict) or not isinstance(task.get("class_path"), str):
        raise CheckpointError(f"{path} does not describe weights, expected a config with a task, and a checksum.")
    if not isinstance(task.get("init_args", {}), dict | None):
        raise CheckpointError(f"{path} does not describe weights: config.task.init_args is not a mapping.")
    if not isinstance(values.get("sha256"), str) or not _SHA256.fullmatch(values["sha256"]):
        raise CheckpointError(f"{path} has no checksum of its weights, expected a SHA-256 under the key sha256.")
    return Card(path, {**values, "config": current_values(values["config"])})


def is_card(path: Path) -> bool:
    """Return whether a file describes weights, so that new weights may replace it."""
    try:
        read_card(path)
    except CheckpointError:
        return False
    return True


def read_tensors(path: str | Path, card: Card | None = None) -> dict[str, Tensor]:
    """Return the tensors of published weights by name, on the CPU.

    Parameters
    ----------
    path : ``NAME.safetensors``
    card : of these weights, if it has been read already

    Raises
    ------
    CheckpointError
        If a file is missing or damaged, or the two do not belong to one another.
    """
    path = Path(path)
    card = card or read_card(path)
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        data = read_bytes(path, error=CheckpointError)
        if hashlib.sha256(data).hexdigest() != card.sha256:
            raise CheckpointError(
                f"{path} is damaged, or does not belong to {card.path.name} beside it; download both files again."
            )
        return load(data)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist; check the name.") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a safetensors file: {error}.") from error


def assign(module: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Put tensors into a module; their names and shapes have to be those of its parameters and buffers.

    Parameters
    ----------
    module : keeps its dtype and device
    tensors : by name
    source : the file they come from, for errors

    Raises
    ------
    CheckpointError
        If they are those of another module; the sentence names the first difference.
    """
    try:
        module.load_state_dict(dict(tensors))
    except (RuntimeError, TypeError, AttributeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[1] if len(lines) > 1 else str(error)
        raise CheckpointError(
            f"the weights in {source} do not fit {type(module).__name__} as its config builds it: {reason}"
        ) from error


def load(path: str | Path, task: str, prefix: str, make: Callable[[dict[str, Any]], Module]) -> Module:
    """Return a network of a task with published weights, in evaluation mode, without the training task.

    Parameters
    ----------
    path : ``NAME.safetensors``
    task : dotted path of the task whose weights they should be
    prefix : of the names of its tensors in the task, such as ``"network."``
    make : returns the network, without its weights, from the arguments of the task

    Raises
    ------
    CheckpointError
        If a file is missing or damaged, or belongs to another task.
    """
    path = Path(path)
    card = read_card(path)
    if card.class_path != task:
        raise CheckpointError(f"{path} holds weights of {card.class_path}, expected {task}.")
    tensors = read_tensors(path, card)
    module = make(card.arguments)
    assign(
        module, {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}, path
    )
    return module.eval().requires_grad_(False)


def publish(path: str | Path, tensors: Mapping[str, Tensor], **about: Any) -> Card:
    """Write weights and their card; return the card.

    Parameters
    ----------
    path : ``NAME.safetensors``, in a folder that exists
    tensors : by name, on any device
    about : what the card says beside the checksum: ``config``, ``command``, ``commit``, ``version``, ``metrics`` ...

    Raises
    ------
    InputError
        If the name has another ending.
    """
    from safetensors.torch import save

    path = Path(path)
    if path.suffix != ENDING:
        raise InputError(f"{path} ends with {path.suffix!r}, expected {ENDING}.")
    data = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})
    card = Card(path.with_suffix(CARD_ENDING), {**about, "sha256": hashlib.sha256(data).hexdigest()})
    write_bytes(path, data, durable=True)
    write_text(card.path, strict_yaml.dump(card.values), durable=True)
    return card
