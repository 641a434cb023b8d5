"""Checkpoints that are read only if they are complete.

A checkpoint is what Lightning saves, as torch writes it: a zip archive of tensors. torch reads most damaged archives
silently (185 of 200 flipped bits went unnoticed, and still 18 with the checksums that zip keeps of each record),
so the comment of the archive carries the SHA-256 of every byte before it. torch and zip tools skip that comment.
Nothing is ever unpickled (:mod:`sciml.training.tensor_archives`), and a file is written beside its name and renamed
into place.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from sciml import strict_yaml
from sciml.atomic import write_bytes
from sciml.checks import instance
from sciml.errors import CheckpointError, InputError
from sciml.regular_files import open_regular
from sciml.training.tensor_archives import read_archive

_MARK = b"sha256:"
_COMMENT = len(_MARK) + 64  # bytes
_END_OF_ARCHIVE = b"PK\x05\x06"  # a record of 22 bytes, of which the last two are the length of the comment
_CHUNK = 1 << 20
_CONFIG = "sciml_config"  # the key of the config in a checkpoint; those of earlier versions have none


class CheckpointFiles(TorchCheckpointIO):
    """Checkpoint files of the trainer, by :func:`write_checkpoint` and :func:`read_checkpoint`.

    Parameters
    ----------
    config : of the run, in plain values; each checkpoint holds it
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self._config = strict_yaml.dump(config)

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Save the state that the trainer collected."""
        write_checkpoint({**checkpoint, _CONFIG: self._config}, Path(path))

    def load_checkpoint(self, path: str | Path, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Load onto the CPU, whatever the trainer asks for: the strategy moves the tensors."""
        return read_checkpoint(Path(path))


def write_checkpoint(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint with its checksum; the file of that name is replaced only by a whole one.

    Parameters
    ----------
    checkpoint : tensors and plain values
    path : its folder is made if need be

    Raises
    ------
    OSError
        If the file cannot be written, such as on a full disk; the file of that name is as it was.
    """
    buffer = io.BytesIO()
    torch.save(dict(checkpoint), buffer)
    data = buffer.getbuffer()
    data[-2:] = struct.pack("<H", _COMMENT)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data, _MARK + hashlib.sha256(data).hexdigest().encode(), durable=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, holds anything but tensors and plain values, or is not a checkpoint of sciml.
    """
    try:
        with open_regular(path, CheckpointError) as file:
            _check_whole(file, path)
            checkpoint = read_archive(file, os.fstat(file.fileno()).st_size)
    except CheckpointError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist; check the name, or train first.") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # whatever the parsers of zip archives and pickles stumble over
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(
            f"{path} is not made of tensors and plain values alone: {reason[0].rstrip('.')}; none of its code was run, "
            "use another checkpoint."
        ) from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise CheckpointError(f"{path} holds no weights, expected a checkpoint of 'sciml train'.")
    return checkpoint


def completed_epochs(checkpoint: Mapping[str, Any]) -> int | None:
    """Return the number of epochs that a run had completed; None if the checkpoint does not say."""
    try:
        done = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    except (KeyError, TypeError):
        return None
    return done if isinstance(done, int) else None


def config_of(checkpoint: Mapping[str, Any], path: Path) -> dict[str, Any] | None:
    """Return the config that a checkpoint was made with, None if the checkpoint does not say.

    Raises
    ------
    CheckpointError
        If it is no config.
    """
    text = checkpoint.get(_CONFIG)
    if text is None:
        return None
    try:
        values = strict_yaml.parse(instance("its config", text, str, "a text"), path.name)
        return instance("its config", values, dict, "keys and values")
    except InputError as error:
        raise CheckpointError(f"{path} is no checkpoint of sciml: {error}") from error


def _check_whole(file: BinaryIO, path: Path) -> None:
    """Compare the checksum at the end of the file with its contents, and go back to the start."""
    length = file.seek(0, os.SEEK_END) - _COMMENT
    file.seek(max(length - 22, 0))
    end, comment = file.read(22), file.read()
    if length < 22 or not end.startswith(_END_OF_ARCHIVE) or not comment.startswith(_MARK):
        raise CheckpointError(
            f"{path} is damaged or no checkpoint of sciml: it does not end with a checksum; use another checkpoint."
        )
    file.seek(0)
    digest, left = hashlib.sha256(), length
    while left:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            break
        digest.update(chunk)
        left -= len(chunk)
    if comment != _MARK + digest.hexdigest().encode():
        raise CheckpointError(f"{path} is damaged: its contents do not match its checksum; use another checkpoint.")
    file.seek(0)
