"""Check arrays: shape, kind, finiteness and order of values that come from a file or a caller."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeVar

from sciml.checks.values import sentence, shown
from sciml.errors import InputError

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

KINDS = {  # of NumPy's arrays, in words
    "b": "booleans",
    "i": "integers",
    "u": "integers",
    "f": "floating-point numbers",
    "c": "complex",
    "U": "texts",
    "S": "texts",
    "M": "dates",
    "m": "durations",
    "V": "records",
    "O": "Python objects",
}


def shape(
    name: str,
    array: T,
    expected: Sequence[int | str | EllipsisType],
    *,
    remedy: str = "",
    error: type[InputError] = InputError,
) -> T:
    """Return an array or tensor of the expected shape.

    Parameters
    ----------
    name : what the array holds, such as ``"the points"``
    array : anything with a ``shape``, or nested sequences of numbers
    expected : the length of each axis; a word stands for any length, ``...`` at the front for any leading axes
    remedy : what to do about it, the part of the sentence after the semicolon
    error : the class of the error

    Examples
    --------
    >>> shape("the points", [[0.0, 1.0]], ("number of points", 3))
    Traceback (most recent call last):
    sciml.errors.InputError: the shape of the points is (1, 2), expected (number of points, 3).
    """
    try:
        found = shape_of(array)
    except ValueError:  # NumPy's words do not say which value it is
        raise error(
            sentence(name, array, f"an array of shape {_axes(expected)}, not rows of unequal length", remedy)
        ) from None
    axes = [axis for axis in expected if axis is not ...]
    last = found[max(len(found) - len(axes), 0) :] if len(axes) < len(expected) else found
    if len(last) != len(axes) or any(
        not isinstance(want, str) and have != want for have, want in zip(last, axes, strict=True)
    ):
        raise error(sentence(f"the shape of {name}", found, _axes(expected), remedy))
    return array


_shape = shape  # by another name, where a parameter is called shape


def finite(name: str, values: T, *, remedy: str = "", error: type[InputError] = InputError) -> T:
    """Return an array, a tensor or a sequence without infinities and not-a-numbers.

    Examples
    --------
    >>> finite("the initial condition", [0.0, float("nan")])
    Traceback (most recent call last):
    sciml.errors.InputError: 1 of 2 values of the initial condition are not finite, expected finite numbers.
    """
    array: Any = values
    if not hasattr(array, "isfinite"):  # torch's tensors have it; numpy's arrays do not
        import numpy as np

        try:
            array = np.asarray(array)
            flags = np.isfinite(array)
            if array.dtype.kind in "mM":  # dates are finite, but no numbers
                raise TypeError
        except (TypeError, ValueError):  # rows of unequal length, or no numbers
            raise error(f"{name} are {shown(values)}, expected an array of finite numbers.") from None
        bad, total = int(flags.size - np.count_nonzero(flags)), int(flags.size)
    else:
        bad, total = int((~array.isfinite()).sum()), array.numel()
    if bad:
        end = f"; {remedy}." if remedy else "."
        raise error(f"{bad} of {total} values of {name} are not finite, expected finite numbers{end}")
    return values


def real_array(
    name: str,
    values: object,
    *,
    shape: Sequence[int | str | EllipsisType] | None = None,
    finite: bool = True,
    remedy: str = "",
    error: type[InputError] = InputError,
) -> np.ndarray:
    """Return an array of real numbers, C-ordered float64 in the byte order of the machine.

    Booleans, integers and floating-point numbers of any width are taken, from NumPy, torch and nested sequences.
    Nothing is cut or made up: complex numbers are refused even where their imaginary part is zero, and so are texts,
    dates, records, objects and arrays of which a value is masked.

    Parameters
    ----------
    name : what the array holds, such as ``"b"``
    values : what was given; the result shares its memory where nothing had to be converted
    shape : of the array, see :func:`shape`; None for any
    finite : whether to refuse infinities and not-a-numbers, to which a value beyond double precision counts
    remedy : what to do about values that are not finite, the part of the sentence after the semicolon
    error : the class of the error

    Examples
    --------
    >>> real_array("b", [[1, 2]], shape=("rows", 2))
    array([[1., 2.]])
    >>> real_array("b", [1 + 0j])
    Traceback (most recent call last):
    sciml.errors.InputError: the values of b are complex, expected real ones; give the real part if that is meant.
    """
    import numpy as np

    array = _plain_array(name, values, "biuf", "real", error)
    if shape is not None:
        _shape(name, array, shape, error=error)
    with np.errstate(over="ignore", invalid="ignore"):  # signalling not-a-numbers; long doubles beyond double precision
        array = np.ascontiguousarray(array, dtype=np.float64).reshape(array.shape)
    if finite and not np.isfinite(array).all():
        wrong = ~np.isfinite(array)
        first = f"{array.flat[int(np.argmax(wrong))]:g}{_place(int(np.argmax(wrong)), array.shape)}"
        end = f"; {remedy}." if remedy else "."
        raise error(
            f"{np.count_nonzero(wrong)} of {wrong.size} values of {name} are not finite ({first}), "
            f"expected finite numbers{end}"
        )
    return array


def real_tensor(name: str, values: T, *, remedy: str = "", error: type[InputError] = InputError) -> T:
    """Return a tensor of floating-point numbers, unconverted; integers would truncate what is computed with them.

    Examples
    --------
    >>> import torch
    >>> real_tensor("the fields", torch.arange(3))
    Traceback (most recent call last):
    sciml.errors.InputError: the type of the fields is torch.int64, expected a tensor of floating-point numbers.
    """
    import torch

    if not isinstance(values, torch.Tensor) or not values.is_floating_point():
        found = (
            values.dtype if isinstance(values, torch.Tensor) else f"{type(values).__module__}.{type(values).__name__}"
        )
        raise error(
            f"the type of {name} is {found}, expected a tensor of floating-point numbers{remedy and '; '}{remedy}."
        )
    return values


def whole_array(
    name: str,
    values: object,
    *,
    shape: Sequence[int | str | EllipsisType] | None = None,
    at_least: int | None = None,
    below: int | None = None,
    remedy: str = "",
    error: type[InputError] = InputError,
) -> np.ndarray:
    """Return an array of whole numbers, C-ordered int64; booleans and floats with integral values are refused.

    Parameters
    ----------
    name : what the array holds, such as ``"the point numbers"``
    values : what was given; no value of an unsigned type wraps round
    shape : of the array, see :func:`shape`; None for any
    at_least, below : bounds of the values, of which the first may be attained
    remedy : what to do about it, the part of the sentence after the semicolon
    error : the class of the error

    Examples
    --------
    >>> whole_array("cells", [0, 3], at_least=0, below=3)
    Traceback (most recent call last):
    sciml.errors.InputError: a value of cells is 3 (at index 1), expected whole numbers from 0 to 2.
    """
    import numpy as np

    array = _plain_array(name, values, "iu", "whole", error, remedy)
    if shape is not None:
        _shape(name, array, shape, error=error)
    low, high = (-(2**63) if at_least is None else at_least), (2**63 if below is None else below)
    bounds = f" of at least {at_least}" if at_least is not None else ""
    if below is not None:
        bounds = f" from {low} to {high - 1}"
    if array.size and not low <= int(array.min()) <= int(array.max()) < high:
        flat = array.reshape(-1)
        index = int(np.argmin(flat) if int(flat.min()) < low else np.argmax(flat))
        place = _place(index, array.shape).strip()
        end = f"; {remedy}." if remedy else "."
        raise error(
            f"a value of {name} is {flat[index]}{f' ({place})' if place else ''}, expected whole numbers{bounds}{end}"
        )
    return np.ascontiguousarray(array, dtype=np.int64).reshape(array.shape)


def boolean_array(
    name: str,
    values: object,
    *,
    shape: Sequence[int | str | EllipsisType] | None = None,
    remedy: str = "",
    error: type[InputError] = InputError,
) -> np.ndarray:
    """Return an array of booleans; numbers 0 and 1 are refused.

    Parameters
    ----------
    name, values, shape, remedy, error : as those of :func:`whole_array`

    Examples
    --------
    >>> boolean_array("the mask", [1, 0])
    Traceback (most recent call last):
    sciml.errors.InputError: the values of the mask are integers, expected boolean ones.
    """
    array = _plain_array(name, values, "b", "boolean", error, remedy)
    return array if shape is None else _shape(name, array, shape, error=error)


def rising(name: str, values: Any, *, at_least: float | None = None, error: type[InputError] = InputError) -> Any:
    """Return one axis of finite numbers that never fall, as a float64 array of NumPy.

    Examples
    --------
    >>> rising("the times", [0.0, 2.0, 1.0], at_least=0)
    Traceback (most recent call last):
    sciml.errors.InputError: the times are [0.0, 2.0, 1.0], expected rising finite numbers of at least 0.
    """
    import numpy as np

    bound = f" of at least {at_least:g}" if at_least is not None else ""
    array = real_array(name, values, finite=False, error=error)
    if (
        array.ndim != 1
        or not len(array)
        or not np.all(np.isfinite(array))
        or np.any(np.diff(array) < 0.0)
        or (at_least is not None and array[0] < at_least)
    ):
        raise error(f"{name} are {shown(array.tolist())}, expected rising finite numbers{bound}.")
    return array


def within(
    name: str, values: Any, lower: float, upper: float, *, remedy: str = "", error: type[InputError] = InputError
) -> Any:
    """Return a tensor whose numbers lie between two others, also under the transforms of ``torch.func``.

    Bounds may be missed by the rounding of the tensor's type. A not-a-number is outside.

    Parameters
    ----------
    name : the subject of the error sentence in the plural, such as ``"the points"``
    values : a tensor of floating-point numbers
    lower, upper : the bounds
    remedy : what to do about it, the part of the sentence after the semicolon
    error : the class of the error

    Examples
    --------
    >>> import torch
    >>> within("the points", torch.tensor([0.5, 2.0, 3.0]), 0, 1)
    Traceback (most recent call last):
    sciml.errors.InputError: 2 of 3 values of the points are outside, the first of them 2, expected numbers from 0 to 1.
    """
    import torch

    # Only looked at: under vmap, the values of all entries at once.
    plain = torch.func.debug_unwrap(real_tensor(name, values, error=error).detach()).flatten().double()
    rounding = 4 * torch.finfo(values.dtype).eps * max(abs(lower), abs(upper))
    outside = plain[~((plain >= lower - rounding) & (plain <= upper + rounding))]
    if len(outside):
        raise error(
            f"{len(outside)} of {len(plain)} values of {name} are outside, the first of them {float(outside[0]):g}, "
            f"expected numbers from {lower:g} to {upper:g}{remedy and '; '}{remedy}."
        )
    return values


def shape_of(array: object) -> tuple[int, ...]:
    """Return the shape of an array, a tensor, a number or nested sequences as a tuple of ints."""
    if hasattr(array, "shape"):
        return tuple(map(int, array.shape))
    import numpy as np

    return np.shape(array)  # type: ignore[arg-type]


def number_array(name: str, values: object, *, error: type[InputError] = InputError) -> np.ndarray:
    """Return an array of numbers, real or complex, in the type, byte order and memory in which they were given.

    Examples
    --------
    >>> number_array("the field", np.array([1j], np.complex64)).dtype
    dtype('complex64')
    """
    return _plain_array(name, values, "biufc", "numerical", error)


def _plain_array(
    name: str, values: Any, kinds: str, expected: str, error: type[InputError], remedy: str = ""
) -> np.ndarray:
    """Return an array of one of several kinds of NumPy, unconverted, without a mask."""
    import numpy as np

    try:
        if hasattr(values, "detach"):  # a tensor of torch; one without values has no copy
            values = values.detach().cpu()
        array = np.asanyarray(values)
    except (TypeError, ValueError, RuntimeError, OverflowError) as reason:
        why = " ".join(str(reason).split()).rstrip(".")[:200]
        if "inhomogeneous" in why:  # NumPy's words do not say what that is
            why = "rows are of unequal length"
        raise error(f"the values of {name} are no array ({why}), expected {expected} ones.") from None
    masked = int(np.count_nonzero(getattr(array, "mask", False)))
    if masked:
        raise error(f"{masked} of {array.size} values of {name} are masked, expected {expected} numbers; fill them in.")
    if array.dtype.kind not in kinds and not (array.size == 0 and array.dtype.kind == "f"):  # as that of []
        held = KINDS.get(array.dtype.kind, str(array.dtype))
        if array.dtype.kind == "c":
            remedy = "give the real part if that is meant"
        raise error(f"the values of {name} are {held}, expected {expected} ones{f'; {remedy}' if remedy else ''}.")
    return np.asarray(array)


def _place(index: int, shape: tuple[int, ...]) -> str:
    """Return the words for the place of a value, by its index in C order."""
    import numpy as np

    place = tuple(int(i) for i in np.unravel_index(index, shape))
    return f" at index {place if len(place) > 1 else place[0]}" if place else ""


def _axes(expected: Sequence[int | str | EllipsisType]) -> str:
    """Return a shape as an error sentence shows it."""
    words = ", ".join("..." if axis is ... else str(axis) for axis in expected)
    return f"({words}{',' * (len(expected) == 1)})"
