"""A log of problems that do not end a source: counted, and reported once for each kind."""

from __future__ import annotations


class WarningLog:
    """Kinds of warnings with their counts. Filled by one thread, read by any."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.cut = False
        """True if the source ended before its own end."""

    def add(self, kind: str, count: int = 1) -> None:
        """Count trouble of a kind: a sentence, with `{count}` where the number goes if there is one."""
        self._counts[kind] = self._counts.get(kind, 0) + count

    def add_cut(self, kind: str) -> None:
        """Count trouble that ends the source early."""
        self.cut = True
        self.add(kind)

    @property
    def messages(self) -> tuple[str, ...]:
        """One sentence for each kind so far, in the order in which they appeared first."""
        return tuple(kind.replace("{count}", str(count)) for kind, count in tuple(self._counts.items()))
