"""Published weights of trained networks: ``NAME.safetensors``, and ``NAME.yaml``, the card with all that made them.

The card holds the config, the command, the commit, the metrics, and two checksums: that of the weights, without which
they are not loaded, and that of its own values. Weights that come with sciml lie in ``sciml/METHOD/weights`` under the
names of their configs and are found by listing, such as ``dcdm/box2d_cpu``. Nothing is ever unpickled, and torch is
imported only when tensors are read.

>>> from sciml import weights
>>> weights.read_card(weights.find("dcdm/box2d_cpu")).class_path
'sciml.dcdm.DirectionTask'
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sciml import strict_json, strict_yaml
from sciml.atomic import AtomicFile, write_text
from sciml.checks import choice, did_you_mean, finite, instance, number, shown
from sciml.config_errors import Where
from sciml.errors import CheckpointError, ConfigError, InputError
from sciml.overrides import shown_title
from sciml.regular_files import read_bytes
from sciml.renamed import current_values
from sciml.typed_values import TypedValues, parameters_of

if TYPE_CHECKING:
    from torch import Tensor, nn

ENDING, CARD_ENDING = ".safetensors", ".yaml"
OWN_CHECKSUM = "card_sha256"  # of the values of the card; cards of earlier versions have none
CARD_KEYS = ("config", "command", "commit", "version", "metrics", "seconds", "sha256", OWN_CHECKSUM)
_PACKAGE = Path(__file__).resolve().parent
ROOM, ROOM_PER_WEIGHT = 1 << 26, 16  # numbers that may be allocated to build a task: in any case, and for each weight
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
        return shown_title(self.config)

    @property
    def class_path(self) -> str:
        """The dotted path that the task has today."""
        return self.config["task"]["class_path"]

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the task."""
        return self.config["task"].get("init_args") or {}

    @property
    def metrics(self) -> dict[str, float | None]:
        """The metrics of the run, the headline first, None where one was not finite; empty if the card has none."""
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
        If there is no card, it does not describe weights, or its values are not those that were written.
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
    try:
        _check_values(values)
    except InputError as error:
        raise CheckpointError(f"{path} is damaged: {str(error).rstrip('.')}; download both files again.") from error
    return Card(path, {**values, "config": current_values(values["config"])})


def _check_values(values: dict[str, Any]) -> None:
    """Refuse keys and values that no card has, and values that are not those that were written."""
    for name in values:
        choice("the key", name, CARD_KEYS)
    for name, value in instance("metrics", values.get("metrics") or {}, dict, "numbers by name").items():
        if value is not None:
            number(f"metrics.{shown(name)}", value)
    strict_json.check_seal(values, OWN_CHECKSUM)


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
        return load(_read_data(path, card))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist; check the name.") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (SafetensorError, KeyError) as error:  # a dtype that torch lacks is a KeyError
        raise CheckpointError(f"{path} is not a safetensors file: {error}.") from error


def _read_data(path: Path, card: Card) -> bytes:
    """Return the contents of the weights that a card describes.

    A process that was killed in :func:`publish` between its two last steps has left them under the name of a part.
    """
    parts = sorted(path.parent.glob(f"{glob.escape(path.name)}.*.part"))
    for file in [one for one in (path, *parts) if one.exists()] or [path]:
        data = read_bytes(file, error=CheckpointError)
        if hashlib.sha256(data).hexdigest() == card.sha256:
            return data
    raise CheckpointError(
        f"{path} is damaged, or does not belong to {card.path.name} beside it; download both files again."
    )


def from_arguments(network: type[Module]) -> Callable[[dict[str, Any]], Module]:
    """Return a function that builds a network from the arguments of a task, for :func:`load`.

    Those of its own parameters are taken, and checked as the values of a config are.
    """

    def make(arguments: dict[str, Any]) -> Module:
        typed = TypedValues(Where("task", stored=True))
        own = {name: arguments[name] for name in parameters_of(network) if name in arguments}
        return typed.construct(network, typed.check(network, own, "init_args"), "init_args")

    return make


def room_for(tensors: Mapping[str, Tensor]) -> AbstractContextManager[None]:
    """Return a block in which the objects that a card or the config of a run describes are built.

    A network has as many numbers as its weights, and a task some more for its points; far more are refused by a
    CheckpointError before they are allocated.
    """
    from sciml.numerics.allocation import limited_allocation

    return limited_allocation(ROOM + ROOM_PER_WEIGHT * sum(tensor.numel() for tensor in tensors.values()))


def assign(module: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Put tensors into a module; names, shapes and kinds have to be those of its parameters and buffers.

    Parameters
    ----------
    module : keeps its dtype and device
    tensors : by name
    source : the file they come from, for errors

    Raises
    ------
    CheckpointError
        If they are those of another module, or a parameter is not finite; the sentence names the first difference.
    """
    try:
        for name, own in module.state_dict().items():
            if name in tensors and _kind(tensors[name]) != _kind(own):  # torch would cut complex numbers to real parts
                raise TypeError(f"{name} holds {tensors[name].dtype}, expected {own.dtype}.")
        module.load_state_dict(dict(tensors))
        for name, own in module.named_parameters():
            finite(name, own)
    except (RuntimeError, TypeError, AttributeError, InputError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[1] if len(lines) > 1 else str(error)
        raise CheckpointError(
            f"the weights in {source} do not fit {type(module).__name__} as its config builds it: {reason}"
        ) from error


def _kind(tensor: Tensor) -> tuple[bool, bool]:
    """Return whether the numbers of a tensor are floating, and whether they are complex."""
    return tensor.is_floating_point(), tensor.is_complex()


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
    try:
        with room_for(tensors):
            module = make(card.arguments)
    except (CheckpointError, InputError, TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        reason = str(error).rstrip(".")
        raise CheckpointError(f"{card.path} has arguments that {card.class_path} refuses: {reason}.") from error
    assign(
        module, {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}, path
    )
    return module.eval().requires_grad_(False)


def publish(path: str | Path, tensors: Mapping[str, Tensor], **about: Any) -> Card:
    """Write weights and their card, so that a kill at any moment leaves the old pair or the new one; return the card.

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
    values = {**about, "sha256": hashlib.sha256(data).hexdigest()}
    written = strict_yaml.parse(strict_yaml.dump(values), str(path))  # as it will be read
    card = Card(path.with_suffix(CARD_ENDING), strict_json.sealed(written, OWN_CHECKSUM))
    # The card is the point of no return: before it the part is nothing, after it the part is what the card describes.
    with AtomicFile(path) as file:
        with file.part.open("wb") as part:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
        write_text(card.path, strict_yaml.dump(card.values), durable=True)
    return card
