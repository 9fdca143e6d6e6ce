"""What alembic runs: on the connection that the catalogue hands over, in its transaction."""

from alembic import context

from bcikit.recording.tables_sql import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
