"""The errors that sciml raises. Each message is a sentence: what was wrong, what was expected and what to do."""


class SciMLError(Exception):
    """Base of every error that sciml raises on purpose."""


class InputError(SciMLError, ValueError):
    """An argument has the wrong value, shape or type."""


class MeshFileError(SciMLError):
    """A mesh file cannot be read or written."""


class DataFormatError(SciMLError):
    """A data, matrix or vector file cannot be read as the format it claims to be."""


class NotStructuredError(InputError):
    """A sparse matrix is not a 5-point or 7-point stencil on a grid."""


class IncompatibleRightHandSideError(InputError):
    """A singular system has no solution because the right-hand side does not sum to zero on a closed component."""


class SingularSystemError(InputError):
    """A linear system has no unique solution, such as that of a graph with a component that nothing holds fixed."""


class DivergenceError(SciMLError):
    """A computation produced values that are not finite."""


class CharacteristicCrossingError(SciMLError):
    """Several characteristics arrive at one point, where a field would have several values."""


class PoorFitError(SciMLError):
    """A fit leaves a residual that is too large for what is asked of it."""


class MissingExtraError(SciMLError, ImportError):
    """An optional package is not installed."""


class ConfigError(InputError):
    """A config file asks for something that does not exist, or has the wrong type."""


class CheckpointError(SciMLError):
    """A checkpoint or a weights file cannot be read, or belongs to something else."""
