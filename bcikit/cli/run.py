"""`bcikit run`: a session from its file, or a shipped paradigm with a simulated user."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bcikit.signal import BciError, ConfigError


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""

    @app.command()
    def run(
        session: Annotated[
            str,
            typer.Argument(
                help="A session file (session.toml), paradigm:NAME for a shipped paradigm (paradigm:list lists them), "
                "or a paradigm's own file."
            ),
        ],
        *,
        user: Annotated[str, typer.Option("--user", help="'sim' puts a simulated user in front of a paradigm.")] = "",
        source: Annotated[
            str, typer.Option("--source", help="Address of the source for a paradigm, such as lsl:name=EEG.")
        ] = "",
        screen: Annotated[
            str,
            typer.Option(
                "--screen",
                help="What the person sees it on: second (display), beside, full, window, page (a browser), frames, "
                "none; auto opens a window where there is a display and a live source.",
            ),
        ] = "auto",
        language: Annotated[
            str,
            typer.Option(
                "--language", help="Language of that screen: en or zh; the browser's for a page, else en, if left out."
            ),
        ] = "",
        headless: Annotated[bool, typer.Option("--headless", help="No window, even where there is a display.")] = False,
        out: Annotated[Path | None, typer.Option("--out", help="Session folder to make.")] = None,
        seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random.")] = None,
        subject: Annotated[
            str, typer.Option("--subject", help="Pseudonymous code of the person; the file's if left out.")
        ] = "",
        operator: Annotated[
            str,
            typer.Option(
                "--operator", help="Code or role of who attends it, arms it and stops it; the file's if left out."
            ),
        ] = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print result.json instead of words.")] = False,
    ) -> None:
        """Run a session: preflight, calibration, paradigm, report."""
        if session == "paradigm:list":
            from bcikit.paradigms import paradigm_names

            for name in paradigm_names():
                typer.echo(name)
            return
        from bcikit.cli.launch import attending, launch
        from bcikit.cli.screens import with_screen

        config = _config(session, user=user, source=source, out=out, seed=seed, subject=subject)
        config = with_screen(config, screen, language=language, headless=headless)
        launch(config, headless=headless, as_json=as_json, operator=attending(config, operator))


def _config(session: str, *, user: str, source: str, out: Path | None, seed: int | None, subject: str) -> Any:
    from bcikit.paradigms import paradigm_names
    from bcikit.session.config import SessionSection, load_config
    from bcikit.session.shipped import is_paradigm_file, shipped_config
    from bcikit.signal.settings import check_settings

    if session.startswith("paradigm:") or is_paradigm_file(session):
        if user not in ("", "sim"):
            raise BciError(f"--user is {user!r}; allowed: sim. For a person, name the device with --source.")
        if bool(user) == bool(source):
            raise BciError("Say who is there: --user sim for a simulated user, or --source ADDRESS for a device.")
        config = shipped_config(session, source=source, seed=seed or 0)
    else:
        if session in paradigm_names() and not Path(session).exists():
            raise ConfigError(session, [f"there is no such file; the shipped paradigm is 'paradigm:{session}'"])
        config = load_config(session)
        if user or source:
            raise ConfigError(session, ["--user and --source go with a paradigm; a session file names its source."])
    changes: dict[str, Any] = {}
    if out is not None:
        changes["recording"] = config.recording.model_copy(update={"folder": str(out), "enabled": True})
    about = {key: value for key, value in (("seed", seed), ("subject", subject or None)) if value is not None}
    if about:
        values = {**config.session.model_dump(exclude_unset=True), **about}
        changes["session"] = check_settings(SessionSection, values, where="session")
    return config.model_copy(update=changes)
