"""``lumabraid live``: a camera or stream in, the fused picture on a page, in a window, for programs, in files."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.commands import options

_PREVIEW = "127.0.0.1:8080"
_FIRST_CAMERA = "0"


@click.command(
    name="live",
    epilog="""\b
Examples:
  lumabraid live                                             # the first camera, on a page
  lumabraid live --source /dev/video2 --window
  lumabraid live --source rtsp://camera/stream --preview 8080 --publish tcp://127.0.0.1:5555
  lumabraid live --source simulated:room.hdr --stops 4       # no camera at hand
  lumabraid live --source clip.mp4                           # a recording as if it came from a camera""",
)
@click.option(
    "--source",
    "sources",
    metavar="SOURCE",
    multiple=True,
    help="Number or device of a camera, URL, simulated:MAP.hdr, or a video file.  [default: 0]",
)
@click.option(
    "--preview",
    metavar="[HOST:]PORT",
    is_flag=False,
    flag_value=_PREVIEW,
    help=f"Show it on a page for browsers, at {_PREVIEW} if you name no port; also if you ask for no output at all.",
)
@click.option("--window", is_flag=True, help="Show it in a window; closing it, q or Esc ends the run.")
@options.publishing
@options.record
@click.option("--stops", type=float, metavar="N", help="Between under and over. [default: what the scene needs]")
@click.option("--bias", "bias_stops", type=float, metavar="N", help="Stops that brighten both (negative: darken).")
@options.model
@options.mode
@options.device
@options.hardware
@options.report
@options.stats
@options.overrides
def command(
    sources: tuple[str, ...],
    preview: str | None,
    window: bool,
    publish: str | None,
    keys: str | None,
    insecure: bool,
    record: str | None,
    stops: float | None,
    bias_stops: float | None,
    model: str | None,
    mode: str | None,
    device: str | None,
    hardware: str | None,
    report: Path | None,
    stats: bool,
    overrides: tuple[str, ...],
) -> None:
    """Fuse what a camera sees while it films, until Ctrl-C: start it, then open the page it names in a browser.

    SOURCE is a camera's number (0, 1, ...) or device (/dev/video0); a URL (rtsp, http, udp, ... also HLS);
    simulated:MAP.hdr, a simulated camera that looks into a radiance map; or a video file, played at its own pace.
    Where a camera obeys, its exposures are made to alternate, and both are chosen from the picture; where it does
    not, they must alternate already. `lumabraid doctor --camera SOURCE` finds out which.

    --preview, --window, --publish and --record go together as you like. Where this machine is too slow, whole pairs of
    frames are skipped: what is shown stays current. A source that is lost is sought until it is back. Ctrl-C ends,
    and completes the recording.

    Everything else is set as in the preset `live`; `lumabraid config show live` prints it.
    """
    from pipeline.config import validate
    from pipeline.config_file import apply_overrides, read_settings
    from pipeline.execute import execute
    from pipeline.live_source import capture_settings, source_argument, source_title
    from stages.errors import DamagedSourceError, PairingError, SourceError

    if len(sources) > 1:
        raise click.UsageError(f"One --source at a time, got {len(sources)}.")
    named = bool(sources)
    source = sources[0] if named else _FIRST_CAMERA
    if not (preview or window or publish or record):
        preview = _PREVIEW
    settings = read_settings("live")
    settings["capture"] = capture_settings(source, stops=stops, bias_stops=bias_stops)
    options.merge(settings["fusion"], model=model, mode=mode, device=device)
    settings["preview"] = None if preview is None else {"address": preview}
    settings["window"] = {} if window else None
    settings["encoding"] = {"kind": "none"} if record is None else {"kind": "segments", "folder": record}
    options.merge_hardware(settings, hardware)
    options.merge(settings, report=report)
    published = options.publishing_overrides(publish, keys, insecure)
    title = source_title(source)
    try:
        execute(validate(apply_overrides(settings, [*published, *overrides])), title=title, stats=stats)
    except PairingError as error:
        tried = f"lumabraid doctor --camera {source_argument(source)}"
        raise PairingError(f"{error}; `{tried}` finds out what can be done") from error
    except SourceError as error:
        if named or isinstance(error, DamagedSourceError):
            raise
        raise SourceError(f"{error}; --source names another, see `lumabraid live --help`") from error
