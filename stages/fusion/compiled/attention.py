"""CEM's attention over channels and SAM's over places, for kernels.

The latter goes through 1 x 1 convolutions: scores are one of the queries, whose weights are the keys, and what is
attended to is one of the softmax of the scores, whose weights are the values. Both run in vectors along the queries.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.compiling import part
from stages.fusion.compiled.arithmetic import exp2, sigmoid
from stages.fusion.compiled.convolution import BLOCK_PIXELS, convolve_row, filled_channels, packed
from stages.fusion.compiled.resampling import pool_planes
from stages.fusion.compiled.rows import Floats

_LOG2_E = np.float32(1 / np.log(2))


class Gate(NamedTuple):
    """Weights (out, in) and biases of the two layers of CEM's attention."""

    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats


class Attention(NamedTuple):
    """SAM's attention: its layers' weights and biases, as ``convolve_row`` takes them, and room to work in.

    Places are counted row by row; planes of them are (channels, 1, ...) with a border of one at both ends.
    """

    query_key_value: Floats
    query_key_value_bias: Floats
    project: Floats
    project_bias: Floats
    reduced: Floats
    tokens: Floats
    queries: Floats
    """Of some places."""
    keys: Floats
    """As ``packed`` gives weights."""
    values: Floats
    """The same."""
    scores: Floats
    """Of some places for all."""
    peaks: Floats
    """The largest score of each, (BLOCK_PIXELS,)."""
    sums: Floats
    zeros: Floats
    """Biases of keys and values."""
    mixed: Floats
    attended: Floats
    context: Floats
    """(channels, h, w)."""

    @classmethod
    def of(
        cls, query_key_value: tuple[Floats, Floats], project: tuple[Floats, Floats], size: tuple[int, int]
    ) -> Attention:
        """For a reduced map of (h, w).

        Args:
            query_key_value: weights (3 * channels, channels) and biases.
            project: weights (channels, channels) and biases.
            size: (h, w).
        """
        channels, places = project[0].shape[0], size[0] * size[1]
        filled = filled_channels(channels)
        weights, biases = np.zeros((3, filled, channels), np.float32), np.zeros((3, filled), np.float32)
        weights[:, :channels] = query_key_value[0].reshape(3, channels, channels)
        biases[:, :channels] = query_key_value[1].reshape(3, channels)
        # Of powers of two, not of e.
        scale = _LOG2_E / np.sqrt(np.float32(channels))
        weights[0] *= scale
        biases[0] *= scale
        project_bias = np.zeros(filled, np.float32)
        project_bias[:channels] = project[1]
        return cls(
            packed(weights.reshape(3 * filled, channels)[:, :, None, None]),
            biases.reshape(-1),
            packed(project[0][:, :, None, None]),
            project_bias,
            _room(channels, places),
            _room(3 * filled, places),
            _room(channels, 0),
            np.zeros((filled_channels(places) // 4, channels, 1, 4), np.float32),
            np.zeros((filled // 4, places, 1, 4), np.float32),
            _room(filled_channels(places), 0),
            np.zeros(BLOCK_PIXELS, np.float32),
            np.zeros(BLOCK_PIXELS, np.float32),
            np.zeros(filled_channels(max(channels, places)), np.float32),
            _room(filled, 0),
            _room(channels, places),
            np.zeros((channels, *size), np.float32),
        )


def _room(channels: int, places: int) -> Floats:
    """Planes of so many places, or of a block of them."""
    return np.zeros((channels, 1, max(places, BLOCK_PIXELS) + 2), np.float32)


@part
def weigh_channels(features: Floats, height: int, width: int, gate: Gate, seen: Floats, factors: Floats) -> None:
    """CEM's attention over channels.

    Args:
        features: as ``bordered`` makes them.
        height: of the picture.
        width: of the picture.
        gate: the layers.
        seen: room for the mean and the maximum of each channel, (2, channels).
        factors: (channels,), filled.
    """
    for channel in range(factors.size):
        total, largest = np.float32(0), features[channel, 1, 1]
        for y in range(1, height + 1):
            row = features[channel, y]
            of_row = np.float32(0)
            for x in range(1, width + 1):
                of_row += row[x]
                largest = max(largest, row[x])
            total += of_row
        seen[0, channel] = total / np.float32(height * width)
        seen[1, channel] = largest
        factors[channel] = np.float32(2) * gate.second_bias[channel]
    for hidden in range(gate.first_bias.size):
        for statistic in range(2):
            value = gate.first_bias[hidden]
            for channel in range(factors.size):
                value += gate.first[hidden, channel] * seen[statistic, channel]
            for channel in range(factors.size):
                factors[channel] += gate.second[channel, hidden] * max(value, np.float32(0))
    for channel in range(factors.size):
        factors[channel] = sigmoid(np.float32(factors[channel] * _LOG2_E))


@part
def attend(local: Floats, width: int, attention: Attention, row: Floats) -> None:
    """SAM's attention over the reduced map, added to it: fills ``context``.

    Args:
        local: as ``bordered`` makes them.
        width: of the picture.
        attention: the layers.
        row: room for one.
    """
    reduced, tokens, context = attention.reduced, attention.tokens, attention.context
    channels, rows, columns = context.shape
    places = rows * columns
    one = np.float32(1)
    pool_planes(local, width, reduced, rows, columns, row)
    convolve_row(reduced, attention.query_key_value, attention.query_key_value_bias, one, tokens, 0, places)
    first_key = tokens.shape[0] // 3
    for channel in range(channels):
        key, value = tokens[first_key + channel, 0], tokens[2 * first_key + channel, 0]
        for place in range(places):
            attention.keys[place // 4, channel, 0, place % 4] = key[place + 1]
            attention.values[channel // 4, place, 0, channel % 4] = value[place + 1]
    for first in range(0, places, BLOCK_PIXELS):
        count = min(BLOCK_PIXELS, places - first)
        for channel in range(channels):
            for place in range(count):
                attention.queries[channel, 0, place + 1] = tokens[channel, 0, first + place + 1]
        convolve_row(attention.queries, attention.keys, attention.zeros, one, attention.scores, 0, count)
        _soften(attention.scores[:places], attention.peaks, attention.sums)
        convolve_row(attention.scores, attention.values, attention.zeros, one, attention.mixed, 0, count)
        for channel in range(channels):
            for place in range(count):
                attention.attended[channel, 0, first + place + 1] = attention.mixed[channel, 0, place + 1]
    # The queries are no longer needed.
    convolve_row(attention.attended, attention.project, attention.project_bias, one, tokens, 0, places)
    for channel in range(channels):
        for y in range(rows):
            for x in range(columns):
                place = y * columns + x + 1
                context[channel, y, x] = reduced[channel, 0, place] + tokens[channel, 0, place]


@part
def _soften(scores: Floats, peaks: Floats, sums: Floats) -> None:
    """Softmax over the first axis of a block of scores, which count as powers of two."""
    for place in range(BLOCK_PIXELS):
        peaks[place], sums[place] = scores[0, 0, place + 1], np.float32(0)
    for index in range(1, scores.shape[0]):
        row = scores[index, 0]
        for place in range(BLOCK_PIXELS):
            peaks[place] = max(peaks[place], row[place + 1])
    for index in range(scores.shape[0]):
        row = scores[index, 0]
        for place in range(BLOCK_PIXELS):
            row[place + 1] = exp2(np.float32(row[place + 1] - peaks[place]))
            sums[place] += row[place + 1]
    for place in range(BLOCK_PIXELS):
        sums[place] = np.float32(1) / sums[place]
    for index in range(scores.shape[0]):
        row = scores[index, 0]
        for place in range(BLOCK_PIXELS):
            row[place + 1] *= sums[place]
