"""A ROS node of this process, served while other things are done."""

import threading
from contextlib import contextmanager, suppress

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor


@contextmanager
def spinning(node):
    """Serves a node's subscriptions on a thread of their own meanwhile."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def spin():
        with suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin, name="ros")
    thread.start()
    try:
        yield
    finally:
        executor.shutdown()
        thread.join(5)
