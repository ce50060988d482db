#!/usr/bin/env python3
"""The shipped network, EfficientNet-Lite0 with the ladder, in PyTorch: the yardstick of the trainer's speed, and of
its arithmetic (tests/golden/train/make_encoders.py). Parameters have the names of src/train/model.

    python benches/torch_twin.py [--steps 20] [--batch 8] [--size 352] [--classes 11] [--threads 2] [--bf16] [--json]

prints seconds a training step (forward, cross-entropy at full size, backward, AdamW) takes, channels_last.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

# Inputs, outputs, kernel, stride, expansion, blocks; after which block a feature is read.
STAGES = [
    (32, 16, 3, 1, 1, 1),
    (16, 24, 3, 2, 6, 2),
    (24, 40, 5, 2, 6, 2),
    (40, 80, 3, 2, 6, 3),
    (80, 112, 5, 1, 6, 3),
    (112, 192, 5, 2, 6, 4),
    (192, 320, 3, 1, 6, 1),
]
FEATURES = {2: 24, 4: 40, 10: 112, 15: 320}
GRIDS = (1, 2, 4)


class ConvNorm(nn.Module):
    """Static padding: (0, 2) or (1, 3) where the stride is 2, half the kernel elsewhere."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1):
        super().__init__()
        before = (kernel - 2) // 2
        self.pad = (before, kernel - 1 - before) * 2 if stride == 2 else None
        around = 0 if stride == 2 else kernel // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, around, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x):
        return self.norm(self.conv(F.pad(x, self.pad) if self.pad else x))


class Block(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        self.expand = ConvNorm(inputs, wide, 1) if expansion > 1 else None
        self.depthwise = ConvNorm(wide, wide, kernel, stride, groups=wide)
        self.project = ConvNorm(wide, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = F.relu6(self.expand(x)) if self.expand else x
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, 2)
        number = 0
        for inputs, outputs, kernel, stride, expansion, blocks in STAGES:
            for i in range(blocks):
                first = i == 0
                block = Block(inputs if first else outputs, outputs, kernel, stride if first else 1, expansion)
                self.add_module(f"block{number}", block)
                number += 1

    def forward(self, x):
        x = F.relu6(self.stem(x))
        features = []
        for number in range(16):
            x = getattr(self, f"block{number}")(x)
            if number in FEATURES:
                features.append(x)
        return features


class NormReluConv(nn.Module):
    def __init__(self, inputs, outputs, kernel, bias=False):
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x):
        return self.conv(F.relu(self.norm(x)))


def resize(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Pyramid(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.project = NormReluConv(inputs, width, 1)
        for grid in GRIDS:
            self.add_module(f"grid{grid}", NormReluConv(width, width // 4, 1))
        self.fuse = NormReluConv(width + len(GRIDS) * (width // 4), width, 1)

    def forward(self, x):
        x = self.project(x)
        levels = [x]
        for grid in GRIDS:
            cells = getattr(self, f"grid{grid}")(F.adaptive_avg_pool2d(x, grid))
            levels.append(resize(cells, x.shape[-2:]))
        return self.fuse(torch.cat(levels, 1))


class Step(nn.Module):
    def __init__(self, finer, width):
        super().__init__()
        self.skip = NormReluConv(finer, width, 1)
        self.blend = NormReluConv(width, width, 3)

    def forward(self, x, finer):
        skip = self.skip(finer)
        return self.blend(resize(x, skip.shape[-2:]) + skip)


class Decoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        at4, at8, at16, at32 = FEATURES.values()
        self.pyramid = Pyramid(at32, width)
        self.step16, self.step8, self.step4 = Step(at16, width), Step(at8, width), Step(at4, width)

    def forward(self, features):
        at4, at8, at16, at32 = features
        return self.step4(self.step8(self.step16(self.pyramid(at32), at16), at8), at4)


class Net(nn.Module):
    """images [N, 3, H, W] to pre-logits [N, width, h, w], logits [N, classes, h, w], dataset logits [N, 1, h, w]."""

    def __init__(self, classes=11, width=96):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder(width)
        self.class_head = NormReluConv(width, classes, 1, bias=True)
        self.dataset_head = NormReluConv(width, 1, 1, bias=True)

    def forward(self, images):
        pre_logits = self.decoder(self.encoder(images))
        return pre_logits, self.class_head(pre_logits), self.dataset_head(pre_logits)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=352)
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--warm", type=int, default=4, help="steps before those that count")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    net = Net(asked.classes).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    images = torch.randn(asked.batch, 3, asked.size, asked.size).to(memory_format=torch.channels_last)
    labels = torch.randint(0, asked.classes, (asked.batch, asked.size, asked.size))
    seconds = []
    for _ in range(asked.steps + asked.warm):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=asked.bf16):
            _, logits, _ = net(images)
        loss = F.cross_entropy(resize(logits.float(), labels.shape[-2:]), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    seconds = seconds[asked.warm :]
    if asked.json:
        return print(json.dumps({"seconds": statistics.median(seconds)}))
    print(
        f"{statistics.median(seconds):.3f} s a step (median of {len(seconds)}, from {min(seconds):.3f} to"
        f" {max(seconds):.3f}); batch {asked.batch}, {asked.size} x {asked.size}, {asked.threads} threads"
    )


if __name__ == "__main__":
    main()
