"""Pictures by formula: nothing to store, no licence, the same everywhere."""

import numpy as np


def street(width, height):
    """Sky, road, a house and two things on the road, with a soft pattern over all: enough for the model to
    find several classes and some unknown. u8 [height,width,3] rgb."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    picture = np.empty((height, width, 3))
    picture[:] = 150, 185, 225
    picture[y > 0.45] = 95, 92, 98
    picture[(y > 0.15) & (y < 0.55) & (x < 0.35)] = 130, 95, 80
    picture[(y > 0.45) & (y < 0.7) & (x > 0.55) & (x < 0.8)] = 40, 30, 120
    picture[(y > 0.7) & (y < 0.9) & (x > 0.2) & (x < 0.35)] = 220, 60, 20
    picture += 40 * (np.sin(37 * x + 11 * y * y) * np.cos(23 * y))[..., None]
    return picture.clip(0, 255).astype(np.uint8)


def flat(width, height, rgb):
    """One colour."""
    return np.full((height, width, 3), rgb, np.uint8)
