"""Dialects of tables: one TOML file a program."""
