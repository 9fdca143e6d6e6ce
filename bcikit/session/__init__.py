"""One configuration file, preflight, the engine, replay, reports."""
