"""One mechanism for every extension: a name, an implementation, one import line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Generic, TypeVar

from nas.errors import UnknownName

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names to implementations; loud on a miss and on a second meaning.

    Args:
        kind: What is registered, in words a user reads in an error ("block family").
        home: Module whose import enters everything. It is complete before anything is looked up, also when another
            thread is in the middle of importing it.
    """

    def __init__(self, kind: str, home: str = "") -> None:
        self.kind = kind
        self.home = home
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that enters an implementation under `name`.

        Raises:
            ValueError: If `name` already means something else. A programming error, not a user's.
        """

        def enter(implementation: T) -> T:
            known = self._entries.setdefault(name, implementation)
            if known is not implementation:
                raise ValueError(f"{self.kind} {name!r} already means {known!r}")
            return implementation

        return enter

    def get(self, name: str) -> T:
        """Implementation registered under `name`.

        Raises:
            UnknownName: With the nearest spelling.
        """
        try:
            return self._known()[name]
        except KeyError:
            raise UnknownName(self.kind, name, self.names()) from None

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._known()))

    def __contains__(self, name: object) -> bool:
        return name in self._known()

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(sorted(self._known().items(), key=lambda entry: entry[0]))

    def _known(self) -> Mapping[str, T]:
        if self.home:
            import_module(self.home)  # waits for a thread that has begun to
        return self._entries
