"""``lumabraid replay``: a recorded video as a published stream."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    name="replay",
    epilog="""\b
Example:
  lumabraid replay fused.mp4 --publish tcp://127.0.0.1:5555""",
)
@click.argument("source", metavar="FILE")
@click.option(
    "--publish",
    "address",
    metavar="ADDRESS",
    default="tcp://127.0.0.1:5555",
    show_default=True,
    help="Where to listen: tcp://HOST:PORT or ipc://PATH.",
)
@click.option("--keys", metavar="DIR", help="Keys of the publisher and its readers: `lumabraid keys new DIR`.")
@click.option("--insecure", is_flag=True, help="Let other machines subscribe without keys.")
def command(source: str, address: str, keys: str | None, insecure: bool) -> None:
    """Publish a video as it is, at its own pace.

    Its frames come raw, on the topic fused/yuv420p (10 bit: fused/yuv420p10le), to whoever subscribes by then. To
    publish the other encodings too, let `lumabraid video` or `lumabraid run` fuse it.
    """
    import lumabraid

    from pipeline.client_errors import client_errors
    from pipeline.config import validate_section
    from pipeline.interrupt import interruptible
    from pipeline.replay import Replay
    from stages.capture.file import FileSource
    from stages.publishing.endpoint import check_address, check_exposure
    from stages.publishing.guard import PUBLISHER_NAME, READERS_FOLDER

    try:
        check_address(address)
        check_exposure(address, keys=keys, insecure=insecure)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    player = FileSource(validate_section("capture", {"kind": "file", "input": source}))
    secret = None if keys is None else Path(keys) / f"{PUBLISHER_NAME}.key_secret"
    readers = None if keys is None else Path(keys) / READERS_FOLDER
    with client_errors(), lumabraid.Publisher(address, keys=secret, allowed_keys=readers) as publisher:
        begun = f"{source}: publishing at {publisher.address}"
        replay = Replay(player, publisher, on_open=lambda: click.echo(begun, err=True))
        with interruptible(replay):
            frames = replay.run()
    click.echo(f"{source}: {frames} frames played, {replay.published} had a subscriber")
