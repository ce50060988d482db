"""Weights that need no file: each number is a function of the tensor's name and the number's index, of integer
arithmetic alone, so that this and src/train/model/golden.rs give the same bits."""
import numpy as np


def uniform(name, count):
    """In [-1/2, 1/2), steps of 2^-24: FNV-1a of the name, then splitmix64 of hash + index."""
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = ((key ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        z = np.uint64(key) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5


def tensor(name, shape):
    """As wide as keeps a network's activations in range, by what the name ends in and the number of axes."""
    u = uniform(name, int(np.prod(shape, dtype=np.int64)))
    if len(shape) == 4:
        u = u * np.sqrt(24.0 / (shape[1] * shape[2] * shape[3]))
    elif len(shape) == 2 and name.endswith("weight"):
        u = u * np.sqrt(12.0 / shape[1])
    elif name.endswith("running_var") or name.endswith("weight"):
        u = u + 1.0
    else:
        u = u * 0.5
    return u.astype(np.float32).reshape(shape)


def image(height, width):
    """[1, 3, height, width], about as an image that was normalised."""
    return (uniform("image", 3 * height * width) * 4).astype(np.float32).reshape(1, 3, height, width)


def fill(module, names=None):
    """Gives a PyTorch module's whole state, counts and indices aside, by the formula; returns (name, shape) of all
    that was given."""
    import torch

    state = {k: v for k, v in module.state_dict().items() if v.is_floating_point()}
    for name, value in state.items():
        value.copy_(torch.from_numpy(tensor((names or {}).get(name, name), tuple(value.shape))))
    return [[name, list(value.shape)] for name, value in state.items()]


def sample(value):
    """A tensor in a few numbers: its shape, its largest magnitude, and 48 numbers spread over it."""
    flat = value.detach().numpy().astype(np.float64).reshape(-1)
    at = np.arange(48, dtype=np.int64) * (flat.size - 1) // 47
    return {
        "shape": list(value.shape),
        "largest": float(np.abs(flat).max()),
        "at": at.tolist(),
        "values": [float(np.float32(v)) for v in flat[at]],
    }
