"""Key pairs for CURVE: who may read a stream, and whose stream it is.

A pair is two files, as ZeroMQ's own tools write them: ``NAME.key`` holds the public key and may be given to anyone,
``NAME.key_secret`` holds both and is readable by its owner alone. A publisher's allow-list is a folder of readers'
``*.key`` files.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

import zmq
import zmq.auth
from zmq.utils import z85

from lumabraid._errors import KeyFileError

__all__ = [
    "KeyPair",
    "check_key",
    "create_key_pair",
    "load_allowed_keys",
    "load_key_pair",
    "load_public_key",
    "new_key_pair",
]

_HEAD = """#   CURVE {kind} key for ZeroMQ.
#   {advice}

metadata
curve
    public-key = "{public}"
"""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A public key and its secret half, 40 characters of Z85 each."""

    public: bytes
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no key.

        Raises:
            KeyFileError: one of them is not 40 characters of Z85.
        """
        check_key(self.public)
        check_key(self.secret)


def check_key(key: bytes) -> None:
    """Refuse what is no key.

    Raises:
        KeyFileError: it is not 40 characters of Z85.
    """
    try:
        usable = len(key) == 40 and len(z85.decode(key)) == 32
    except (ValueError, KeyError, ArithmeticError, struct.error):
        usable = False
    if not usable:
        raise KeyFileError(f"a key is 40 characters of Z85, got {len(key)} bytes that are not")


def new_key_pair() -> KeyPair:
    """A fresh key pair, in memory only.

    Raises:
        KeyFileError: the ZeroMQ library was built without CURVE.
    """
    try:
        return KeyPair(*zmq.curve_keypair())
    except zmq.ZMQError as error:
        raise KeyFileError(f"this ZeroMQ has no CURVE, so it can make no keys: {error}") from None


def create_key_pair(folder: str | os.PathLike[str], name: str) -> tuple[Path, Path]:
    """Write a fresh key pair as ``folder/name.key`` and ``folder/name.key_secret`` (mode 0600).

    The folder is made if need be. Existing files are never overwritten.

    Returns:
        The paths of the public and the secret file.

    Raises:
        KeyFileError: a file of this name exists, or one cannot be written; none is left half made.
    """
    if not name or Path(name).name != name:
        raise KeyFileError(f"a key's name is a plain file name, got {name!r}")
    pair = new_key_pair()
    public = _HEAD.format(kind="public", advice="May be given to anyone.", public=pair.public.decode())
    secret = _HEAD.format(kind="secret", advice="Keep it to yourself.", public=pair.public.decode())
    secret += f'    secret-key = "{pair.secret.decode()}"\n'
    paths = Path(folder) / f"{name}.key", Path(folder) / f"{name}.key_secret"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        if existing := [path for path in paths if path.exists()]:
            raise FileExistsError(17, "it exists, and keys are never overwritten", str(existing[0]))
        _write_new(paths[1], secret, mode=0o600)
        try:
            _write_new(paths[0], public, mode=0o644)
        except OSError:
            paths[1].unlink(missing_ok=True)
            raise
    except OSError as error:
        raise KeyFileError(f"cannot write key file {error.filename}: {error.strerror}") from None
    return paths


def load_public_key(path: str | os.PathLike[str]) -> bytes:
    """The public key in a ``.key`` or ``.key_secret`` file.

    Raises:
        KeyFileError: the file is missing or holds no key.
    """
    return _load(path)[0]


def load_key_pair(path: str | os.PathLike[str]) -> KeyPair:
    """The pair in a ``.key_secret`` file.

    Raises:
        KeyFileError: the file is missing or holds no secret key.
    """
    public, secret = _load(path)
    if secret is None:
        raise KeyFileError(f"{os.fspath(path)} holds no secret key: name the .key_secret file")
    return KeyPair(public, secret)


def load_allowed_keys(folder: str | os.PathLike[str]) -> frozenset[bytes]:
    """The public keys of all ``*.key`` files in an allow-list.

    Raises:
        KeyFileError: it is not a folder, or one of the files holds no key.
    """
    if not Path(folder).is_dir():
        raise KeyFileError(f"{os.fspath(folder)} is not a folder: an allow-list is a folder of readers' .key files")
    return frozenset(load_public_key(path) for path in sorted(Path(folder).glob("*.key")))


def _write_new(path: Path, text: str, *, mode: int) -> None:
    """Write a file that was not there, or leave none; an OSError names it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        path.unlink(missing_ok=True)
        error.filename = str(path)
        raise


def _load(path: str | os.PathLike[str]) -> tuple[bytes, bytes | None]:
    try:
        public, secret = zmq.auth.load_certificate(path)
        for key in (public, secret):
            if key is not None:
                check_key(key)
    except OSError as error:
        raise KeyFileError(
            f"cannot read key file {os.fspath(path)}: {error.strerror or 'there is no such file'}"
        ) from None
    except (ValueError, IndexError, KeyFileError) as error:
        raise KeyFileError(f"{os.fspath(path)} is not a key file: {error}") from None
    return public, secret
