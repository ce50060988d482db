"""The demo's own scene: a drive past four real street photos, with things on the road nobody taught the model.

A photo becomes a few seconds of film by a window that closes in on where the road vanishes, as if the car
went ahead. The photos come with a package that set-up fetches (see setup/requirements-demo.in); they are
never part of this project.
"""

import importlib.util
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

import things

SIZE = (640, 480)
FPS = 10


@dataclass(frozen=True)
class Shot:
    photo: str
    seconds: float
    vanishing_px: tuple  # where the road meets the horizon in the photo
    zoom: tuple  # first, last
    actors: callable  # camera, time in seconds -> shapes
    focal_px: float = 800.0

    def frame(self, photo, time, rng):
        """The picture `time` seconds into the shot, and which of its pixels show a thing."""
        part = time / self.seconds
        zoom = self.zoom[0] * (self.zoom[1] / self.zoom[0]) ** part
        width = min(photo.width, photo.height * SIZE[0] / SIZE[1]) / zoom
        height = width * SIZE[1] / SIZE[0]
        # The vanishing point stays put in the picture: that is what going straight ahead looks like.
        anchor_x, anchor_y = 0.5, 0.5 + 0.012 * np.sin(2.1 * time) / zoom
        left = np.clip(self.vanishing_px[0] - anchor_x * width, 0, photo.width - width)
        top = np.clip(self.vanishing_px[1] - anchor_y * height, 0, photo.height - height)
        image = photo.resize(SIZE, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
        scale = SIZE[0] / width
        centre = ((photo.width / 2 - left) * scale, (self.vanishing_px[1] - top) * scale)
        camera = things.Camera(self.focal_px * scale, centre)
        return things.draw(image, camera, self.actors(camera, time), exposure(image), rng)


def exposure(image):
    """How bright white would be here, from the road in the lower middle: asphalt gives back about a third."""
    road = np.asarray(image.convert("L"))[330:450, 220:420]
    return float(np.clip(np.median(road) / 255 / 0.36, 0.5, 1.3))


def ease(time, begin, end):
    """0 before `begin`, 1 after `end`, smooth between."""
    t = np.clip((time - begin) / (end - begin), 0, 1)
    return t * t * (3 - 2 * t)


def box_blown_in(camera, time):
    there = ease(time, 1.5, 4.0)
    return things.box(camera, 5.2 - 4.6 * there, 9.0 - 0.5 * there, 0.9 - 1.5 * there) if time > 1.2 else []


def sofa_lost(camera, time):
    return things.sofa(camera, 0.7, 9.0, 0.35)


def ball_rolling(camera, time):
    x = -4.0 + 5.2 * (1 - (1 - min(time / 4.0, 1)) ** 2)  # ever slower, until it lies still
    return things.ball(camera, x, 8.0, x / 0.32)


def boxes_dropped(camera, time):
    return things.box(camera, -1.0, 10.0, 0.5) + things.box(camera, 0.6, 8.2, -0.3, (0.55, 0.42, 0.5))


SHOTS = (
    Shot("65.jpg", 6.0, (516, 436), (1.0, 1.5), box_blown_in),
    Shot("64.jpg", 4.5, (482, 352), (1.0, 1.5), sofa_lost),
    Shot("18.jpg", 5.0, (482, 372), (1.0, 1.4), ball_rolling),
    Shot("67.jpg", 4.5, (398, 398), (1.0, 1.5), boxes_dropped),
)


def photos():
    """Folder of the fetched street photos."""
    package = importlib.util.find_spec("ai_benchmark")
    if package is None:
        raise FileNotFoundError("the demo's street photos are not here: run setup/setup.sh demo")
    return Path(package.submodule_search_locations[0]) / "data/enhancement"


@lru_cache
def photo(name):
    with Image.open(photos() / name) as file:
        return file.convert("RGB")


def write(path, shot, time):
    rng = np.random.default_rng(int(path.stem))  # the same film every time
    image, mask = shot.frame(photo(shot.photo), time, rng)
    image.save(path, compress_level=1)
    return mask


def make(folder):
    """Writes the film as numbered pictures; returns where its things are, bool [frames, height, width]."""
    folder.mkdir(parents=True)
    moments = [(shot, i / FPS) for shot in SHOTS for i in range(round(shot.seconds * FPS))]
    paths = [folder / f"{i:04}.png" for i in range(len(moments))]
    with ProcessPoolExecutor() as pool:
        return np.stack(list(pool.map(write, paths, *zip(*moments), chunksize=10)))
