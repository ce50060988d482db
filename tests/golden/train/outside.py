"""Makes outside.onnx and outside_upsampled.onnx: segmenters from outside, as PyTorch's own exporter writes them.

Tiny networks of nothing but PyTorch, with names of their own; the second gives its logits at the image's size, as
torchvision's segmenters do. Needs torch 2.13, onnx and onnxscript:

    python outside.py
"""

import pathlib

import onnx
import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent


class Outside(nn.Module):
    """Three classes, eight pre-logits at stride 4."""

    def __init__(self, upsampled: bool) -> None:
        super().__init__()
        self.upsampled = upsampled
        self.down = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(),
            nn.Conv2d(8, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.SiLU(),
        )
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(8, 3, 1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = self.down(x)
        s = self.classifier(z)
        if self.upsampled:
            s = F.interpolate(s, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return z, s


def main() -> None:
    for name, upsampled in (("outside", False), ("outside_upsampled", True)):
        torch.manual_seed(7)
        network = Outside(upsampled)
        with torch.no_grad():
            for _ in range(50):  # statistics of their own, not 0 and 1
                network(torch.randn(4, 3, 32, 32) * 1.5 + 0.3)
        network.eval()
        sides = {2: torch.export.Dim("height", min=8, max=4096), 3: torch.export.Dim("width", min=8, max=4096)}
        program = torch.onnx.export(
            network, (torch.randn(1, 3, 64, 96),), dynamo=True, external_data=False, verbose=False,
            input_names=["pixels"], output_names=["pre_logits", "logits"], dynamic_shapes=({**sides},),
        )
        model = program.model_proto
        for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, model.graph):
            del part.metadata_props[:]  # where on whose disk each line of Python was
        onnx.save(model, HERE / f"{name}.onnx")


if __name__ == "__main__":
    main()
