"""Names of files as texts."""


def printable_name(name: str) -> str:
    """Return a name of a file as text: bytes that are none in the encoding of the system are written out."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
