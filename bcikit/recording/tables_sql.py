"""Tables of the session catalogue."""

import secrets
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

FORMER = "former_codes"
"""Key of `Subject.data`: codes under which older folders of the person are named."""


class Base(MappedAsDataclass, DeclarativeBase):
    """Base of all tables; rows are plain dataclasses."""


class Subject(Base, kw_only=True):
    """A person, by a code that names nobody.

    Attributes
    ----------
    code : str
        Code of the person; who it is stands elsewhere.
    created : str
        When it was entered, ISO 8601, UTC.
    birth_year : int or None
        Year only.
    hand : str
        "left", "right", "both" or empty.
    affected_side : str
        "left", "right", "both" or empty.
    data : dict
        Anything else, ready for JSON.
    trail_key : str
        Random; the audit trail names the person by a hash that needs it, so that nobody can be found by trying all
        codes once it is erased with the person.
    """

    __tablename__ = "subjects"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[str] = mapped_column(String(32))
    birth_year: Mapped[int | None] = mapped_column(Integer, default=None)
    hand: Mapped[str] = mapped_column(String(8), default="")
    affected_side: Mapped[str] = mapped_column(String(8), default="")
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default_factory=dict)
    trail_key: Mapped[str] = mapped_column(
        String(64), server_default="", default_factory=lambda: secrets.token_hex(32), repr=False
    )


class SessionEntry(Base, kw_only=True):
    """A session folder.

    Attributes
    ----------
    subject_id : int
        Whose.
    path : str
        The session folder.
    started : str
        ISO 8601, UTC.
    paradigm : str
        What was done.
    status : str
        How it ended.
    seconds : float
        Length of the signals.
    results : dict
        Numbers of the whole session: accuracy, n_trials, lost_samples, ...
    notes : str
        Of the operator.
    """

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    subject_id: Mapped[int] = mapped_column(ForeignKey("subjects.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(Text, unique=True)
    started: Mapped[str] = mapped_column(String(32), index=True)
    paradigm: Mapped[str] = mapped_column(String(64), default="")
    status: Mapped[str] = mapped_column(String(32), default="")
    seconds: Mapped[float] = mapped_column(Float, default=0.0)
    results: Mapped[dict[str, Any]] = mapped_column(JSON, default_factory=dict)
    notes: Mapped[str] = mapped_column(Text, default="")


class RunRow(Base, kw_only=True):
    """A part of a session: a calibration, a feedback run.

    Attributes
    ----------
    session_id : int
        In which session.
    number : int
        Counted from 1.
    kind : str
        "calibration", "feedback", ...
    results : dict
        Numbers of the run.
    """

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_once", "session_id", "number", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    number: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(32), default="")
    results: Mapped[dict[str, Any]] = mapped_column(JSON, default_factory=dict)


class ModelEntry(Base, kw_only=True):
    """A decoder of a person.

    Attributes
    ----------
    subject_id : int
        Whose.
    path : str
        The model file.
    created : str
        ISO 8601, UTC.
    decoder, paradigm : str
        What it is and what for.
    scores : dict
        Cross-validated scores.
    """

    __tablename__ = "models"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    subject_id: Mapped[int] = mapped_column(ForeignKey("subjects.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(Text)
    created: Mapped[str] = mapped_column(String(32))
    decoder: Mapped[str] = mapped_column(String(64), default="")
    paradigm: Mapped[str] = mapped_column(String(64), default="")
    scores: Mapped[dict[str, Any]] = mapped_column(JSON, default_factory=dict)


class OutcomeRow(Base, kw_only=True):
    """A clinical measure.

    Attributes
    ----------
    subject_id : int
        Whose.
    scale : str
        "FMA-UE", "ARAT", "grip force", ...
    value : float
        In `unit`.
    unit : str
        "points", "kg", ...
    measured : str
        When, ISO 8601.
    session_id : int or None
        With which session.
    notes : str
        Anything else.
    """

    __tablename__ = "outcomes"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    subject_id: Mapped[int] = mapped_column(ForeignKey("subjects.id", ondelete="CASCADE"), index=True)
    scale: Mapped[str] = mapped_column(String(64), index=True)
    value: Mapped[float] = mapped_column(Float)
    measured: Mapped[str] = mapped_column(String(32))
    unit: Mapped[str] = mapped_column(String(16), default="points")
    session_id: Mapped[int | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"), default=None)
    notes: Mapped[str] = mapped_column(Text, default="")


class AuditEntry(Base, kw_only=True):
    """One act on the catalogue, chained to the one before by its hash.

    Attributes
    ----------
    time : str
        ISO 8601, UTC.
    who : str
        Who did it.
    action : str
        "add subject", "erase subject", ...
    subject : str
        Hash of the code, keyed by the person's own key: it can be checked while the person is entered, and names nobody
        once that key is gone.
    detail : dict
        Counts and the reason.
    previous, hash : str
        SHA-256 of the entry before and of this one.
    """

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    time: Mapped[str] = mapped_column(String(32))
    who: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), default="")
