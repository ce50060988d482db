"""Models of a few bytes, right and wrong: an average of 4x4 pixels, then one weight a channel."""

import hashlib

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper


def tiny(folder, *, heads, classes=2, name="tiny", edit=None):
    """Writes NAME.onnx with `heads` {output: channels} at stride 4, and NAME.yaml for it, which says there
    are so many classes and that outputs are called as in the contract. `edit(manifest, onnx_path)` has the
    last word. Gives the manifest's path."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])
    nodes = [helper.make_node("AveragePool", ["image"], ["cells"], kernel_shape=[4, 4], strides=[4, 4])]
    weights, outputs = [], []
    for head, channels in heads.items():
        # Channel c of a head sees input channel c, so that red is class 0 and green class 1.
        weight = np.zeros((channels, 3, 1, 1), np.float32)
        weight[np.arange(channels), np.arange(channels) % 3] = 1
        weights.append(numpy_helper.from_array(weight, f"{head}_weight"))
        nodes.append(helper.make_node("Conv", ["cells", f"{head}_weight"], [head]))
        outputs.append(helper.make_tensor_value_info(head, TensorProto.FLOAT, [1, channels, "h", "w"]))
    graph = helper.make_graph(nodes, name, [image], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())

    manifest = {
        "name": name,
        "file": path.name,
        "classes": [{"name": f"class{i}", "color": [10 * i, 0, 0]} for i in range(classes)],
        "input": {
            "name": "image",
            "channels": "rgb",
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0],
            "interpolation": "bilinear",
        },
        "input_sizes": [{"width": 64, "height": 48, "stride": 4}],
        "outputs": {"logits": "logits", "dataset_logits": "dataset_logits"},
        "training": {"network": "none", "data": "none", "licence": "CC0"},
    }
    if edit:
        edit(manifest, path)
    manifest.setdefault("sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    where = folder / f"{name}.yaml"
    where.write_text(yaml.safe_dump(manifest))
    return where


OPEN_SET = {"logits": 2, "dataset_logits": 1}
CLOSED_SET = {"logits": 2}


def closed_set(manifest, _):
    del manifest["outputs"]["dataset_logits"]
