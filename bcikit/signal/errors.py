"""Errors of bcikit: one family, each naming what is wrong, where, and what to do."""

from collections.abc import Iterable

from bcikit.signal.secrecy import without_secrets


class BciError(Exception):
    """Base of every error that bcikit raises on purpose.

    The command line prints its text without a traceback and exits with `exit_code`.

    Attributes
    ----------
    exit_code : int
        2, "bad input or set-up", unless a subclass says otherwise.
    """

    exit_code = 2

    def __str__(self) -> str:
        # What it names may be an address with a token or a password in it, and it goes to consoles, logs and records.
        return without_secrets(super().__str__())


class ArgumentError(BciError, ValueError):
    """An argument has a value that is not allowed."""


class SourceError(BciError):
    """A source cannot be opened, or what it delivers cannot be used."""


class StreamLostError(SourceError):
    """A stream that was running is gone and could not be had back."""


class StreamEndedError(SourceError):
    """A stream that has an end, a file or a simulation, is over: nothing more will come of it.

    Parameters
    ----------
    name : str
        Of the stream.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is over: nothing more will come. Ask `ended` before `pull`, or iterate over it.")


class StreamChangedError(SourceError):
    """A stream came back with other channels or another rate and must not be mapped onto the old one."""


class DataError(BciError, ValueError):
    """Data cannot be used for what was asked: too few trials, one class, missing channels, NaN."""


class ConfigError(BciError):
    """A configuration is wrong; every problem found is listed.

    Parameters
    ----------
    where : str
        The file or object that was checked.
    problems : iterable of str
        One line a problem, each naming the key, the value and what is allowed.
    """

    def __init__(self, where: str, problems: Iterable[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{where}: {count} problem{'s' if count != 1 else ''}"
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))


class PluginError(BciError, ImportError):
    """A plug-in of another package cannot be loaded, or is not what its kind asks for."""


class ModelError(BciError):
    """A model file cannot be loaded, is not trusted, or does not fit the stream."""


class RecordingError(BciError):
    """A recording cannot be written or read."""


class SafetyError(BciError):
    """A safety rule refuses what was asked."""


def install_hint(extra: str) -> str:
    """Return how to get an extra of bcikit; the name bcikit on the Python index is somebody else's package."""
    return f"in bcikit's checkout 'uv sync --extra {extra}', or with its wheel pip install 'WHEEL[{extra}]'"


class MissingDependencyError(BciError, ImportError):
    """A feature needs a package that is not installed.

    Parameters
    ----------
    package : str
        Import name of the package.
    extra : str
        The extra of bcikit that brings it.
    feature : str
        What needs it, as a user would say it.
    how : str
        How to get it, where no extra brings it.
    """

    def __init__(self, package: str, extra: str, feature: str, *, how: str = "") -> None:
        self.package = package
        self.extra = extra
        super().__init__(f"{feature} needs the package {package!r}: {how or install_hint(extra)}")
