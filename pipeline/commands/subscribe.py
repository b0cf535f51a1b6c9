"""``lumabraid subscribe``: the other end of ``--publish``."""

from __future__ import annotations

import click


@click.command(
    name="subscribe",
    epilog="""\b
Examples:
  lumabraid subscribe tcp://127.0.0.1:5555
  lumabraid subscribe tcp://127.0.0.1:5555 --topic fused/jpeg --count 100 --stats
  lumabraid subscribe tcp://127.0.0.1:5555 --save seen.mp4
  lumabraid subscribe tcp://HOST:5555 --topic fused/jpeg --preview 8080
  lumabraid subscribe tcp://127.0.0.1:5555 --topic under/yuv420p --save under.mp4
  lumabraid subscribe tcp://HOST:5555 --publisher-key publisher.key --key robot.key_secret""",
)
@click.argument("address", metavar="ADDRESS")
@click.option(
    "--topic",
    metavar="TOPIC",
    default="fused/yuv420p",
    show_default=True,
    help="As published there: fused/, under/ or over/ENCODING, or confidence/gray8.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after so many frames.")
@click.option("--save", "output", metavar="FILE", help="Write what arrives as a video; needs a YUV topic.")
@click.option("--window", is_flag=True, help="Show what arrives in a window; closing it, q or Esc in it ends.")
@click.option("--preview", metavar="[HOST:]PORT", help="Show what arrives on a page for browsers, such as 8080.")
@click.option("--stats", is_flag=True, help="Print the account as a line of JSON every second.")
@click.option("--publisher-key", metavar="FILE", help="The publisher's .key file, where it wants keys.")
@click.option("--key", metavar="FILE", help="This reader's .key_secret file; needs --publisher-key.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    help="How long to wait for a frame.",
)
def command(
    address: str,
    topic: str,
    count: int | None,
    output: str | None,
    window: bool,
    preview: str | None,
    stats: bool,
    publisher_key: str | None,
    key: str | None,
    timeout_s: float,
) -> None:
    """Receive a published stream until it ends, and say what arrived.

    It fails when no frame comes in time, or none before the stream ends. Once one came, a stream that ends before
    --count is reached is no failure.

    Every second a line tells frames per second, their age since capture, and how many were lost. Only the newest frame
    is taken, as a robot would; with --save, or a video topic, all that arrive. What is saved ends where the publisher
    is restarted or its pictures change their size. --window and --preview show every encoding; over a network,
    fused/h264 and fused/jpeg are the ones to take.
    """
    import contextlib
    import dataclasses
    import json

    import lumabraid

    from pipeline.client_errors import client_errors
    from pipeline.interrupt import interruptible
    from pipeline.saving import Saving
    from pipeline.stats_lines import LineByLine
    from pipeline.subscription import Reception, Subscription

    if output is not None and not topic.endswith(("/yuv420p", "/yuv420p10le")):
        raise click.UsageError(f"--save needs a topic of raw YUV, such as fused/yuv420p, not {topic}.")
    if key is not None and publisher_key is None:
        raise click.UsageError("--key needs --publisher-key.")

    lines = LineByLine()

    def show(reception: Reception) -> None:
        account = dataclasses.asdict(reception)
        line = json.dumps(account) if stats else _line(account)
        if output is None and not window and preview is None:
            click.echo(line)  # there is nothing else to go on for
        else:
            lines.print(line)

    every = output is not None or topic.endswith(("/h264", "/h265"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(client_errors())
        saving = None if output is None else stack.enter_context(Saving(output))
        display = None
        if window or preview is not None:
            from pipeline.display import Display

            display = stack.enter_context(Display(title=address, window=window, preview=preview))
        subscriber = stack.enter_context(
            lumabraid.Subscriber(
                address,
                topic=topic,
                policy="every" if every else "latest",
                server_key=publisher_key,
                keys=key,
                stop_at_end=True,
            )
        )
        subscription = Subscription(
            subscriber, count=count, timeout_s=timeout_s, saving=saving, display=display, on_report=show
        )
        with interruptible(subscription):
            show(subscription.run())


def _line(account: dict[str, float | None]) -> str:
    """For a person."""
    age = "" if account["age_p50_ms"] is None else f", age {account['age_p50_ms']:g} ms (p99 {account['age_p99_ms']:g})"
    troubles = [f"{account[name]} {name}" for name in ("skipped", "lost", "restarts", "malformed") if account[name]]
    return ", ".join([f"{account['frames']} frames, {account['fps']:g} fps{age}", *troubles])
