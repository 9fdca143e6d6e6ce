"""The schema of the catalogue: made or brought up to date when it is opened, by one program at a time."""

from importlib.resources import as_file, files

from sqlalchemy import Connection, Engine, event, inspect, text

from bcikit.signal import RecordingError

HEAD = "0002"
"""Number of the newest schema; see `bcikit/recording/migrations/versions`."""

_LOCK = 0x6263696B6974
"""Of PostgreSQL: "bcikit"."""

WRITING = "bcikit_writing"
"""Execution option of a connection whose transaction writes."""


def one_at_a_time(connection: Connection) -> None:
    """Wait until no other transaction that writes is going on; the lock ends with the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def bring_up_to_date(engine: Engine) -> None:
    """Make the tables of an empty database, or take those of an earlier version to this one's.

    Raises
    ------
    RecordingError
        If a newer version made them.
    """
    with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        one_at_a_time(connection)
        names = set(inspect(connection).get_table_names())
        found = ""
        if "alembic_version" in names:
            found = str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")
        if found == HEAD:
            return
        if found > HEAD:
            raise RecordingError(
                f"The catalogue has the schema {found}, made by a newer version; this one knows up to {HEAD}."
            )
        _migrate(connection, stamped=not found and "subjects" in names)


def _migrate(connection: Connection, *, stamped: bool) -> None:
    from alembic import command
    from alembic.config import Config

    with as_file(files("bcikit.recording") / "migrations") as folder:
        config = Config()
        # A per cent sign of the folder's name means something to the reader of the settings.
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        if stamped:
            # Version 0.1.0 made its tables without a number.
            command.stamp(config, "0001")
        command.upgrade(config, HEAD)


def prepare_sqlite(engine: Engine) -> None:
    """Have SQLite keep references, overwrite what is erased, and wait for others instead of failing."""

    @event.listens_for(engine, "connect")
    def _connect(connection: object, _: object) -> None:
        # Transactions begin where SQLAlchemy says so, and not where the driver guesses.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.execute("PRAGMA busy_timeout=60000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that writes takes the lock at once: one that reads first could lose its turn in between.
        writing = connection.get_execution_options().get(WRITING)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
