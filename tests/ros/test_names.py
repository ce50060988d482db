"""Names: private topics, namespaces and remapping work as in any ROS 2 node."""

from sensor_msgs.msg import Image

from fake import start_fake
from images import assert_bands, bands, rgb8


def check(peer, topic, camera=None):
    """An image published by `camera` is answered on `topic`, given in full."""
    camera = camera or peer.camera
    labels = peer.hear(topic, Image)
    image = rgb8(bands())
    peer.until(lambda: labels, f"answering on {topic}", lambda: camera.publish(image))
    assert labels[0].header == image.header
    assert_bands(labels[0])


def test_outputs_are_private(start):
    peer = start_fake(start)
    check(peer, f"{peer.program.namespace}/open_set/labels")


def test_a_namespace_moves_all(start):
    peer = start_fake(start, remaps=["__ns:=/front"])
    check(peer, "/front/open_set/labels")


def test_another_node_name_moves_the_private_topics(start):
    peer = start_fake(start, remaps=["__node:=rear"])
    check(peer, f"{peer.program.namespace}/rear/labels")


def test_one_output_can_be_moved_alone(start):
    peer = start_fake(start, remaps=["~/labels:=/elsewhere/mask"])
    check(peer, "/elsewhere/mask")
    assert peer.ros.count_publishers(f"{peer.program.namespace}/open_set/labels") == 0
    assert peer.ros.count_publishers(f"{peer.program.namespace}/open_set/anomaly") == 1


def check_camera(peer, topic):
    """The camera is found at `topic`, and diagnostics speak of it by its full name: with one relative name
    in several namespaces they could not be told apart otherwise."""
    camera = peer.ros.create_publisher(Image, topic, 5)
    check(peer, f"{peer.program.namespace}/open_set/labels", camera)
    peer.program.camera_topic = topic  # by which the peer knows its statuses
    status = peer.until_status("camera", lambda s: s.values["publishers"] == "1", "of a camera with one publisher")
    assert status.values["topic"] == topic


def test_a_relative_camera_topic_lies_in_the_namespace(start):
    peer = start_fake(start, {"camera_topic": "left/image"})
    check_camera(peer, f"{peer.program.namespace}/left/image")


def test_a_remapped_camera(start):
    peer = start_fake(start, {"camera_topic": "image"}, remaps=["image:=/bus/camera_7"])
    check_camera(peer, "/bus/camera_7")


def test_a_camera_is_remapped_once(start):
    peer = start_fake(start, {"camera_topic": "image"}, remaps=["image:=/bus/camera_8", "/bus/camera_8:=/bus/camera_9"])
    check_camera(peer, "/bus/camera_8")
