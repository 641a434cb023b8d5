"""Check single values: numbers, names and instances of classes; and the words of the sentences."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Sequence
from difflib import get_close_matches
from numbers import Integral, Real
from typing import TypeVar

from sciml.errors import InputError

T = TypeVar("T")

LONGEST_VALUE = 80  # characters of a value that are shown in a sentence


def whole_number(
    name: str,
    value: object,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    remedy: str = "",
    error: type[InputError] = InputError,
) -> int:
    """Return an integer within bounds; booleans and floats with an integral value are refused.

    Parameters
    ----------
    name : the subject of the error sentence, such as ``"the number of rounds"``
    value : what was given; NumPy integers are taken and returned as ``int``
    at_least, at_most : the bounds, both included; None for no bound
    remedy : what to do about it, the part of the sentence after the semicolon
    error : the class of the error

    Examples
    --------
    >>> whole_number("steps", 3, at_least=1)
    3
    >>> whole_number("steps", 0, at_least=1)
    Traceback (most recent call last):
    sciml.errors.InputError: steps is 0, expected a whole number of at least 1.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, Integral)
        or (at_least is not None and value < at_least)
        or (at_most is not None and value > at_most)
    ):
        if at_least is not None and at_most is not None:
            bounds = f" from {at_least} to {at_most}"
        else:
            bounds = f" of at least {at_least}" if at_least is not None else ""
            bounds += f" of at most {at_most}" if at_most is not None else ""
        raise error(sentence(name, value, f"a whole number{bounds}", remedy))
    return int(value)


def number(  # noqa: PLR0913 - a bound of each kind
    name: str,
    value: object,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    remedy: str = "",
    error: type[InputError] = InputError,
) -> float:
    """Return a finite real number within bounds.

    Parameters
    ----------
    name : the subject of the error sentence
    value : what was given; integers and NumPy scalars are taken and returned as ``float``
    at_least, at_most : bounds that the number may attain
    above, below : bounds that it may not attain
    remedy : what to do about it, the part of the sentence after the semicolon
    error : the class of the error

    Examples
    --------
    >>> number("the Courant number", 1.5, above=0, at_most=1)
    Traceback (most recent call last):
    sciml.errors.InputError: the Courant number is 1.5, expected a positive number of at most 1.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, Real)
        or not _is_finite(value)
        or (at_least is not None and value < at_least)
        or (above is not None and value <= above)
        or (at_most is not None and value > at_most)
        or (below is not None and value >= below)
    ):
        raise error(sentence(name, value, _numbers_within(at_least, above, at_most, below), remedy))
    return float(value)


def positive(name: str, value: object, *, remedy: str = "", error: type[InputError] = InputError) -> float:
    """Return a positive finite number; zero, infinity and not-a-number are refused.

    Examples
    --------
    >>> positive("the time step", 0.0)
    Traceback (most recent call last):
    sciml.errors.InputError: the time step is 0.0, expected a positive number.
    """
    return number(name, value, above=0, remedy=remedy, error=error)


def choice(name: str, value: T, known: Iterable[T], *, error: type[InputError] = InputError) -> T:
    """Return a value that is one of those known; the error names the nearest one.

    Examples
    --------
    >>> choice("the optimizer", "addam", ("adam", "soap"))
    Traceback (most recent call last):
    sciml.errors.InputError: the optimizer is 'addam', expected one of adam, soap; did you mean 'adam'?
    """
    known = list(known)
    if not _is_one_of(value, known):
        options = ", ".join(map(str, known)) or "none"
        end = did_you_mean(value, map(str, known)) or "."
        raise error(f"{name} is {shown(value)}, expected {'one of ' * (len(known) > 1)}{options}{end}")
    return value


def instance(
    name: str,
    value: T,
    kinds: type | tuple[type, ...],
    expected: str,
    *,
    remedy: str = "",
    error: type[InputError] = InputError,
) -> T:
    """Return an instance of a class, or of one of several; ``expected`` names them in the error sentence.

    Examples
    --------
    >>> instance("faithful", "yes", bool, "True or False")
    Traceback (most recent call last):
    sciml.errors.InputError: faithful is 'yes', expected True or False.
    """
    if not isinstance(value, kinds):
        raise error(sentence(name, value, expected, remedy))
    return value


def known_names(
    what: str, names: Iterable[str], known: Collection[str], *, error: type[InputError] = InputError
) -> None:
    """Refuse a name that nothing reads; the error names the nearest of those that something does.

    Parameters
    ----------
    what : the subject of the error sentence, such as ``"the name of an array"``
    names : those that are there
    known : those that are read
    error : the class of the error

    Examples
    --------
    >>> known_names("the name of an array", ["b", "Outside"], ("b", "outside"))
    Traceback (most recent call last):
    sciml.errors.InputError: the name of an array is 'Outside', expected one of b, outside; did you mean 'outside'?
    """
    for name in names:
        choice(what, name, known, error=error)


def sentence(name: str, value: object, expected: str, remedy: str = "") -> str:
    """Return the sentence of a value that is not what was expected."""
    return f"{name} is {shown(value)}, expected {expected}{f'; {remedy}' if remedy else ''}."


def shown(value: object) -> str:
    """Return a value as an error sentence shows it: NumPy scalars as plain numbers, long values cut short, one line."""
    if isinstance(value, Integral | Real) and hasattr(value, "item"):
        value = value.item()
    if type(value).__repr__ is object.__repr__ or hasattr(value, "named_modules"):  # an address; a page, of a network
        return f"a {type(value).__name__}"
    try:
        text = repr(value)
    except ValueError:  # Python writes no integers of more than 4300 digits
        text = "an integer of thousands of digits" if isinstance(value, Integral) else f"a {type(value).__name__}"
    if "\n" in text:  # as arrays and tensors have it
        text = " ".join(text.split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 4] + " ..."


def did_you_mean(name: object, valid: Iterable[str]) -> str:
    """Return ``; did you mean 'adam'?`` for a name near a valid one, otherwise nothing."""
    if not isinstance(name, str):
        return ""
    valid = list(valid)
    folded = {each.casefold(): each for each in valid}
    near = get_close_matches(name, valid, 1) or [folded[n] for n in get_close_matches(name.casefold(), folded, 1)]
    return f"; did you mean {near[0]!r}?" if near else ""


def _numbers_within(at_least: float | None, above: float | None, at_most: float | None, below: float | None) -> str:
    """Return the words for the finite numbers within bounds."""
    if at_least is not None and at_most is not None:
        return f"a number from {at_least:g} to {at_most:g}"
    if above is not None and below is not None:
        return f"a number greater than {above:g} and less than {below:g}"
    words = "a positive number" if above == 0 else "a finite number" if _none(at_least, above) else "a number"
    bounds = []
    if at_least is not None:
        bounds.append(f"of at least {at_least:g}")
    if above:
        bounds.append(f"greater than {above:g}")
    if at_most is not None:
        bounds.append(f"of at most {at_most:g}")
    if below is not None:
        bounds.append(f"less than {below:g}")
    return " ".join([words, " and ".join(bounds)]).rstrip()


def _is_one_of(value: object, known: Sequence[object]) -> bool:
    """Return whether a value is among those known; an array, which compares to no single truth value, is not."""
    try:
        return isinstance(value, Hashable) and value in known
    except (RuntimeError, TypeError, ValueError):
        return False


def _is_finite(value: Real) -> bool:
    """Return whether a real number is finite as a float; an integer may be too large for one."""
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _none(*bounds: float | None) -> bool:
    return all(bound is None for bound in bounds)
