"""Puts pictures together on a GPU."""

from __future__ import annotations

from collections import deque
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from stages.alignment.camera import Flow
from stages.alignment.continuation import FILL_SIZE_PX
from stages.alignment.cuda.continuation import Continuation, Matrix
from stages.alignment.cuda.program import Cargo, Flood, Followed, Guess, Laid, Recalled, develop
from stages.alignment.cuda.shuttle import Shuttle
from stages.alignment.cuda.warp import Displacements
from stages.alignment.exposure import TRUST
from stages.alignment.levels import Levels
from stages.alignment.plan import FloatMap, Layer, Plan, Recall, Side
from stages.alignment.resampling import fit
from stages.device.planes import DevicePlanes, Layout
from stages.device.queue import DeviceQueue
from stages.frame import ExposurePair, Planes

_KEPT_FRAMES = 3
"""Captured frames that may be asked for again: the reference and both its neighbours."""

_LARGEST_CODE = (1 << 15) - 1
"""Of a displacement."""


class DeviceAssembler:
    """Gives pictures that lie on the device; each captured frame goes there once.

    Args:
        queue: the device.
    """

    def __init__(self, queue: DeviceQueue) -> None:
        self._queue = queue
        self._shuttle = Shuttle(queue)
        self._captured: deque[tuple[Planes, Tensor]] = deque(maxlen=_KEPT_FRAMES)
        self._continuation: tuple[tuple[Layout, tuple[int, ...]], Continuation] | None = None

    @property
    def bytes_sent(self) -> int:
        """To the device, so far."""
        return self._shuttle.bytes_sent

    def begin(self, pair: ExposurePair, first: Side, recalled: Recall | None) -> None:
        """Nothing: it takes a GPU no time that would be worth saving."""

    def assemble(self, plan: Plan) -> tuple[Planes, Planes]:
        """The reference, and the other exposure on its pixel grid.

        Raises:
            torch.OutOfMemoryError: of the device.
            torch.AcceleratorError: it gave out.
        """
        cargo = self._cargo(plan)
        layout = cargo.layout
        targets = [self._queue.device_buffer(layout.codes, layout.dtype) for _ in range(2)]

        def work() -> None:
            for picture, codes in zip(develop(cargo), targets, strict=True):
                picture.write(codes, layout)

        self._queue.run("compute", work)
        ready = self._queue.mark()
        ready.put("compute")
        reference, neighbour = (DevicePlanes(layout, codes, ready) for codes in targets)
        return reference, neighbour

    def _cargo(self, plan: Plan) -> Cargo:
        reference = plan.pair.reference
        return Cargo(
            layout=Layout.like(reference.planes),
            levels=Levels.of(reference.color, reference.planes.bit_depth),
            reference=self._codes(reference.planes),
            neighbour=self._codes(plan.first.planes) if plan.recall is None else None,
            flow=self._flow("first", plan.first.flow),
            recalled=self._recalled(plan, plan.recall) if plan.recall is not None else None,
            layers=tuple(self._laid(plan, layer) for layer in plan.layers),
            guess=self._guess(plan) if plan.guesses else None,
            flood=self._flood(plan, plan.flooded) if plan.flooded is not None else None,
            frames_seen=plan.frames_seen,
            spot_step=plan.spots.step,
        )

    def _recalled(self, plan: Plan, recall: Recall) -> Recalled:
        return Recalled(
            reference=self._codes(recall.memory.reference),
            neighbour=self._codes(recall.memory.neighbour),
            trust=self._shuttle.array("trust", _eight_bit(recall.trust)),
            spots=self._followed("recalled", plan, plan.first.flow, recall.trust[plan.spots.small]),
        )

    def _laid(self, plan: Plan, layer: Layer) -> Laid:
        return Laid(
            codes=self._codes(layer.side.planes),
            flow=self._flow("layer", layer.side.flow),
            kept=self._shuttle.array("layer", _eight_bit(layer.kept)),
            spots=self._followed("layer", plan, layer.side.flow, layer.agreed),
        )

    def _guess(self, plan: Plan) -> Guess:
        continuation, confidence = None, None
        if not plan.pair.reference_is_under:
            small = fit(plan.confidence, FILL_SIZE_PX)
            continuation = self._continuation_for(Layout.like(plan.pair.reference.planes), small.shape)
            confidence = self._shuttle.array("small confidence", small)
        return Guess(
            kept=self._shuttle.array("confidence", _eight_bit(plan.confidence)),
            curve=self._shuttle.array("curve", plan.curve.astype(np.float32)),
            excess=self._shuttle.array("excess", plan.first.excess) if plan.first.excess is not None else None,
            alike=self._shuttle.array("guess", plan.confidence[plan.spots.small] > TRUST),
            continuation=continuation,
            confidence=confidence,
            checks=plan.checks,
        )

    def _flood(self, plan: Plan, flooded: FloatMap) -> Flood:
        sent = self._shuttle.array
        return Flood(
            kept=sent("flooded", _eight_bit(1 - flooded)),
            curve=sent("flooded curve", plan.first.mapping.under_to_over.astype(np.float32)),
            alike=sent("flooded alike", plan.confidence[plan.spots.small] > TRUST),
        )

    def _followed(self, purpose: str, plan: Plan, flow: Flow, trust: FloatMap) -> Followed:
        planes = plan.pair.reference.planes
        places: npt.NDArray[Any] = plan.spots.places(flow, planes.height, planes.width).astype(np.int32)
        sent = self._shuttle.array
        return Followed(sent(f"{purpose} places", places), sent(f"{purpose} alike", trust > TRUST))

    def _flow(self, purpose: str, flow: Flow) -> Displacements | None:
        longest_px = float(cv2.norm(flow.reshape(-1), cv2.NORM_INF))
        if longest_px == 0:
            return None
        # Half the bytes of floats, and none off by more than a 65000th part of the longest.
        unit_px = longest_px / _LARGEST_CODE
        codes: npt.NDArray[Any] = np.rint(flow * np.float32(1 / unit_px)).astype(np.int16)
        return Displacements(self._shuttle.array(f"{purpose} flow", codes), unit_px)

    def _codes(self, planes: Planes) -> Tensor:
        """A picture's code values on the device, taken there if it is new."""
        if isinstance(planes, DevicePlanes):
            return planes.codes
        for known, codes in self._captured:
            if known is planes:
                return codes
        codes = self._shuttle.picture(planes)
        self._captured.append((planes, codes))
        return codes

    def _continuation_for(self, layout: Layout, size: tuple[int, ...]) -> Continuation:
        """Kept until another size comes."""
        key = layout, size
        if self._continuation is None or self._continuation[0] != key:
            self._continuation = key, Continuation(layout, size[0], size[1], self._constant)
        return self._continuation[1]

    def _constant(self, matrix: Matrix) -> Tensor:
        return self._shuttle.array("constant", matrix)


def _eight_bit(share: FloatMap) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.convertScaleAbs(share, alpha=255), np.uint8)
