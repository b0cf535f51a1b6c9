"""lumabraid's client: subscribe to a fused stream in three lines, or replay one.

with lumabraid.Subscriber("tcp://127.0.0.1:5555") as frames:
    for frame in frames:
        print(frame.luma.mean(), frame.age_s)
"""

from lumabraid import keys, wire
from lumabraid._account import Stats
from lumabraid._errors import (
    AddressError,
    ClosedError,
    KeyFileError,
    LumabraidError,
    MessageError,
    ReceiveTimeoutError,
    SchemaError,
)
from lumabraid._frame import Frame
from lumabraid._publisher import Publisher
from lumabraid._subscriber import Subscriber
from lumabraid.wire import Color, Header, Status

__all__ = [
    "AddressError",
    "ClosedError",
    "Color",
    "Frame",
    "Header",
    "KeyFileError",
    "LumabraidError",
    "MessageError",
    "Publisher",
    "ReceiveTimeoutError",
    "SchemaError",
    "Stats",
    "Status",
    "Subscriber",
    "keys",
    "wire",
]
