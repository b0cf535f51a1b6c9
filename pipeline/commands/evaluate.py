"""``lumabraid evaluate``: how good fusion is, beside what a user could run instead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands import options

if TYPE_CHECKING:
    from stages.device.choice import DeviceName
    from stages.fusion.mode import Mode


@click.command(
    name="evaluate",
    epilog="""\b
Examples:
  lumabraid evaluate pairs/ --html report.html
  lumabraid evaluate vestibule.hdr lebombo.hdr --model runs/mine/lcndr.safetensors --model lcndr --mode stream
  lumabraid evaluate MEFB/input --results MEFNet=mefnet/ --json figures.json""",
)
@click.argument("places", type=click.Path(path_type=Path), metavar="PAIRS...", nargs=-1, required=True)
@click.option(
    "--model",
    "models",
    metavar="NAME",
    multiple=True,
    help="Network, or the path of a .safetensors file. Repeatable. [default: lcndr]",
)
@click.option(
    "--mode",
    "modes",
    type=click.Choice(["full", "stream"]),
    multiple=True,
    help="How networks are run. Repeatable. [default: both]",
)
@options.device
@click.option(
    "--results",
    metavar="NAME=FOLDER",
    multiple=True,
    help="What another program made of the same pairs, each picture named for its pair. Repeatable.",
)
@click.option(
    "--longest-side",
    type=click.IntRange(44),
    metavar="PIXELS",
    help="Reduce pictures to this. [default: full size; 640 for maps]",
)
@click.option(
    "--pairs-per-map",
    type=click.IntRange(1),
    metavar="N",
    default=4,
    show_default=True,
    help="Rendered from every radiance map.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Chooses the views, exposures and noise of those.",
)
@click.option("--clean", is_flag=True, help="Leave those without noise and compression.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the values of every pair.",
)
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a report with pictures and zooms of up to 20 pairs.",
)
def command(
    places: tuple[Path, ...],
    models: tuple[str, ...],
    modes: tuple[Mode, ...],
    device: DeviceName | None,
    results: tuple[str, ...],
    longest_side: int | None,
    pairs_per_map: int,
    seed: int,
    clean: bool,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Measure how well pairs of exposures are fused, by lumabraid and by what could be used instead.

    PAIRS are folders of pairs: a folder for each scene with two pictures in it (of more, the darkest and the
    brightest), two folders under/ and over/ with equally named pictures, or pictures named SCENE_A and SCENE_B; which
    one is darker is measured, and they are not aligned. Or they are radiance maps (.hdr), or folders of them, from
    which pairs are rendered; there, results are judged against the noise-free exposures.

    Beside lumabraid there are the plain average, OpenCV's MergeMertens, its HDR after Debevec with Drago's tone
    mapping, and enfuse where it is installed.
    """
    from pipeline.evaluation.command import EvaluationRun, run_evaluation

    run = EvaluationRun(
        places=places,
        models=models or ("lcndr",),
        modes=modes or ("full", "stream"),
        device=device or "auto",
        results=dict(_named_folder(given) for given in results),
        longest_side=longest_side,
        pairs_per_map=pairs_per_map,
        seed=seed,
        clean=clean,
        json_file=json_file,
        html_file=html_file,
    )
    for line in run_evaluation(run):
        click.echo(line)


def _named_folder(given: str) -> tuple[str, Path]:
    name, equals, folder = given.partition("=")
    if not (name and equals and folder):
        raise click.UsageError(f"--results {given}: expected NAME=FOLDER, such as --results MEFNet=mefnet/")
    return name, Path(folder)
