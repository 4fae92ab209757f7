"""Numbers for words, in the order of their first appearance."""

from collections.abc import Iterable


class Numbering(dict[str, int]):
    """Gives the next number to a word that is asked for the first time; ``words`` are in that order."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = list(words)
        super().__init__(zip(self.words, range(len(self.words)), strict=True))

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self.words)
        self.words.append(word)
        return number

    def truncate(self, size: int) -> None:
        """Forget the words whose number is ``size`` or more."""
        for word in self.words[size:]:
            del self[word]
        del self.words[size:]
