"""What a training was asked for, and whether a folder holds one that was asked for the same."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.training_pairs import PairSettings
from pipeline.training_scenes import Scenes
from stages.errors import ConfigError
from stages.fusion.lcndr import Widths
from stages.fusion.loss import LossWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """What ``lumabraid train`` was asked for."""

    places: tuple[Path, ...]
    """Folders of equirectangular radiance maps, ``.hdr``, and of photographed pairs."""
    output: Path
    """Folder for log, checkpoint, weights and model card."""
    name: str = "lcndr"
    steps: int = 2000
    batch_size: int = 4
    side: int = 256
    """Pixels of a training picture."""
    learning_rate: float = 1e-3
    seed: int = 0
    hold_out: tuple[str, ...] = ()
    """Beginnings of names of maps and scenes kept for validation."""
    validation_pairs: int = 48
    """Pairs of the held-out scenes that tell which weights are best."""
    as_taken_share: float = 0.5
    misalignment_px: float = 0
    ten_bit_share: float = 0
    widths: Widths = field(default_factory=Widths)
    """Channels of the network's modules."""
    start: str | None = None
    """A packaged model, or the path of a .safetensors file, whose weights training starts from."""
    teacher: str | None = None
    """A packaged model, or the path of a .safetensors file, whose pictures are imitated."""
    without: tuple[str, ...] = ()
    """Parts of the network that are switched off."""
    loss: LossWeights = field(default_factory=LossWeights)
    license: str = "unspecified"
    """Of the weights, as the maps' licences allow."""
    origin: str = "unspecified"
    """Of the maps, for the model card."""

    @property
    def pairs(self) -> PairSettings:
        """Of what is trained on."""
        return PairSettings(
            side=self.side,
            batch_size=self.batch_size,
            seed=self.seed,
            as_taken_share=self.as_taken_share,
            misalignment_px=self.misalignment_px,
            ten_bit_share=self.ten_bit_share,
        )


def claim_folder(run: TrainingRun, training: Scenes) -> None:
    """Write what decides the weights into the output folder's ``run.json``.

    Raises:
        ConfigError: the folder holds a run with other settings, from whose checkpoint this one cannot go on.
    """
    settings: dict[str, Any] = {
        "steps": run.steps,
        "batch_size": run.batch_size,
        "side": run.side,
        "learning_rate": run.learning_rate,
        "seed": run.seed,
        "as_taken_share": run.as_taken_share,
        "maps": [path.name for path in training.maps],
    }
    departures: dict[str, Any] = {
        "photographs": [source.name for source in training.photographs],
        "misalignment_px": run.misalignment_px,
        "ten_bit_share": run.ten_bit_share,
        "without": sorted(run.without),
        "widths": asdict(run.widths) if run.widths != Widths() else None,
        "start": run.start,
        "teacher": run.teacher,
        "loss": asdict(run.loss) if run.loss != LossWeights() else None,
    }
    settings |= {name: value for name, value in departures.items() if value}
    path = run.output / "run.json"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = sorted(name for name in {*settings, *before} if before.get(name) != settings.get(name))
        if changed:
            raise ConfigError(
                f"{run.output} holds a training run with other {', '.join(changed)}: "
                "use the same again to go on with it, or another folder"
            )
    run.output.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
