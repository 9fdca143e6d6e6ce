"""Run numbers are given once, and every person has a key of their own for the audit trail."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Give doubled runs numbers of their own, forbid further ones, give each person a key."""
    connection = op.get_bind()
    op.add_column("subjects", sa.Column("trail_key", sa.String(64), nullable=False, server_default=""))
    for (number,) in connection.execute(sa.text("SELECT id FROM subjects")).all():
        connection.execute(
            sa.text("UPDATE subjects SET trail_key = :key WHERE id = :id"),
            {"key": secrets.token_hex(32), "id": number},
        )
    taken: dict[int, set[int]] = {}
    rows = connection.execute(sa.text("SELECT id, session_id, number FROM runs ORDER BY id")).all()
    for identity, session, number in rows:
        used = taken.setdefault(session, set())
        fresh = number if number not in used else max(used) + 1
        used.add(fresh)
        if fresh != number:
            connection.execute(
                sa.text("UPDATE runs SET number = :number WHERE id = :id"), {"number": fresh, "id": identity}
            )
    op.create_index("ix_runs_once", "runs", ["session_id", "number"], unique=True)
