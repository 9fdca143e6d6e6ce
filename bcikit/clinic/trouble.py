"""What goes wrong while a button is pressed reaches who pressed it: a full disk, a catalogue that fails."""

import sys
import traceback
from collections.abc import Callable
from types import TracebackType

from bcikit.clinic.times import local
from bcikit.signal import BciError
from bcikit.ui.words import tr


def trouble_words(error: BaseException) -> str:
    """Return what a person is told of an error."""
    if isinstance(error, BciError):
        return str(error)
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return tr("The disk does not take it: {why}{where}. Make room, then press again; nothing was left out.").format(
            why=error.strerror or error, where=where
        )
    return tr(
        "Something went wrong inside the program ({what}). What was recorded is kept; tell who cares for it."
    ).format(what=f"{type(error).__name__}: {error}")


def outdated_words(started: str) -> str:
    """Return why nothing begins in a visit of another day, and what to do."""
    return tr(
        "This visit began {when}: what was asked and tested then says nothing of now. End the visit and begin "
        "another one; what was recorded is kept, and its report can still be made."
    ).format(when=local(started))


def tell_trouble(say: Callable[[str], object]) -> Callable[[], None]:
    """Hand errors that nobody took to `say`, and on to whoever heard them before; return what undoes that.

    Qt drops what is raised while it calls: without this the window would go on as if the button had not been pressed.
    """
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        if isinstance(error, Exception):
            say(trouble_words(error))
        if isinstance(error, BciError | OSError):
            # A person knows now; the trace is for the log.
            traceback.print_exception(kind, error, where)
        else:
            before(kind, error, where)

    sys.excepthook = hook

    def undo() -> None:
        if sys.excepthook is hook:
            sys.excepthook = before

    return undo
