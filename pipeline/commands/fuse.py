"""``lumabraid fuse``: two pictures, or two folders of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pipeline.commands import options

if TYPE_CHECKING:
    from pipeline.fuse import FusedPair, PictureFuser, PicturePair


@click.command(
    name="fuse",
    epilog="""\b
Examples:
  lumabraid fuse dark.jpg bright.jpg -o fused.jpg
  lumabraid fuse dark/ bright/ -o fused/ --mode full""",
)
@click.argument("under", type=click.Path(path_type=Path))
@click.argument("over", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT",
    required=True,
    callback=options.not_standard_output,
    help="Picture or folder to write.",
)
@options.model
@options.mode
@options.device
@click.option(
    "--align/--no-align",
    default=True,
    help="Move the darker picture onto the brighter one first, and leave out what moved between them. On, because "
    "pictures taken from the hand need it and still ones hardly change. [default: align]",
)
def command(
    under: Path,
    over: Path,
    output: Path,
    model: str | None,
    mode: Literal["full", "stream"] | None,
    device: Literal["auto", "cpu", "cuda"] | None,
    align: bool,
) -> None:
    """Fuse a short and a long exposure of the same view.

    UNDER and OVER are two pictures, or two folders of equally named pictures. Which is the darker one is measured,
    so their order does not matter. The result has the size of the pictures; 16-bit pictures give 16 bits. In folders,
    a pair that cannot be fused is told and left out.
    """
    from pipeline.fuse import PictureFuser, find_pairs
    from stages.capture.locate import printable
    from stages.device.choice import choose_device
    from stages.errors import SourceError
    from stages.fusion.fuser import Fuser
    from stages.fusion.models import load_model

    pairs = find_pairs(under, over, output)
    network = load_model(model or "lcndr")
    place = device or "auto"
    fuser = PictureFuser(Fuser(network, mode or "stream", choose_device(place)), align=align, device=place)
    if under.is_dir():
        output.mkdir(exist_ok=True)
        fused = _fuse_folder(fuser, pairs, output)
    else:
        fused = [fuser.fuse(pairs[0])]
    stops = [pair.ratio_stops for pair in fused]
    spread = f"{min(stops):.2f} to {max(stops):.2f}" if len(fused) > 1 else f"{stops[0]:.2f}"
    many = f"{len(fused)} pictures fused, " if under.is_dir() else "fused, "
    click.echo(f"{printable(str(output))}: {many}exposures {spread} stops apart")
    dark = Counter(pair.under.parent if under.is_dir() else pair.under for pair in fused)
    for path, count in dark.items():
        click.echo(f"  under: {printable(str(path))}" + (f" in {count} of {len(fused)} pairs" if len(dark) > 1 else ""))
    if len(fused) < len(pairs):
        raise SourceError(
            f"{len(pairs) - len(fused)} of {len(pairs)} pairs could not be fused; the lines above say why"
        )


def _fuse_folder(fuser: PictureFuser, pairs: Sequence[PicturePair], output: Path) -> list[FusedPair]:
    """Fuse what can be fused, and tell the rest.

    Raises:
        SourceError: none of the pairs could be fused.
        EncodeError: a result cannot be written; those before it are kept.
    """
    from pipeline.progress import progress
    from stages.capture.locate import printable
    from stages.errors import EncodeError, SourceError

    fused: list[FusedPair] = []
    with progress(str(output), unit="pictures/s") as bar:
        for done, pair in enumerate(pairs):
            bar.show(done, len(pairs), 0)
            try:
                fused.append(fuser.fuse(pair))
            except SourceError as error:
                click.echo(f"lumabraid: error: {printable(str(error))}", err=True)
            except EncodeError as error:
                raise EncodeError(f"{error}; {len(fused)} of {len(pairs)} pictures are fused and kept") from None
    if not fused:
        raise SourceError(f"none of {len(pairs)} pairs could be fused; the lines above say why")
    return fused
