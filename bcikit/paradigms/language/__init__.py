"""A small language model: what letter, and which word, comes next."""

from bcikit.paradigms.language.model import SPACE, LanguageModel

__all__ = ["SPACE", "LanguageModel"]
