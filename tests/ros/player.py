#!/usr/bin/env python3
"""player.py BAG TOPIC plays a bag's images round and round, at their own pace, each stamped as it goes out."""

import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "demo"))

import rclpy
from rclpy.qos import qos_profile_sensor_data
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import Image

from play import IMAGE, restamped

with AnyReader([Path(sys.argv[1])]) as reader:
    cameras = [c for c in reader.connections if c.msgtype == IMAGE]
    times, frames = zip(*((ns, bytes(raw)) for _, ns, raw in reader.messages(cameras)))
pause_s = (times[-1] - times[0]) / (len(times) - 1) / 1e9

rclpy.init()
publisher = rclpy.create_node("player").create_publisher(Image, sys.argv[2], qos_profile_sensor_data)
while True:
    for raw in frames:
        publisher.publish(restamped(raw, time.time_ns()))
        time.sleep(pause_s)
