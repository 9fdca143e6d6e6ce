"""Steps from one schema of the catalogue to the next, run by alembic inside the transaction that opens it."""
