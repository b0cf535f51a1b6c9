"""Keys: made once, kept private, and without them nothing is seen."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.auth
from lumabraid import KeyFileError, ReceiveTimeoutError, Subscriber, keys


def test_a_pair_is_two_files_and_the_secret_one_is_private(tmp_path: Path) -> None:
    public, secret = keys.create_key_pair(tmp_path / "keys", "robot")
    assert (public.name, secret.name) == ("robot.key", "robot.key_secret")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    pair = keys.load_key_pair(secret)
    assert keys.load_public_key(public) == keys.load_public_key(secret) == pair.public
    assert pair.secret.decode() not in public.read_text() + repr(pair)


def test_zeromqs_own_tools_read_the_files(tmp_path: Path) -> None:
    public, secret = keys.create_key_pair(tmp_path, "robot")
    pair = keys.load_key_pair(secret)
    assert zmq.auth.load_certificate(public) == (pair.public, None)
    assert zmq.auth.load_certificate(secret) == (pair.public, pair.secret)


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    public, secret = keys.create_key_pair(tmp_path, "robot")
    before = public.read_text(), secret.read_text()
    with pytest.raises(KeyFileError, match="keys are never overwritten"):
        keys.create_key_pair(tmp_path, "robot")
    secret.unlink()
    with pytest.raises(KeyFileError, match="keys are never overwritten"):
        keys.create_key_pair(tmp_path, "robot")
    assert public.read_text() == before[0]
    assert not secret.exists()


@pytest.mark.parametrize("full_at", ["robot.key_secret", "robot.key"])
def test_a_full_disk_leaves_no_half_of_a_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_at: str) -> None:
    class FullDisk(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    open_descriptor = os.fdopen

    def open_on_full_disk(descriptor: int, *arguments: Any, **options: Any) -> Any:
        if not (tmp_path / full_at).exists():
            return open_descriptor(descriptor, *arguments, **options)
        os.close(descriptor)
        return FullDisk()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdopen", open_on_full_disk)
        with pytest.raises(KeyFileError, match=rf"cannot write key file .*/{full_at}: No space left on device"):
            keys.create_key_pair(tmp_path, "robot")
    assert list(tmp_path.iterdir()) == []
    keys.create_key_pair(tmp_path, "robot")


@pytest.mark.parametrize("name", ["", "../robot", "a/b"])
def test_a_name_is_not_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyFileError, match="plain file name"):
        keys.create_key_pair(tmp_path, name)


def test_an_allow_list_is_a_folder_of_public_keys(tmp_path: Path) -> None:
    paths = [keys.create_key_pair(tmp_path, name)[0] for name in ("robot", "desk")]
    assert keys.load_allowed_keys(tmp_path) == {keys.load_public_key(path) for path in paths}
    with pytest.raises(KeyFileError, match="is not a folder"):
        keys.load_allowed_keys(tmp_path / "robot.key")


@pytest.mark.parametrize(
    "content",
    [b"", b"public-key", b'public-key = "short"', b'public-key = "' + b"~" * 40 + b'"', b"\xff\xfe" * 40],
)
def test_damaged_key_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "robot.key"
    path.write_bytes(content)
    for load in (keys.load_public_key, keys.load_key_pair):
        with pytest.raises(KeyFileError, match=r"robot\.key is not a key file"):
            load(path)


def test_a_public_file_is_no_pair(tmp_path: Path) -> None:
    public, _ = keys.create_key_pair(tmp_path, "robot")
    with pytest.raises(KeyFileError, match="holds no secret key"):
        keys.load_key_pair(public)


def test_a_reader_on_the_allow_list_sees_the_stream(stations: Callable[..., Any], tmp_path: Path) -> None:
    server_public, server_secret = keys.create_key_pair(tmp_path / "server", "publisher")
    _, reader_secret = keys.create_key_pair(tmp_path / "allowed", "robot")
    station = stations(keys=server_secret, allowed_keys=tmp_path / "allowed")
    with Subscriber(station.address, server_key=server_public, keys=reader_secret, timeout_s=10) as frames:
        station.wait_for_reader()
        station.send()
        assert frames.read().header.seq == 0


def test_without_an_allow_list_any_key_will_do(stations: Callable[..., Any]) -> None:
    server = keys.new_key_pair()
    station = stations(keys=server)
    with Subscriber(station.address, server_key=server.public, timeout_s=10) as frames:
        station.wait_for_reader()
        station.send()
        assert frames.read().header.seq == 0


@pytest.mark.parametrize("reader", ["no keys", "key not on the list", "another server's key"])
def test_the_wrong_key_sees_nothing(
    stations: Callable[..., Any], wait_until: Callable[[Callable[[], bool]], None], reader: str
) -> None:
    server, listed, other = keys.new_key_pair(), keys.new_key_pair(), keys.new_key_pair()
    station = stations(keys=server, allowed_keys=[listed.public])
    options: dict[str, Any] = {
        "no keys": {},
        "key not on the list": {"server_key": server.public, "keys": other},
        "another server's key": {"server_key": other.public, "keys": listed},
    }[reader]
    good = Subscriber(station.address, server_key=server.public, keys=listed, timeout_s=10)
    with good, Subscriber(station.address, timeout_s=0.5, **options) as bad:
        station.wait_for_reader()
        station.deliver(good, 3)
        station.publisher.publish_status(topics=[station.topic])
        with pytest.raises(ReceiveTimeoutError, match="do the keys on both sides match"):
            bad.read()
        good.close()
        # It does not even count as a reader.
        wait_until(lambda: not station.publisher.has_reader(station.topic))
    assert bad.stats.received == 0
    assert bad.status is None
