"""Images as messages, in every layout the node reads, and messages as arrays."""

import array
import itertools
import time

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

_count = itertools.count(1)


def header(frame_id="camera_front"):
    """With a stamp nobody else has, all digits in use; it is of years ago."""
    n = next(_count)
    stamp = Time(sec=1_700_000_000 + n, nanosec=(123_456_789 + 1_000_003 * n) % 10**9)
    return Header(stamp=stamp, frame_id=frame_id)


def fresh_header(frame_id="camera_front"):
    """Of this moment, as a camera stamps."""
    sec, nanosec = divmod(time.time_ns(), 10**9)
    return Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id)


def message(rows, width, height, encoding, *, padding=0, **fields):
    """An image from its rows of bytes, u8 [stored rows, bytes]; each is made longer by `padding`."""
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xEE)
    data = array.array("B")  # rclpy takes it as it is; any other sequence it checks byte by byte
    data.frombytes(rows.tobytes())
    fields = {"header": header(), "step": rows.shape[1], "data": data} | fields
    return Image(width=width, height=height, encoding=encoding, **fields)


def rgb8(rgb, **more):
    """The usual camera's image from u8 [H,W,3]."""
    return encoded(rgb, "rgb8", **more)


def encoded(rgb, encoding, **more):
    """The picture in any of the layouts without subsampling, and the Bayer mosaics."""
    height, width = rgb.shape[:2]
    alpha = np.full((height, width, 1), 77, np.uint8)
    match encoding:
        case "rgb8":
            pixels = rgb
        case "bgr8":
            pixels = rgb[..., ::-1]
        case "rgba8":
            pixels = np.concatenate([rgb, alpha], 2)
        case "bgra8":
            pixels = np.concatenate([rgb[..., ::-1], alpha], 2)
        case "mono8":
            pixels = rgb[..., :1]
        case _:
            cell = encoding.removeprefix("bayer_").removesuffix("8")
            pixels = np.empty((height, width), np.uint8)
            for i, letter in enumerate(cell):
                y, x = divmod(i, 2)
                pixels[y::2, x::2] = rgb[y::2, x::2, "rgb".index(letter)]
    return message(pixels.reshape(height, -1), width, height, encoding, **more)


def yuv(y, u, v, encoding, **more):
    """Luma u8 [H,W] and chroma u8 [H/2,W/2] in a subsampled layout; 4:2:2 repeats the rows of chroma."""
    height, width = y.shape
    if encoding == "nv12":
        rows = np.concatenate([y, np.stack([u, v], 2).reshape(height // 2, width)])
    else:
        u, v = (np.repeat(c, 2, axis=0) for c in (u, v))
        left, right = y[:, ::2], y[:, 1::2]
        chroma_first = encoding in ("uyvy", "yuv422")
        order = [u, left, v, right] if chroma_first else [left, u, right, v]
        rows = np.stack(order, 2).reshape(height, -1)
    return message(rows, width, height, encoding, **more)


def rgb_of_yuv(y, u, v):
    """BT.601 of limited range, in the 20-bit fixed point that camera pipelines and OpenCV share."""
    u, v = (np.repeat(np.repeat(c, 2, 0), 2, 1).astype(np.int64) - 128 for c in (u, v))
    luma = np.maximum(y.astype(np.int64) - 16, 0) * 1_220_542
    rgb = np.stack([luma + 1_673_527 * v, luma - 852_492 * v - 409_993 * u, luma + 2_116_026 * u], 2)
    return ((rgb + (1 << 19)) >> 20).clip(0, 255).astype(np.uint8)


def pixels(image):
    """The array in a message, padding left out: [H,W] or [H,W,3]."""
    kind, channels = {"mono8": ("u1", 1), "rgb8": ("u1", 3), "bgr8": ("u1", 3), "32FC1": ("<f4", 1)}[image.encoding]
    assert not image.is_bigendian
    rows = np.frombuffer(image.data, np.uint8).reshape(image.height, image.step)
    row = image.width * channels * np.dtype(kind).itemsize
    values = rows[:, :row].copy().view(kind).reshape(image.height, image.width, channels)
    return values[..., 0] if channels == 1 else values


# The fake segmenter's classes low, mid, high, and what it has never seen, by brightness.
LOW, MID, HIGH, UNKNOWN = range(4)
BRIGHTNESS = np.array([0, 40, 80, 200], np.uint8)


def bands(width=64, height=48):
    """Four columns that the fake segmenter labels LOW, MID, HIGH and UNKNOWN."""
    columns = np.repeat(BRIGHTNESS, -(-width // 4))[:width]
    return np.broadcast_to(columns[None, :, None], (height, width, 3))


def assert_bands(labels):
    """In the middle of the bands and of the picture: at borders logits are interpolated."""
    found = pixels(labels)[labels.height // 2, (np.arange(4) * 2 + 1) * labels.width // 8]
    assert found.tolist() == [LOW, MID, HIGH, UNKNOWN]
