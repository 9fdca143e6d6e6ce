"""Chinese words of the interface. Terms follow YY/T 1987-2025 and ISO/IEC 8663:2025 where those have one."""

CHINESE: dict[str, str] = {}
