"""The yardstick: the same job as a plain Python node, as short and as fast as it comes by hand.

rclpy, ONNX Runtime with all cores, upsampling, score and decision inside the graph (graph.py), normalisation
in numpy or, with --all-in-graph, there as well; keeps only the newest image. It publishes labels, and anomaly
while someone subscribes, with the header of the image.
"""

import argparse
import array
from pathlib import Path

import numpy as np
import onnxruntime
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ruamel.yaml import YAML
from sensor_msgs.msg import Image

from graph import extended


def image(header, pixels, encoding):
    height, width = pixels.shape
    message = Image(header=header, height=height, width=width, encoding=encoding, step=pixels.strides[0])
    message.data = array.array("B", pixels.tobytes())
    return message


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("manifest", type=Path)
    arguments.add_argument("topic")
    arguments.add_argument("size", type=lambda text: tuple(map(int, text.split("x"))))
    arguments.add_argument("threshold", type=float)
    arguments.add_argument("--all-in-graph", action="store_true")
    options = arguments.parse_args()
    manifest = YAML(typ="safe").load(options.manifest)
    onnx_file = options.manifest.parent / manifest["file"]
    graph = extended(manifest, onnx_file, *options.size, options.threshold, options.all_in_graph)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    mean, std = (np.array(manifest["input"][key], np.float32) for key in ("mean", "std"))

    def fed(pixels):
        if options.all_in_graph:
            return {"pixels": pixels}
        normalised = (pixels.astype(np.float32) / 255 - mean) / std
        return {"image": np.ascontiguousarray(normalised.transpose(2, 0, 1))[None]}

    session.run(None, fed(np.zeros((*options.size[::-1], 3), np.uint8)))  # warm up before the first image

    rclpy.init()
    node = rclpy.create_node("plain_node")
    labels = node.create_publisher(Image, "~/labels", 2)
    anomaly = node.create_publisher(Image, "~/anomaly", 2)

    def segment(message):
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        if anomaly.get_subscription_count():
            label_map, scores = session.run(["labels", "anomaly"], fed(pixels))
            anomaly.publish(image(message.header, scores, "32FC1"))
        else:
            (label_map,) = session.run(["labels"], fed(pixels))
        labels.publish(image(message.header, label_map, "mono8"))

    newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    node.create_subscription(Image, options.topic, segment, newest)
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass


if __name__ == "__main__":
    main()
