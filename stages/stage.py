"""What a stage is.

A stage lives in one thread: ``open`` once, ``process`` for each item, ``flush`` when the stream ended well,
``close`` once in every case. It imports no other stage and knows nothing of threads, channels or the command
line. Its settings are a frozen dataclass, its ``Config``; a bad value raises ValueError in ``__post_init__``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from stages.bracket import BracketControl
from stages.frame import Frame, StreamInfo

In = TypeVar("In")
Out = TypeVar("Out")

FORBID_UNKNOWN_KEYS: dict[str, Any] = {"extra": "forbid", "use_attribute_docstrings": True}
"""For ``__pydantic_config__`` of a stage's Config: read by the configuration loader, harmless without it."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Yielded by a stage in place of an output: this frame gets none, and why."""

    index: int
    reason: str
    """A few words, the same for every frame dropped for this reason."""


@dataclass(frozen=True, slots=True)
class Done:
    """Yielded by a sink for each frame that is safely in its hands."""

    index: int


class Source(ABC):
    """Gives frames."""

    Config: ClassVar[type[Any]]
    """Frozen dataclass of settings; the constructor takes one."""

    bracket: BracketControl | None = None
    """Steers the exposures while the source runs; None where they cannot be steered."""

    @abstractmethod
    def open(self) -> StreamInfo:
        """Make ready to read.

        Raises:
            SourceError: it cannot be opened or holds no frames.
        """

    @abstractmethod
    def read(self) -> Frame | None:
        """The next frame; None at the end.

        Raises:
            DamagedSourceError: the source broke off; everything read before stays valid.
        """

    def interrupt(self) -> None:
        """Let an ``open`` or ``read`` under way in another thread return soon, and later reads give the end.

        What never waits long for its frames needs nothing here.
        """
        return

    @abstractmethod
    def close(self) -> None:
        """Let go of every resource; also after a failed ``open``, and never raises."""


class Stage(ABC, Generic[In, Out]):
    """Takes items, gives items."""

    Config: ClassVar[type[Any]]
    """Frozen dataclass of settings; the constructor takes one."""

    def share_cores(self, threads: int) -> None:
        """Told before ``open`` that others work beside it: so many threads are its share of the cores.

        What works in one thread needs nothing here; what all others would wait for may take more.
        """
        return

    @abstractmethod
    def open(self, info: StreamInfo) -> StreamInfo:
        """Make ready for the stream described; returns its description for the next stage."""

    @abstractmethod
    def process(self, item: In) -> Iterable[Out | Dropped]:
        """Outputs for this item and for earlier ones held back; a sink yields the item's ``Done``."""

    def flush(self) -> Iterable[Out | Dropped]:
        """What was held back, now that the stream ended well; a sink commits its result here."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Let go of every resource; without ``flush`` before it, the stream was given up. Never raises."""
