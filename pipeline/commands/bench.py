"""``lumabraid bench``: how fast this machine fuses, beside what a user could run instead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipeline.bench.sizes import Size
    from stages.device.choice import DeviceName
    from stages.fusion.mode import Mode


class _SizeType(click.ParamType["Size"]):
    """A name such as 1080p, or WIDTHxHEIGHT."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Size:
        from pipeline.bench.sizes import parse_size

        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(
    name="bench",
    epilog="""\b
Examples:
  lumabraid bench
  lumabraid bench --size 1080p --mode stream --json figures.json
  lumabraid bench --size 4K --mode stream --memory""",
)
@click.option(
    "--size",
    "sizes",
    type=_SizeType(),
    metavar="SIZE",
    multiple=True,
    help="540p, 720p, 1080p, 4K or WIDTHxHEIGHT. Repeatable. [default: those four]",
)
@click.option(
    "--model",
    "models",
    metavar="NAME",
    multiple=True,
    help="Network, or the path of a .safetensors file. Repeatable. [default: every packaged one]",
)
@click.option(
    "--mode",
    "modes",
    type=click.Choice(["stream", "full"]),
    multiple=True,
    help="How networks are run. Repeatable. [default: both]",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="Where. [default: the CPU, and a GPU where there is one]",
)
@click.option(
    "--task",
    "tasks",
    type=click.Choice(["fuse", "align", "whole"]),
    multiple=True,
    help="Fusion alone, alignment and fusion, the whole job from file to file. Repeatable. [default: all]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=6.0,
    show_default=True,
    help="How long each line of the table is measured, at least a round.",
)
@click.option("--rounds", type=click.IntRange(1), metavar="N", help="Measure each line so often instead.")
@click.option("--memory", is_flag=True, help="Print the peak memory of whole jobs instead, each in its own process.")
@click.option(
    "--map",
    "radiance_map",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="MAP.hdr",
    help="Film this radiance map. [default: a generated one]",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it as JSON, too.",
)
def command(
    sizes: tuple[Size, ...],
    models: tuple[str, ...],
    modes: tuple[Mode, ...],
    device: DeviceName | None,
    tasks: tuple[str, ...],
    seconds: float,
    rounds: int | None,
    memory: bool,
    radiance_map: Path | None,
    json_file: Path | None,
) -> None:
    """Measure how fast this machine fuses, beside what could be run instead.

    Measured are every network in every mode on every device at every size: fusion alone; alignment and fusion, causal
    and with lookahead; and the whole of `lumabraid video` from an H.264 file to another. In turns with them, in the
    same process, run OpenCV's MergeMertens alone and the script one would write with it: VideoCapture, AlignMTB,
    MergeMertens, VideoWriter. The pictures are those of the simulated camera.

    All of it takes tens of minutes on two cores, most of it in full mode; --size and --mode choose.
    """
    from pipeline.bench.command import BenchRun, run_bench

    run = BenchRun(
        sizes=sizes,
        models=models,
        modes=modes,
        device=device,
        tasks=tasks,
        seconds=seconds,
        rounds=rounds,
        radiance_map=radiance_map,
        memory=memory,
        json_file=json_file,
    )
    for line in run_bench(run):
        click.echo(line)
