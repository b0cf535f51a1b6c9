"""The thread behind a subscriber: it alone touches the socket."""

from __future__ import annotations

import threading
import time

import zmq

from lumabraid._account import Account, Stats
from lumabraid._errors import MessageError, SchemaError
from lumabraid._frame import Frame, frame_from_message
from lumabraid._mailbox import Mailbox
from lumabraid.wire import STATUS_TOPIC, Header, Status, decode_message


class Receiver:
    """Receives one topic into a mailbox until it is closed.

    Args:
        context: of the socket and nothing else; terminated by ``close``.
        socket: subscribed and connected; from now on the receiver's.
        topic: messages of topics that merely begin like it are passed over.
        mailbox: where frames go.
        stop_at_end: finish the mailbox when the publisher says that its stream ended.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        socket: zmq.Socket[bytes],
        topic: str,
        mailbox: Mailbox[Frame],
        *,
        stop_at_end: bool,
    ) -> None:
        self.status: Status | None = None
        self.last_error: MessageError | None = None
        """Why the last malformed message was passed over."""
        self._context = context
        self._socket = socket
        self._topics = (topic.encode(), STATUS_TOPIC.encode())
        self._mailbox = mailbox
        self._stop_at_end = stop_at_end
        self._account = Account()
        self._undecodable = 0
        self._malformed = 0
        self._needs_key_frame = topic.endswith(("/h264", "/h265"))
        self._awaiting_key_frame = True
        self._done = False
        self._closed_from_within = False
        self._thread = threading.Thread(target=self._run, name=f"lumabraid {topic}", daemon=True)
        self._thread.start()

    @property
    def stats(self) -> Stats:
        """The account so far."""
        return Stats(
            received=self._account.received,
            delivered=self._mailbox.taken,
            skipped=self._mailbox.passed_over + self._undecodable,
            lost=self._account.lost,
            before=self._account.before,
            restarts=self._account.restarts,
            malformed=self._malformed,
        )

    def close(self) -> None:
        """End the thread and let go of socket and context; once, from any thread."""
        self._done = True
        self._mailbox.finish(discard=True)
        if threading.current_thread() is self._thread:
            # The garbage collector found a forgotten subscriber while this very thread was at work.
            self._closed_from_within = True
            return
        # Interrupts the receive, then waits until the thread has closed the socket.
        self._context.term()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._done:
                self._take_in(self._socket.recv_multipart(copy=False))
        except zmq.ContextTerminated:
            pass
        except Exception as error:
            self._mailbox.finish(error)
        finally:
            self._socket.close(linger=0)
            if self._closed_from_within:
                self._context.term()

    def _take_in(self, parts: list[zmq.Frame]) -> None:
        """Count a message and pass its picture on.

        Raises:
            SchemaError: the publisher speaks another version; waiting for better messages is in vain.
        """
        received_ns = time.time_ns()
        if parts[0].bytes not in self._topics:
            return
        try:
            message = decode_message([part.buffer for part in parts])
            if isinstance(message, Status):
                self._take_in_status(message)
                return
            follows = self._account.add(message.header)
        except SchemaError:
            raise
        except MessageError as error:
            self._malformed += 1
            self.last_error = error
            return
        if not self._is_decodable(message.header, follows=follows):
            self._undecodable += 1
        elif not self._mailbox.put(frame_from_message(message, received_ns=received_ns)):
            self._awaiting_key_frame = True

    def _take_in_status(self, status: Status) -> None:
        self.status = status
        if status.ended and self._stop_at_end:
            self._done = True
            self._mailbox.finish()

    def _is_decodable(self, header: Header, *, follows: bool) -> bool:
        """Whether every picture this one was predicted from has been passed on."""
        if not self._needs_key_frame:
            return True
        self._awaiting_key_frame = not header.key_frame and (self._awaiting_key_frame or not follows)
        return not self._awaiting_key_frame
