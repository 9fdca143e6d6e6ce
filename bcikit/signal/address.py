"""Addresses of sources, outputs and drivers: ``scheme:body?key=value``, the same in Python, the shell and files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl

from bcikit.signal.checks import check_choice, check_range
from bcikit.signal.errors import ArgumentError
from bcikit.signal.secrecy import HIDDEN


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a source, an output or a driver, taken apart.

    Attributes
    ----------
    scheme : str
        "brainflow", "lsl", "file", "sim", "dut" or what an entry point added.
    body : str
        What stands before the question mark: a board, a path, a task.
    options : mapping of str to str
        What stands after it.
    """

    scheme: str
    body: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the parts of `text`.

        A body of the form ``key=value&key=value`` (as in ``lsl:name=EEG``) counts as options, too. In options, ``%26``
        is an "&", ``%3F`` a "?" and ``%25`` a "%".

        Raises
        ------
        ArgumentError
            If there is no scheme, or an option has no value.
        """
        scheme, colon, rest = text.partition(":")
        # One letter is a drive of Windows.
        if not colon or len(scheme) < 2 or "/" in scheme or "\\" in scheme:
            raise ArgumentError(
                f"{text!r} is no address of a source; it must be like 'brainflow:synthetic', 'lsl:name=EEG', "
                "'file:recording.edf' or 'sim:motor-imagery?seed=1'."
            )
        body, _, query = rest.partition("?")
        first = body.partition("&")[0]
        if scheme != "file" and "=" in first:
            # The question mark may be that of an address in an option.
            body, query = "", f"{body}&{query}" if query and "join=" not in body else rest
        if any(letter < " " for letter in body):
            # TOML's "C:\temp\new.edf" has a tab and a line end in it, and looks right when it is shown.
            raise ArgumentError(
                f"{body!r} has a tab, a line end or another such letter in it; in TOML, a path with backslashes stands "
                "in 'single quotes'."
            )
        try:
            # A plus is a plus: names have it, and nobody writes a space so on a command line.
            pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True, strict_parsing=bool(query))
            options = dict(pairs)
        except ValueError:
            raise ArgumentError(f"{text!r}: the options {query!r} must be like 'key=value&key=value'.") from None
        return cls(scheme.lower(), body, options)

    def __str__(self) -> str:
        query = "&".join(f"{key}={_quoted(value)}" for key, value in self.options.items())
        if not self.body:
            return f"{self.scheme}:{query}"
        return f"{self.scheme}:{self.body}" + (f"?{query}" if query else "")

    def with_option(self, key: str, value: str) -> "Address":
        """Return the address with one option set."""
        return Address(self.scheme, self.body, {**self.options, key: value})

    def without_option(self, key: str) -> "Address":
        """Return the address without one option."""
        return Address(self.scheme, self.body, {k: v for k, v in self.options.items() if k != key})

    def check_whole(self) -> None:
        """Refuse an address out of a session's record, where its secrets are hidden.

        Raises
        ------
        ArgumentError
            Naming the option that must be stated again.
        """
        for key, value in self.options.items():
            if value == HIDDEN:
                raise ArgumentError(
                    f"{key} of {self.scheme}:{self.body} is {HIDDEN!r}: it was hidden where this address was kept. "
                    "State it again, or leave it out where one can be made up."
                )

    def check_options(self, allowed: Iterable[str]) -> None:
        """Refuse options that the scheme does not know.

        Raises
        ------
        ArgumentError
            Naming the option and what is allowed.
        """
        names = tuple(allowed)
        for key in self.options:
            check_choice(f"option of {self.scheme}:{self.body}", key, names)

    def number(self, key: str, default: float, *, low: float = float("-inf"), high: float = float("inf")) -> float:
        """Return an option as a number within limits."""
        if key not in self.options:
            return default
        return check_range(f"{key} of {self.scheme}:{self.body}", self.options[key], low=low, high=high)  # type: ignore[arg-type]

    def flag(self, key: str, *, default: bool) -> bool:
        """Return an option as true or false."""
        if key not in self.options:
            return default
        text = self.options[key].lower()
        if text in ("1", "true", "yes", "on", ""):
            return True
        if text in ("0", "false", "no", "off"):
            return False
        raise ArgumentError(f"{key} of {self.scheme}:{self.body} is {text!r}; allowed: true, false.")


def _quoted(value: str) -> str:
    """Return a value as it must be written in an address: only what would be taken for something else is quoted."""
    return "".join(f"%{ord(letter):02X}" if letter in "%&?" else letter for letter in value)
