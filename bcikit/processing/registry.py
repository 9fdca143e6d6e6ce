"""Every step by the name it has in a configuration."""

from bcikit import plugins
from bcikit.processing.step import Step
from bcikit.signal import PluginError


def step_class(name: str) -> type[Step]:
    """Return the class of a step by its name ("bandpass", "notch", ...).

    Raises
    ------
    ArgumentError
        If no step has this name; the message says which are near.
    PluginError
        If the step of another package cannot be loaded, or is none.
    """
    found = plugins.load("steps", name)
    if not (isinstance(found, type) and issubclass(found, Step)):
        raise PluginError(f"the step {name!r} of {plugins.find('steps', name).package} is no class of Step: {found!r}.")
    return found
