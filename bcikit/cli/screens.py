"""The person's screen on the command line: a window of its own, the page in a browser, or none."""

from typing import TYPE_CHECKING

from bcikit.signal import check_choice

if TYPE_CHECKING:
    from bcikit.session.config import SessionConfig

SCREENS = ("auto", "none", "second", "beside", "full", "window", "page", "frames")
"""What ``--screen`` may be: a place of the window, "page" for a browser of this machine, or "frames" for a screen in
memory, at which a simulated user looks faster than life."""


def with_screen(config: "SessionConfig", screen: str, *, language: str = "", headless: bool = False) -> "SessionConfig":
    """Return a session with the person's screen among its outputs.

    Parameters
    ----------
    config : SessionConfig
        The session; a simulated user in it becomes one at the pace of life, since no screen but the one in memory
        shows anything faster.
    screen : str
        One of `SCREENS`; "auto" opens a window where there is a display and the source is live.
    language : str
        "en" or "zh"; where it is empty, that of the browser on a page, and English in a window.
    headless : bool
        With "auto": no window.
    """
    from bcikit.cli.launch import has_display
    from bcikit.session.config import OutputSection
    from bcikit.session.from_config import shows
    from bcikit.session.shipped import with_options

    check_choice("--screen", screen, SCREENS)
    check_choice("--language", language, ("", "en", "zh"))
    address = config.source.address
    simulated = address.startswith("sim:")
    if screen == "auto":
        screen = "second" if not headless and has_display() and _comes_live(address) else "none"
    if screen == "none" or shows(config):
        return config
    shown = {"page": "ws:?screen=1", "frames": "frames:"}.get(screen, f"screen:?place={screen}")
    if language:
        shown = with_options(shown, language=language)
    changes: dict[str, object] = {"outputs": [*config.outputs, OutputSection(address=shown)]}
    if simulated and screen != "frames":
        changes["source"] = config.source.model_copy(update={"address": with_options(address, live=1)})
    return config.model_copy(update=changes)


def _comes_live(address: str) -> bool:
    """Return whether samples come at their own pace; a source of which nothing here tells that is opened and asked."""
    from bcikit.acquisition import open_source
    from bcikit.signal import Address, BciError

    try:
        scheme = Address.parse(address).scheme
        if scheme in ("brainflow", "lsl") or "live=1" in address:
            return True
        if scheme in ("sim", "file"):
            return False
        source = open_source(address)
    except BciError:
        # The plan says what is wrong with it.
        return False
    try:
        return source.live
    finally:
        source.close()
