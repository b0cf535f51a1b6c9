// Reads lumabraid's fused stream in JavaScript: docs/wire-format.md in fifty lines.
//
//     npm ci
//     node reader.mjs tcp://127.0.0.1:5555 [COUNT]

import { decode } from "@msgpack/msgpack"
import { Subscriber } from "zeromq"

const TOPIC = "fused/yuv420p"
const [address, count = Infinity] = process.argv.slice(2)

/** Mean of a plane's pixels; the padding at the end of its rows is left out. */
function mean(plane, width, height, stride) {
  let sum = 0
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) sum += plane[y * stride + x]
  return sum / (width * height)
}

const socket = new Subscriber({ receiveHighWaterMark: 2, heartbeatInterval: 500 })
socket.connect(address)
socket.subscribe(TOPIC)

let stream, seq
let lost = 0
let seen = 0
for await (const [topic, encoded, ...payload] of socket) {
  if (topic.toString() !== TOPIC) continue // a subscription is a prefix: this is yuv420p10le
  // Times in nanoseconds are beyond the whole numbers a double can hold: they become BigInt.
  const header = decode(encoded, { useBigInt64: true })
  if (header.schema !== 1) throw new Error(`the publisher speaks schema ${header.schema}, this reader 1`)

  if (header.stream === stream) lost += Number(header.seq) - seq - 1
  stream = header.stream
  seq = Number(header.seq)

  const { width, height } = header
  const [lumaStride, cbStride] = header.strides
  const pixels = payload.length === 1 ? payload[0] : Buffer.concat(payload)
  const luma = mean(pixels, width, height, lumaStride)
  const cb = mean(pixels.subarray(lumaStride * height), Math.ceil(width / 2), Math.ceil(height / 2), cbStride)

  console.log(
    `seq ${seq} pts ${header.pts} ${width}x${height} luma ${luma.toFixed(2)} cb ${cb.toFixed(2)} lost ${lost}`,
  )
  if (++seen >= count) break
}
socket.close()
