#!/usr/bin/env python3
"""A camera as a process of its own, so that it can die: camera.py TOPIC sends small images until then."""

import sys
import time

import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from images import bands, fresh_header, rgb8

rclpy.init()
publisher = rclpy.create_node("camera").create_publisher(Image, sys.argv[1], qos_profile_sensor_data)
while True:
    publisher.publish(rgb8(bands(), header=fresh_header()))
    time.sleep(0.05)
