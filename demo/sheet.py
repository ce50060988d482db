"""The contact sheet: what the camera saw, what the node made of it, and how anomalous each pixel was to it."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rosbags.highlevel import AnyReader
from ruamel.yaml import YAML

from play import stamp_ns
from record import CAMERA, COLOR, FRAME_STATUS, HEATMAP, LABELS, OVERLAY, values

COLUMNS, BANDS = 5, 2
TILE_PX, GAP_PX, CAPTION_PX = 384, 6, 28
BACKGROUND, INK, FAINT = (24, 24, 27), (240, 240, 240), (160, 160, 165)
# The heatmap's colours below and above the threshold, as the node draws them.
COOL = ((8, 10, 48), (38, 70, 150), (176, 204, 230))
WARM = ((255, 226, 120), (240, 110, 30), (150, 0, 20))

# Bytes of a pixel, and where in it red, green and blue are.
CHANNELS = {
    "rgb8": (3, [0, 1, 2]),
    "bgr8": (3, [2, 1, 0]),
    "rgba8": (4, [0, 1, 2]),
    "bgra8": (4, [2, 1, 0]),
    "mono8": (1, [0, 0, 0]),
}

ROWS = {CAMERA: "camera", OVERLAY: "overlay", HEATMAP: "anomaly"}
TOPICS = (*ROWS, LABELS, COLOR, FRAME_STATUS)


def messages(bag):
    with AnyReader([bag]) as reader:
        for connection, _, raw in reader.messages([c for c in reader.connections if c.topic in TOPICS]):
            yield connection.topic, stamp_ns(raw), lambda: reader.deserialize(raw, connection.msgtype)


def moments(bag):
    """{stamp: {topic: message}} of frames recorded whole, evenly over time. Two passes: all would be too much."""
    stamps = {topic: set() for topic in TOPICS}
    for topic, stamp, _ in messages(bag):
        stamps[topic].add(stamp)
    whole = sorted(set.intersection(*stamps.values()))
    chosen = {}
    if whole:
        count = min(len(whole), COLUMNS * BANDS)
        chosen = {whole[i]: {} for i in np.linspace(0, len(whole) - 1, count).round().astype(int)}
    for topic, stamp, message in messages(bag):
        if stamp in chosen:
            chosen[stamp][topic] = message()
    return min(stamps[CAMERA], default=0), chosen


def picture(message):
    """A sensor_msgs/Image; blank where the encoding is a camera's own (Bayer, YUV)."""
    if message.encoding not in CHANNELS:
        return Image.new("RGB", (message.width, message.height), BACKGROUND)
    count, order = CHANNELS[message.encoding]
    rows = message.data.reshape(message.height, message.step)[:, : message.width * count]
    return Image.fromarray(rows.reshape(message.height, message.width, count)[..., order])


def unknown_color(moments, unknown):
    """What the node paints unknown with, seen in its own pictures; None where nothing was unknown."""
    for parts in moments:
        is_unknown = parts[LABELS].data == unknown
        if is_unknown.any():
            return tuple(parts[COLOR].data.reshape(-1, 3)[is_unknown][0].tolist())
    return None


def shade(ramp, t):
    """`t` from 0 to 1 along three colours."""
    return tuple(int(np.interp(t, (0, 0.5, 1), channel)) for channel in zip(*ramp))


class Sheet:
    """A dark page to put words and pictures on."""

    def __init__(self, width, height):
        self.image = Image.new("RGB", (width, height), BACKGROUND)
        self.draw = ImageDraw.Draw(self.image)

    def write(self, x, y, words, fill=INK, size=16, anchor="lm"):
        """Returns where the words end."""
        font = ImageFont.load_default(size)
        self.draw.text((x, y), words, fill, font, anchor)
        return x + font.getlength(words)

    def chips(self, x, y, classes):
        for name, color in classes:
            self.draw.rounded_rectangle((x, y - 8, x + 18, y + 8), 3, tuple(color))
            x = self.write(x + 26, y, name) + 22

    def scale(self, right, y, threshold):
        """The heatmap's colours, the threshold in the middle."""
        length = 300
        left, below = right - length, y + 22
        for i in range(length):
            t = 2 * i / length - 1
            self.draw.line((left + i, y - 8, left + i, y + 8), shade(WARM, t) if t > 0 else shade(COOL, 1 + t))
        self.write(left - 12, y, "anomaly score", anchor="rm")
        self.write(left, below, "known", FAINT)
        self.write(left + length / 2, below, f"threshold {threshold}", FAINT, anchor="mm")
        self.write(right, below, "unknown", FAINT, anchor="rm")


def make(bag, manifest, path, title):
    """Draws the sheet of a recorded bag; returns how many moments it shows."""
    begin, chosen = moments(bag)
    if not chosen:
        return 0
    statuses = {stamp: values(parts[FRAME_STATUS].status[0]) for stamp, parts in chosen.items()}
    status = next(iter(statuses.values()))
    camera = next(iter(chosen.values()))[CAMERA]
    tile = (TILE_PX, round(TILE_PX * camera.height / camera.width))
    column, band = tile[0] + GAP_PX, CAPTION_PX + len(ROWS) * (tile[1] + GAP_PX) + 10
    left, top, bottom = 84, 64, 80
    right = left + COLUMNS * column - GAP_PX
    sheet = Sheet(right + 14, top + -(-len(chosen) // COLUMNS) * band + bottom)
    sheet.write(14, top / 2, title, size=24)
    sheet.write(right, top / 2, f"{status['model']}, {status['input_size']}, {status['provider']}", FAINT, anchor="rm")
    for i, (stamp, parts) in enumerate(chosen.items()):
        x, y = left + i % COLUMNS * column, top + i // COLUMNS * band
        sheet.write(x + 2, y + CAPTION_PX / 2, f"{(stamp - begin) / 1e9:.1f} s")
        share = 100 * float(statuses[stamp]["unknown_share"])
        sheet.write(x + tile[0] - 2, y + CAPTION_PX / 2, f"{share:.1f} % unknown", anchor="rm")
        for row, (topic, name) in enumerate(ROWS.items()):
            at = y + CAPTION_PX + row * (tile[1] + GAP_PX)
            sheet.image.paste(picture(parts[topic]).resize(tile, Image.Resampling.LANCZOS), (x, at))
            if i % COLUMNS == 0:
                sheet.write(left - 10, at + tile[1] / 2, name, FAINT, anchor="rm")
    classes = [(known["name"], known["color"]) for known in YAML(typ="safe").load(manifest)["classes"]]
    unknown = unknown_color(chosen.values(), len(classes))
    y = sheet.image.height - bottom / 2 - 8
    sheet.chips(left, y, classes + ([("unknown", unknown)] if unknown else []))
    sheet.scale(right, y, status["threshold"])
    sheet.image.save(path)
    return len(chosen)
