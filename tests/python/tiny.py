"""A network so small that what it says is known, and pictures for it."""

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

BIN = Path(os.environ.get("OPEN_SET_BIN_DIR", Path(__file__).parents[2] / "target/release"))
RUNTIME = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
WIDTH, HEIGHT, UNKNOWN, IGNORE = 64, 48, 3, 255


def make_model(folder):
    """Three classes, whose logits are the channels; blue is the outlier's as well. Its manifest's path."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3, "h", "w"]),
        helper.make_tensor_value_info("dataset_logits", TensorProto.FLOAT, [1, 1, "h", "w"]),
    ]
    blue = helper.make_tensor("blue", TensorProto.FLOAT, [1, 3, 1, 1], [0, 0, 1])
    nodes = [
        helper.make_node("Identity", ["image"], ["logits"]),
        helper.make_node("Conv", ["image", "blue"], ["dataset_logits"]),
    ]
    graph = helper.make_graph(nodes, "tiny", [image], outputs, [blue])
    file = folder / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    manifest = folder / "tiny.yaml"
    manifest.write_text(f"""
name: tiny
file: tiny.onnx
sha256: {hashlib.sha256(file.read_bytes()).hexdigest()}
classes:
  - {{name: red, color: [200, 0, 0]}}
  - {{name: green, color: [0, 200, 0]}}
  - {{name: blue, color: [0, 0, 200]}}
input: {{name: image, channels: rgb, mean: [0.5, 0.5, 0.5], std: [0.05, 0.05, 0.05], interpolation: bilinear}}
input_sizes: [{{width: {WIDTH}, height: {HEIGHT}, stride: 1}}]
outputs: {{logits: logits, dataset_logits: dataset_logits}}
training: {{network: none, data: none, licence: none}}
""")
    return manifest


def picture():
    """Left red, right green, and a blue square in the middle."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, :32, 0] = 200
    pixels[:, 32:, 1] = 200
    pixels[16:32, 24:40] = [0, 0, 255]
    return pixels
