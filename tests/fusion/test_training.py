import contextlib
from pathlib import Path

import torch

from stages.fusion.lcndr import LCNDR, Widths
from stages.fusion.loss import LossWeights, fusion_loss
from stages.fusion.training import Batch, Progress, TrainingPlan, train, validate
from tests.fusion.pictures import pair

CPU = torch.device("cpu")


def batch(number: int) -> Batch:
    under, over = pair(48, 64, seed=number)
    noise = torch.manual_seed(number)
    seen = [(luma + 0.02 * torch.randn(luma.shape, generator=noise)).clamp(0, 1) for luma in (under, over)]
    return Batch(*seen, under, over, working_side=32)


def small_network() -> LCNDR:
    torch.manual_seed(0)
    return LCNDR(Widths(shallow=8, middle=8, deep=8, attention=8, revision=4))


def run(folder: Path, steps: int, *, stop_after: int | None = None) -> dict[str, torch.Tensor]:
    def on_step(progress: Progress) -> None:
        if progress.step == stop_after:
            raise KeyboardInterrupt

    plan = TrainingPlan(steps=steps, validate_every=2)
    held_out = [batch(1000)]
    return train(
        small_network(), batch, held_out, plan, folder, device=CPU, on_step=on_step, on_best=lambda network: None
    )


def test_training_improves_on_scenes_it_has_not_seen(tmp_path: Path) -> None:
    held_out = [batch(1000), batch(1001)]
    before = validate(small_network(), held_out, LossWeights(), device=CPU)
    plan = TrainingPlan(steps=100, learning_rate=3e-3, validate_every=20, average_decay=0.9)
    shown = []
    best = train(
        small_network(),
        batch,
        held_out,
        plan,
        tmp_path,
        device=CPU,
        on_step=lambda progress: None,
        on_best=lambda network: shown.append(validate(network, held_out, LossWeights(), device=CPU)),
    )
    trained = small_network()
    trained.load_state_dict(best)
    after = validate(trained, held_out, LossWeights(), device=CPU)
    assert after.loss < before.loss
    losses = [validation.loss for validation in shown]
    assert losses == sorted(losses, reverse=True)
    assert shown[-1] == after


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 6)
    with contextlib.suppress(KeyboardInterrupt):
        run(tmp_path / "parted", 6, stop_after=5)
    resumed = run(tmp_path / "parted", 6)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert (tmp_path / "parted/log.csv").read_text() == (tmp_path / "whole/log.csv").read_text()


def test_a_pupil_comes_to_give_its_teachers_picture(tmp_path: Path) -> None:
    torch.manual_seed(1)
    teacher = LCNDR(Widths(shallow=8, middle=8, deep=8, attention=8, revision=4)).requires_grad_(False).eval()
    torch.nn.init.normal_(teacher.sam.weigh[-1].weight, std=1.0)
    seen = batch(7)

    def distance(network: LCNDR) -> float:
        fused, taught = (each(seen.under, seen.over, working_side=32) for each in (network, teacher))
        return (fused - taught).abs().mean().item()

    plan = TrainingPlan(
        steps=60,
        learning_rate=3e-3,
        average_decay=0.9,
        loss=LossWeights(0, 0, 0, 0, 0),
        teacher=teacher,
    )
    pupil = small_network()
    before = distance(pupil)
    learned = train(
        pupil,
        lambda number: seen,
        [seen],
        plan,
        tmp_path,
        device=CPU,
        on_step=lambda progress: None,
        on_best=lambda network: None,
    )
    assert learned.keys() == pupil.state_dict().keys()
    assert distance(pupil) < 0.7 * before


def test_the_loss_knows_what_it_asks_for() -> None:
    under, over = pair(64, 64)
    average = fusion_loss((under + over) / 2, under, over, LossWeights())
    noisy = fusion_loss(((under + over) / 2 + 0.05 * torch.randn(under.shape)).clamp(0, 1), under, over, LossWeights())
    black = fusion_loss(torch.zeros_like(under), under, over, LossWeights())
    assert noisy.structure > average.structure
    assert noisy.preservation > average.preservation
    assert black.tones > average.tones
    assert black.balance > average.balance
    assert black.preservation > 0.9
