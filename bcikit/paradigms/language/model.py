"""Letter and word prediction from a list of words in order of frequency."""

from collections.abc import Mapping, Sequence
from pathlib import Path

SPACE = "_"
"""The item that ends a word."""

# Letter frequencies of English text in per cent (Lewand 2000), with a fifth of the weight for the space.
_LETTERS = dict(
    zip(
        "ETAOINSHRDLCUMWFGYPBVKJXQZ",
        (12.7, 9.06, 8.17, 7.51, 6.97, 6.75, 6.33, 6.09, 5.99, 4.25, 4.03, 2.78, 2.76, 2.41, 2.36, 2.23, 2.02, 1.97,
         1.93, 1.49, 0.98, 0.77, 0.15, 0.15, 0.10, 0.07),
        strict=True,
    )
)  # fmt: skip


class LanguageModel:
    """Words weighted by Zipf's law over their rank, mixed with letter frequencies and a uniform share.

    Parameters
    ----------
    words : sequence of str, optional
        In order of frequency; the shipped English list if left out.
    weight : float
        Share of the words in the mixture, 0 to 1; the rest is letters.
    uniform : float
        Share of the uniform distribution, so that nothing is impossible.
    """

    def __init__(self, words: Sequence[str] | None = None, *, weight: float = 0.7, uniform: float = 0.1) -> None:
        if words is None:
            words = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split()
        self._words = {word.upper(): 1.0 / (rank + 2.7) for rank, word in reversed(list(enumerate(words)))}
        self.weight = weight
        self.uniform = uniform

    @staticmethod
    def prefix(text: str) -> str:
        """Return the word that is being written at the end of `text`."""
        return text.upper().replace(" ", SPACE).rpartition(SPACE)[2]

    def complete(self, text: str, count: int) -> list[str]:
        """Return the likeliest words that begin like the one being written."""
        start = self.prefix(text)
        fitting = [word for word in self._words if word.startswith(start) and word != start]
        return sorted(fitting, key=lambda word: (-self._words[word], word))[:count]

    def next_item(self, text: str, items: Sequence[str]) -> dict[str, float]:
        """Return the probability of each item after `text`; items that are no letter share what is uniform.

        ``P(i | prefix) = u/N + (1-u) [w P_words(i | prefix) + (1-w) P_letters(i)]``
        """
        start = self.prefix(text)
        words: dict[str, float] = {}
        for word, value in self._words.items():
            if word.startswith(start):
                letter = word[len(start)] if len(word) > len(start) else SPACE
                words[letter] = words.get(letter, 0.0) + value
        letters = {**_LETTERS, SPACE: 20.0 if start else 0.0}
        by_word = _over(words, items)
        by_letter = _over(letters, items)
        weight = self.weight if by_word else 0.0
        rest = 1.0 / len(items)
        mixed = {
            item: self.uniform * rest
            + (1.0 - self.uniform) * (weight * by_word.get(item, 0.0) + (1.0 - weight) * by_letter.get(item, 0.0))
            for item in items
        }
        total = sum(mixed.values())
        return {item: value / total for item, value in mixed.items()}


def _over(weights: Mapping[str, float], items: Sequence[str]) -> dict[str, float]:
    """Return `weights` of the items among them, as shares; empty if there are none."""
    found = {item: weights[item] for item in items if weights.get(item, 0.0) > 0.0}
    total = sum(found.values())
    return {item: value / total for item, value in found.items()}
