"""``lumabraid keys``: who may subscribe."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(name="keys", epilog="Example: lumabraid keys new keys")
def command() -> None:
    """Make the keys that protect a published stream.

    With keys, the stream is encrypted, and only readers whose public key lies in DIR/readers can subscribe.
    """


@command.command(
    short_help="Make a folder of keys, or add a reader to one.",
    epilog="""\b
Examples:
  lumabraid keys new keys
  lumabraid keys new keys --reader robot
  lumabraid video clip.mp4 --publish 'tcp://*:5555' --keys keys
  lumabraid subscribe tcp://HOST:5555 --publisher-key publisher.key --key robot.key_secret""",
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--reader", metavar="NAME", default="reader", show_default=True, help="Whom to make a key for.")
def new(folder: Path, reader: str) -> None:
    """Make DIR with the publisher's keys, unless it has them, and a key for a reader.

    Give the reader DIR/publisher.key and DIR/readers/NAME.key_secret. Deleting DIR/readers/NAME.key locks it out from
    its next connection on.
    """
    from lumabraid.keys import create_key_pair

    from pipeline.client_errors import client_errors
    from stages.publishing.guard import PUBLISHER_NAME, READERS_FOLDER

    with client_errors():
        if (folder / f"{PUBLISHER_NAME}.key_secret").exists():
            _check_pair(folder, PUBLISHER_NAME)
        else:
            create_key_pair(folder, PUBLISHER_NAME)
        _, secret = create_key_pair(folder / READERS_FOLDER, reader)
    click.echo(f"{folder}: publish with --keys {folder}")
    click.echo(f"{reader}: give it {folder / PUBLISHER_NAME}.key and {secret}")


def _check_pair(folder: Path, name: str) -> None:
    """Refuse a pair that readers and publisher could not use.

    Raises:
        KeyFileError: one of the two files is missing or damaged, or they do not belong together.
    """
    from lumabraid import KeyFileError
    from lumabraid.keys import load_key_pair, load_public_key

    public, secret = folder / f"{name}.key", folder / f"{name}.key_secret"
    try:
        if load_key_pair(secret).public != load_public_key(public):
            raise KeyFileError(f"{public} is not the public key of {secret}")
    except KeyFileError as error:
        raise KeyFileError(f"{error}; put the pair back, or delete both files to get a new one") from None
