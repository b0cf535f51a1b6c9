"""Why something of FFmpeg's does not work, in its own words."""

from __future__ import annotations

import av
import pytest

from stages.hardware import refusal


def test_what_works_has_no_reason() -> None:
    assert refusal(lambda: None) is None


def test_the_first_thing_that_ffmpeg_logs_is_the_reason() -> None:
    def fail() -> None:
        av.logging.log(av.logging.ERROR, "driver", "Cannot load the library\n")
        av.logging.log(av.logging.ERROR, "driver", "Could not open the device\n")
        raise av.error.PermissionError(1, "Operation not permitted")

    # Also when it says the same again.
    assert [refusal(fail) for _ in range(2)] == ["Cannot load the library"] * 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (av.error.PermissionError(1, "Operation not permitted"), "Operation not permitted"),
        (NotImplementedError("No supported hardware config"), "No supported hardware config"),
    ],
)
def test_without_a_log_the_error_is_the_reason(error: Exception, reason: str) -> None:
    def fail() -> None:
        raise error

    assert refusal(fail) == reason


def test_logging_is_afterwards_what_it_was() -> None:
    before = av.logging.get_level(), av.logging.get_skip_repeated()
    refusal(lambda: None)
    assert (av.logging.get_level(), av.logging.get_skip_repeated()) == before
