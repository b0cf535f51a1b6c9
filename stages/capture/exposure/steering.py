"""Steers a camera: tries it, then alternates and follows the light, and tries again when it seems to have changed."""

from __future__ import annotations

from collections import deque

from stages.bracket import BracketSettings, BracketState
from stages.capture.exposure.config import ExposureConfig
from stages.capture.exposure.controller import Controller
from stages.capture.exposure.lag import LONGEST_LAG, LagTracker
from stages.capture.exposure.limits import Limits, stops_of
from stages.capture.exposure.metering import Reading, shift_between
from stages.capture.exposure.probe import Probe, Verdict
from stages.frame import Exposure

_FIRST_STOPS = 3.0
"""Between the exposures of the first trial: well over what flicker does, and most scenes show in both."""
_CONTRADICTION = 3.0
"""Cost of the latest pictures from which the camera is tried anew."""
_TRUST_FRAMES = 100
"""Frames for which a trial's result stands whatever is seen: fast motion may look like disobedience."""
_SETTLING_FRAMES = 30
"""Frames of alternation after which pictures are given out even where exposures never settle."""
_TRIAL_FRAMES = 90
"""Frames of a first trial after which they are given out: a covered lens tells nothing, however long it is tried."""
_BELIEVED_STOPS = 1.0
"""A driver's answer is believed when it lies this near what was asked."""

_TRYING = "trying whether the camera obeys"
_IGNORES = "the camera ignores exposure commands: set it to alternate with its maker's tool"
_LEFT_ALONE = "the camera alternates by itself, as configured"


class Steering:
    """Decides each command from the pictures before it."""

    def __init__(self, config: ExposureConfig, limits: Limits) -> None:
        """Begin with a trial around half the longest time, unless the camera is to be left alone."""
        self._config = config
        self._limits = limits
        self._settings = config.settings
        over = stops_of(Exposure(limits.max_time_us / 2, limits.min_gain))
        self._under, self._over = (over - _FIRST_STOPS, over)
        self._probe: Probe | None = None
        self._controller: Controller | None = None
        self._tracker = LagTracker()
        self._commands: deque[tuple[Exposure, bool]] = deque(maxlen=LONGEST_LAG + 1)
        """Exposure, and whether it is under: the one that stood at each frame interval."""
        self._last: Reading | None = None
        self._tried_frames = 0
        self._trusted_frames = 0
        self._asked: dict[bool, Exposure] = {}
        self._commands_anything = config.alternate != "never"
        self._note = "" if self._commands_anything else _LEFT_ALONE
        self.is_ready = not self._commands_anything
        """False during the first trial and until the camera alternates as it should: its pictures are no use yet."""
        self.shown: Exposure | None = None
        """What the latest picture was taken with, as far as pictures tell; None while the camera is tried."""
        self._frames_to_ready = 0
        self._frames_to_settled = 0
        if self._commands_anything:
            self._try()

    @property
    def state(self) -> BracketState:
        """Now."""
        steers = self._controller is not None and self._probe is None
        return BracketState(
            settings=self._settings,
            under=self._asked.get(True),
            over=self._asked.get(False),
            settled=steers and self._controller is not None and self._controller.is_settled,
            control_delay_frames=self._tracker.usual_lag if steers else None,
            note=self._note,
        )

    def want(self, settings: BracketSettings) -> None:
        """Aim for something else."""
        self._settings = settings
        if self._controller is not None:
            self._controller.want(settings)

    def next_exposure(self) -> Exposure | None:
        """To be asked of the camera before the next picture; None to leave it alone."""
        if not self._commands_anything:
            return None
        if self._probe is not None:
            is_under = self._probe.next_is_under()
            self._under, self._over = self._probe.under, self._probe.over
        else:
            is_under = not self._commands[-1][1]
        exposure = self._limits.exposure(self._under if is_under else self._over)
        self._asked[is_under] = exposure
        self._commands.append((exposure, is_under))
        return exposure

    def accepted(self, exposure: Exposure) -> None:
        """Take in the driver's answer to the latest command."""
        asked, is_under = self._commands[-1]
        if min(exposure.time_us, exposure.gain) > 0 and abs(stops_of(exposure) - stops_of(asked)) < _BELIEVED_STOPS:
            self._commands[-1] = exposure, is_under
            self._asked[is_under] = exposure

    def see(self, reading: Reading, *, lost_frames: int = 0) -> None:
        """Learn from the next picture, and from how many are missing before it by its time stamp."""
        self.shown = None
        if not self._commands_anything:
            return
        shift = shift_between(self._last, reading) if self._last is not None else None
        self._last = reading
        # No command is given while a frame is lost: the one before stands for its time as well.
        self._commands.extend([self._commands[-1]] * lost_frames)
        commands = [stops_of(exposure) for exposure, _ in self._commands]
        self._tracker.follow(shift, commands, lost_frames=lost_frames)
        if self._probe is not None:
            self._judge(self._probe, reading)
        elif self._controller is not None:
            self.shown, is_under = self._commands[-1 - min(self._tracker.lag, len(self._commands) - 1)]
            self._controller.observe(reading, stops_of(self.shown), is_under=is_under)
            self._controller.advance()
            self._under, self._over = self._controller.under, self._controller.over
            self._begin_giving(self._controller)
            self._trusted_frames -= 1
            if self._tracker.cost > _CONTRADICTION and self._trusted_frames <= 0:
                self._try()

    def _begin_giving(self, controller: Controller) -> None:
        """Be ready once the pictures show exposures that suit the scene, or after a while."""
        if controller.is_settled:
            self._frames_to_settled -= 1
        self._frames_to_ready -= 1
        self.is_ready = self.is_ready or min(self._frames_to_settled, self._frames_to_ready) <= 0

    def _try(self) -> None:
        self._probe = Probe(self._limits, under=self._under, over=self._over)
        self._tracker = self._probe.tracker
        self._commands.clear()
        self._last = None
        self._note = _TRYING

    def _judge(self, probe: Probe, reading: Reading) -> None:
        """Look at the trial and go on with what it found."""
        probe.see(reading)
        if probe.verdict is Verdict.OPEN:
            self._tried_frames += 1
            self.is_ready = self.is_ready or self._tried_frames >= _TRIAL_FRAMES
            return
        self._probe = None
        if probe.verdict is Verdict.IGNORES and self._config.alternate == "auto":
            self._commands_anything, self._controller, self._note = False, None, _IGNORES
            self._asked.clear()
            self.is_ready = True
            return
        self._note = ""
        self._tracker.settle()
        self._frames_to_settled = self._tracker.usual_lag + 1
        self._frames_to_ready = self._frames_to_settled + _SETTLING_FRAMES
        self._trusted_frames = _TRUST_FRAMES
        if self._controller is None:
            self._controller = Controller(self._config, self._limits, under=self._under, over=self._over)
            self._controller.want(self._settings)
