"""Things no road model was taught, drawn into a photo: a cardboard box, a sofa, a beach ball.

Each pixel near a thing sends a ray into a small world in metres (x right, y down, z ahead of the camera),
where the road is the plane y = height of the camera. Nothing here knows of networks: the pictures are
made to look right, not to be found.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from PIL import Image

SUPERSAMPLING = 2
SKY = np.array([-0.35, -0.9, -0.25])  # where most of an overcast sky's light comes from
GRAIN = np.random.default_rng(7).normal(size=(256, 256)).astype(np.float32)


def grain(u, v, per_metre):
    """Noise that sticks to a surface: the same value at the same place of it."""
    return GRAIN[(v * per_metre).astype(int) % 256, (u * per_metre).astype(int) % 256]


@dataclass(frozen=True)
class Camera:
    """A level pinhole camera above a flat road."""

    focal_px: float
    centre_px: tuple  # where the optical axis, and so the horizon, meets the image
    height_m: float = 1.5

    def rays(self, u, v):
        x = (u - self.centre_px[0]) / self.focal_px
        y = (v - self.centre_px[1]) / self.focal_px
        return np.stack([x, y, np.ones_like(x)], -1)

    def project(self, point):
        return (
            self.centre_px[0] + self.focal_px * point[0] / point[2],
            self.centre_px[1] + self.focal_px * point[1] / point[2],
        )

    def on_road(self, x, z, up=0.0):
        return np.array([x, self.height_m - up, z])


def turn(yaw):
    """Rotation about the vertical, world from body."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def cardboard(face, u, v, half):
    """Brown, fluted, with a seam under a stripe of tape and a print on the sides."""
    color = np.broadcast_to([168.0, 125.0, 82.0], (*u.shape, 3)).copy()
    color += (2.5 * grain(u, v, 90) + 2.0 * np.sin(u * 400))[..., None]
    on_top, tape = face == 1, np.abs(u) < 0.09 * half[0] / 0.3
    stripe = tape & (on_top | (v < -half[1] * 0.45))
    color[stripe] = [206, 184, 146]
    color[on_top & (np.abs(u) < 0.006)] *= 0.6
    # "This side up": two arrows.
    for centre in (0.45, 0.68):
        a, b = np.abs(u / half[0] - centre), v / half[1]
        arrow = ~on_top & (((a < 0.035) & (b > 0.1) & (b < 0.6)) | ((b > -0.2) & (b < 0.1) & (a < (b + 0.2) * 0.35)))
        color[arrow] = [70, 52, 44]
    return color


def cloth(face, u, v, half):
    """A woven red."""
    color = np.broadcast_to([142.0, 48.0, 44.0], (*u.shape, 3)).copy()
    return color + (4.0 * grain(u, v, 120) + 2.5 * grain(u, v, 25))[..., None]


@dataclass(frozen=True)
class Block:
    """A cuboid standing upright, `centre` and `half` in metres, turned by `yaw`."""

    centre: np.ndarray
    half: tuple
    yaw: float
    paint: callable

    @property
    def reach(self):
        return float(np.hypot(self.half[0], self.half[2]))

    @property
    def tall(self):
        return 2 * self.half[1]

    def hit(self, rays):
        """Distance along each ray (inf: missed), outward normal, colour."""
        to_body = turn(self.yaw).T
        origin, d = -to_body @ self.centre, rays @ to_body.T
        half = np.array(self.half)
        with np.errstate(divide="ignore", invalid="ignore"):
            near = (-np.sign(d) * half - origin) / d
            far = (np.sign(d) * half - origin) / d
        t = np.nanmax(near, -1)
        axis = np.nanargmax(near, -1)
        t = np.where((t > 0) & (t <= np.nanmin(far, -1)), t, np.inf)
        p = origin + np.where(np.isfinite(t), t, 0)[..., None] * d
        u = np.where(axis == 0, p[..., 2], p[..., 0])
        v = np.where(axis == 1, p[..., 2], p[..., 1])
        normal = -np.sign(np.take_along_axis(d, axis[..., None], -1)) * np.eye(3)[axis]
        return t, normal @ to_body, self.paint(axis, u, v, half)

    def shadow(self, ground):
        """How far a point of the road is from the footprint, in heights of the thing."""
        p = (ground - self.centre) @ turn(self.yaw)
        outside = np.maximum(np.abs(p[..., [0, 2]]) - np.array(self.half)[[0, 2]], 0)
        return np.hypot(outside[..., 0], outside[..., 1]) / self.tall


@dataclass(frozen=True)
class Ball:
    """A beach ball in six gores, `rolled` by an angle about the camera's axis."""

    centre: np.ndarray
    radius: float
    rolled: float

    @property
    def reach(self):
        return self.radius

    @property
    def tall(self):
        return 2 * self.radius

    GORES = np.array([[214, 40, 44], [238, 236, 228], [30, 92, 176], [238, 236, 228], [240, 190, 40], [238, 236, 228]])

    def hit(self, rays):
        a = (rays * rays).sum(-1)
        b = rays @ self.centre
        inside = b * b - a * (self.centre @ self.centre - self.radius**2)
        t = np.where(inside > 0, (b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)
        normal = (np.where(np.isfinite(t), t, 0)[..., None] * rays - self.centre) / self.radius
        around = np.arctan2(normal[..., 1], normal[..., 0]) - self.rolled
        color = self.GORES[(around / (2 * np.pi) * 6).astype(int) % 6].astype(float)
        color[np.hypot(normal[..., 0], normal[..., 1]) < 0.16] = 240
        return t, normal, color

    def shadow(self, ground):
        p = ground - self.centre
        return np.maximum(np.hypot(p[..., 0], p[..., 2]) - 0.45 * self.radius, 0) / self.tall


def box(camera, x, z, yaw, size=(0.8, 0.6, 0.6)):
    half = tuple(s / 2 for s in size)
    return [Block(camera.on_road(x, z, half[1]), half, yaw, cardboard)]


def sofa(camera, x, z, yaw):
    def part(dx, up, dz, half):
        return Block(camera.on_road(x, z, up) + turn(yaw) @ [dx, 0, dz], half, yaw, cloth)

    return [
        part(-0.38, 0.26, -0.05, (0.37, 0.20, 0.40)),
        part(0.38, 0.26, -0.05, (0.37, 0.20, 0.40)),
        part(0, 0.50, 0.42, (0.95, 0.42, 0.13)),
        part(-0.86, 0.34, 0, (0.11, 0.30, 0.50)),
        part(0.86, 0.34, 0, (0.11, 0.30, 0.50)),
    ]


def ball(camera, x, z, rolled, radius=0.32):
    return [Ball(camera.on_road(x, z, radius), radius, rolled)]


def draw(image, camera, shapes, light, rng):
    """The RGB `image` with `shapes` standing on its road, and which pixels they cover, [height, width].

    `light`: 1 where a white paper would be white.
    """
    mask = np.zeros(image.size[::-1], bool)
    left, top, right, bottom = window(image, camera, shapes) if shapes else (0, 0, 0, 0)
    if left >= right or top >= bottom:
        return image, mask
    n = SUPERSAMPLING
    u, v = np.meshgrid(
        left - 0.5 + (np.arange((right - left) * n) + 0.5) / n,
        top - 0.5 + (np.arange((bottom - top) * n) + 0.5) / n,
    )
    rays = camera.rays(u, v)
    nearest = np.full(u.shape, np.inf)
    color = np.zeros((*u.shape, 3))
    for shape in shapes:
        t, normal, paint = shape.hit(rays)
        lit = 0.45 + 0.55 * np.clip(normal @ (SKY / np.linalg.norm(SKY)), 0, 1)
        # The foot of a thing sees less of the sky.
        foot = np.clip((camera.height_m - np.where(np.isfinite(t), t, 0) * rays[..., 1]) / 0.25, 0, 1)
        paint = paint * (light * lit * (0.7 + 0.3 * foot))[..., None]
        front = t < nearest
        nearest, color = np.where(front, t, nearest), np.where(front[..., None], paint, color)

    with np.errstate(divide="ignore", invalid="ignore"):
        # Above the horizon there is no road: a point too far away for any shadow.
        ground = rays * np.where(rays[..., 1] > 1e-3, camera.height_m / rays[..., 1], 1e6)[..., None]
    dark = np.max([np.exp(-((shape.shadow(ground) / 0.3) ** 1.2)) for shape in shapes], 0)
    covered = np.isfinite(nearest)
    layers = np.dstack([color * covered[..., None], covered, np.where(covered, 0, 0.7 * dark)])
    layers = soften(layers.reshape(bottom - top, n, right - left, n, 5).mean((1, 3)))
    color, alpha, dark = layers[..., :3], layers[..., 3:4], layers[..., 4:]
    color += alpha * rng.normal(0, 3.0, alpha.shape) + alpha * rng.normal(0, 1.2, color.shape)

    pixels = np.asarray(image).astype(np.float32)
    patch = pixels[top:bottom, left:right]
    pixels[top:bottom, left:right] = patch * (1 - dark) * (1 - alpha) + color
    mask[top:bottom, left:right] = alpha[..., 0] > 0.5
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), mask


def soften(layers):
    """As soft as the photo, which was resized on its way here."""
    for axis in (0, 1):
        before, after = (np.roll(layers, step, axis) for step in (1, -1))
        layers = 0.25 * before + 0.5 * layers + 0.25 * after
    return layers


def window(image, camera, shapes):
    """The part of the image that things and their shadows can touch: left, top, right, bottom."""
    corners = []
    for shape in shapes:
        around = shape.reach + 0.6 * shape.tall
        for dx, dz, up in product((-around, around), (-around, around), (0, shape.tall)):
            x, z = shape.centre[0] + dx, max(shape.centre[2] + dz, 0.5)
            corners.append(camera.project(camera.on_road(x, z, up)))
    low, high = np.floor(np.min(corners, 0)), np.ceil(np.max(corners, 0))
    return tuple(int(v) for v in (*np.clip(low, 0, image.size), *np.clip(high, 0, image.size)))
