"""A network with pre-logits and a class head of its own, random but the same each time."""

import hashlib

import numpy as np
import onnx
import onnxruntime
import yaml
from onnx import TensorProto, helper
from PIL import Image

SIZE, CLASSES, CHANNELS = 32, 3, 4
MEAN, DEVIATION, CLIP = [1.0, 2.0, 0.5], [0.5, 1.0, 2.0], 0.4


def make_model(folder, around=False, statistics=True, bias=None):
    """A trunk that ends in pre-logits, a class head of two layers and a dataset head, with random weights. With
    `around`, the logits also look at the image itself; `bias` is the class head's."""
    random = np.random.default_rng(5)

    def value(name, channels):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, "h", "w"])

    def weights(name, *shape):
        return helper.make_tensor(name, TensorProto.FLOAT, shape, random.normal(0, 1, shape).ravel())

    nodes = [
        helper.make_node("Conv", ["image", "trunk"], ["pre"]),
        helper.make_node("Constant", [], ["shift"], value_float=0.25),
        helper.make_node("Add", ["pre", "shift"], ["shifted"]),
        helper.make_node("Relu", ["shifted"], ["active"]),
        helper.make_node("Conv", ["active", "head", "bias"], ["known" if around else "logits"]),
        helper.make_node("Conv", ["pre", "outlier"], ["dataset_logits"]),
    ]
    if around:
        nodes.append(helper.make_node("Add", ["known", "image"], ["logits"]))
    initializers = [
        weights("trunk", CHANNELS, 3, 1, 1),
        weights("head", CLASSES, CHANNELS, 1, 1),
        weights("bias", CLASSES) if bias is None else helper.make_tensor("bias", TensorProto.FLOAT, [CLASSES], bias),
        weights("outlier", 1, CHANNELS, 1, 1),
    ]
    outputs = [value("logits", CLASSES), value("dataset_logits", 1), value("pre", CHANNELS)]
    graph = helper.make_graph(nodes, "headed", [value("image", 3)], outputs, initializers)
    file = folder / "headed.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    fit = {"set": "none", "set_sha256": "00", "frames": 1, "input_size": f"{SIZE}x{SIZE}", "precision": "f32"}
    fit |= {"model_sha256": digest, "date": "2026-01-31"}
    manifest = {
        "name": "headed",
        "file": file.name,
        "sha256": digest,
        "classes": [{"name": n, "color": [i, i, i]} for i, n in enumerate(["a", "b", "c"])],
        "input": {"name": "image", "channels": "rgb", "mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bilinear"},
        "input_sizes": [{"width": SIZE, "height": SIZE, "stride": 1}],
        "outputs": {"logits": "logits", "dataset_logits": "dataset_logits", "pre_logits": "pre"},
        "training": {"network": "none", "data": "none", "licence": "none"},
    }
    if statistics:
        manifest["statistics"] = {
            "sml": {"mean": MEAN, "deviation": DEVIATION, "fit": fit},
            "react": {"clip": CLIP, "quantile": 0.99, "fit": fit},
        }
    path = folder / "headed.yaml"
    path.write_text(yaml.safe_dump(manifest))
    return path


def outputs(manifest, picture):
    """Pre-logits, logits and the outlier's logit of a picture of the input's size, in float64."""
    image = (np.array(Image.open(picture)).transpose(2, 0, 1)[None] / 255 - 0.5) / 0.25
    session = onnxruntime.InferenceSession(manifest.with_name("headed.onnx"), providers=["CPUExecutionProvider"])
    made = session.run(["pre", "logits", "dataset_logits"], {"image": image.astype(np.float32)})
    pre, logits, outlier = (np.float64(planes[0]) for planes in made)
    return pre, logits, outlier[0]
