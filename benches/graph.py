"""The yardstick's network: camera pixels in, labels and anomaly out, all as one ONNX graph.

What someone does who wants the hybrid score without a program of their own: the published model with
upsampling, score and decision behind it and, for the fastest of them, its normalisation before it.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def extended(manifest, onnx_file, width, height, threshold, from_pixels):
    """Bytes of a model to `labels` uint8 and `anomaly` f32 [height, width]: from `pixels` uint8 [height, width, 3],
    or from the network's own `image`."""
    model = onnx.load(onnx_file)
    graph = model.graph
    classes = len(manifest["classes"])
    mean, std = (np.array(manifest["input"][key], np.float32).reshape(3, 1, 1) for key in ("mean", "std"))
    constants = {
        "plain_scale": 1 / (255 * std),
        "plain_shift": mean / std,
        "plain_unknown": np.array(classes, np.uint8),
        "plain_threshold": np.array(threshold, np.float32),
        "plain_size": np.array([1, classes, height, width], np.int64),
        "plain_size_1": np.array([1, 1, height, width], np.int64),
        "plain_1": np.array([1], np.int64),
        "plain_0": np.array([0], np.int64),
        "plain_0_1": np.array([0, 1], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items())

    def node(kind, inputs, output, **attributes):
        return helper.make_node(kind, inputs, [output], name=f"plain_{output}", **attributes)

    def upsampled(name, size):
        how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return node("Resize", [name, "", "", size], f"{name}_full", **how)

    before = [
        node("Cast", ["pixels"], "pixels_f32", to=TensorProto.FLOAT),
        node("Transpose", ["pixels_f32"], "planes", perm=[2, 0, 1]),
        node("Mul", ["planes", "plain_scale"], "scaled"),
        node("Sub", ["scaled", "plain_shift"], "normalised"),
        node("Unsqueeze", ["normalised", "plain_0"], "image"),
    ]
    after = [
        upsampled("logits", "plain_size"),
        # The published model has two dataset logits; their difference is linear, so it is upsampled.
        node("Gather", ["dataset_logits", "plain_0"], "inlier", axis=1),
        node("Gather", ["dataset_logits", "plain_1"], "outlier", axis=1),
        node("Sub", ["inlier", "outlier"], "inlier_logit"),
        upsampled("inlier_logit", "plain_size_1"),
        node("ReduceLogSumExp", ["logits_full", "plain_1"], "log_sum_exp", keepdims=1),
        # ln sigma(d) = -softplus(-d); the score is ln sigma(d) - LSE(s).
        node("Softplus", ["inlier_logit_full"], "softplus"),
        node("Add", ["softplus", "log_sum_exp"], "normality"),
        node("Neg", ["normality"], "anomaly_4d"),
        node("Squeeze", ["anomaly_4d", "plain_0_1"], "anomaly"),
        node("ArgMax", ["logits_full"], "argmax", axis=1, keepdims=0),
        node("Cast", ["argmax"], "argmax_u8", to=TensorProto.UINT8),
        node("Squeeze", ["argmax_u8", "plain_0"], "known"),
        node("Greater", ["anomaly", "plain_threshold"], "above"),
        node("Where", ["above", "plain_unknown", "known"], "labels"),
    ]
    network = list(graph.node)
    del graph.node[:], graph.output[:]
    graph.node.extend([*(before if from_pixels else []), *network, *after])
    if from_pixels:
        del graph.input[:]
        graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.UINT8, [height, width, 3]))
    graph.output.append(helper.make_tensor_value_info("labels", TensorProto.UINT8, [height, width]))
    graph.output.append(helper.make_tensor_value_info("anomaly", TensorProto.FLOAT, [height, width]))
    return model.SerializeToString()
