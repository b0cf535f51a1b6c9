"""Reads lumabraid's fused stream with pyzmq, msgspec and NumPy: docs/wire-format.md in fifty lines.

python reader.py tcp://127.0.0.1:5555 [COUNT]
"""

import sys

import msgspec
import numpy as np
import zmq

TOPIC = b"fused/yuv420p"


def main(address: str, count: int) -> None:
    """Print a line for each picture."""
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 2)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 500)
    socket.setsockopt(zmq.SUBSCRIBE, TOPIC)
    socket.connect(address)

    stream, seq, lost = None, 0, 0
    while count:
        topic, encoded, *payload = socket.recv_multipart()
        if topic != TOPIC:
            continue  # a subscription is a prefix: this is yuv420p10le
        header = msgspec.msgpack.decode(encoded)
        if header["schema"] != 1:
            raise SystemExit(f"the publisher speaks schema {header['schema']}, this reader 1")

        if header["stream"] == stream:
            lost += header["seq"] - seq - 1
        stream, seq = header["stream"], header["seq"]

        width, height = header["width"], header["height"]
        luma_stride, cb_stride, _ = header["strides"]
        half_width, half_height = (width + 1) // 2, (height + 1) // 2
        pixels = np.frombuffer(payload[0] if len(payload) == 1 else b"".join(payload), np.uint8)
        luma, chroma = np.split(pixels, [luma_stride * height])
        luma = luma.reshape(height, luma_stride)[:, :width]
        cb = chroma[: cb_stride * half_height].reshape(half_height, cb_stride)[:, :half_width]

        print(
            f"seq {seq} pts {header['pts']} {width}x{height} luma {luma.mean():.2f} cb {cb.mean():.2f} lost {lost}",
            flush=True,
        )
        count -= 1
    context.destroy(linger=0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else -1)
