#!/usr/bin/env python3
"""A listener as a process of its own, so that it can hang: listener.py TOPIC reads images, reliably."""

import sys

import rclpy
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("listener")
node.create_subscription(Image, sys.argv[1], lambda image: None, 2)
rclpy.spin(node)
