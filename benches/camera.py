"""A camera that publishes one synthetic picture, again and again, each time stamped anew.

    camera.py TOPIC 480x360 --fps 10 --frames 100                      at its own pace
    camera.py TOPIC 480x360 --labels /open_set/labels --frames 100     as fast as labels come back

A process of its own in the benches, as a camera driver is. Prints what happened as JSON.
"""

import argparse
import array
import json
import time

import numpy as np
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

# One frame in work and one waiting: the segmenter is never idle.
AHEAD = 2


def picture(width, height):
    """Sky, walls and road in broad strokes, with grain. What is in it does not change how long it takes."""
    rows = np.linspace(0, 1, height)[:, None, None]
    columns = np.linspace(-1, 1, width)[None, :, None]
    base = np.where(rows < 0.4, [190, 205, 220], np.where(np.abs(columns) > rows, [120, 100, 90], [90, 90, 95]))
    grain = np.random.default_rng(0).normal(0, 6, (height, width, 1))
    return (base + grain).clip(0, 255).astype(np.uint8)


class Camera:
    def __init__(self, node, topic, width, height):
        self.node = node
        self.publisher = node.create_publisher(Image, topic, qos_profile_sensor_data)
        self.message = Image(width=width, height=height, step=3 * width, encoding="rgb8")
        self.message.header.frame_id = "camera"
        self.message.data = array.array("B", picture(width, height).tobytes())
        self.stamps = {}  # ns -> how many frames were sent up to this one
        self.sent = self.answered = self.labelled = 0

    def wait_for_listener(self, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while self.publisher.get_subscription_count() == 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nobody subscribed to {self.publisher.topic_name} within {timeout_s} s")
            time.sleep(0.05)

    def publish(self):
        stamp_ns = time.time_ns()
        self.message.header.stamp.sec, self.message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        self.sent += 1
        self.stamps[stamp_ns] = self.sent
        self.publisher.publish(self.message)

    def at_own_pace(self, frames, fps):
        begin = time.monotonic()
        for i in range(frames):
            time.sleep(max(0.0, begin + i / fps - time.monotonic()))
            self.publish()

    def as_taken(self, frames, labels_topic, progress=lambda labelled: None):
        """Keeps `AHEAD` frames under way until `frames` came back labelled; returns how many did a second.

        A frame passed over for a newer one, or lost, is not waited for: it is behind the last that came back.
        """

        def came_back(message):
            stamp = message.header.stamp
            self.answered = max(self.answered, self.stamps[stamp.sec * 10**9 + stamp.nanosec])
            self.labelled += 1
            progress(self.labelled)

        self.node.create_subscription(Image, labels_topic, came_back, 10)
        while self.node.count_publishers(labels_topic) == 0:
            time.sleep(0.05)
        begin = last = time.monotonic()
        silences = 0
        while self.labelled < frames:
            while self.sent < self.answered + AHEAD:
                self.publish()
            before = self.labelled
            rclpy.spin_once(self.node, timeout_sec=0.5)
            if self.labelled > before:
                last = time.monotonic()
            elif time.monotonic() - last > 5 * (silences + 1):
                silences += 1
                if silences == 4:
                    raise TimeoutError(f"{self.labelled} frames came back, then none for 20 s")
                self.answered = self.sent  # all that is under way was lost: best effort
        return self.labelled / (last - begin)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("topic")
    arguments.add_argument("size", type=lambda text: tuple(map(int, text.split("x"))))
    arguments.add_argument("--frames", type=int, required=True)
    pace = arguments.add_mutually_exclusive_group(required=True)
    pace.add_argument("--fps", type=float)
    pace.add_argument("--labels", help="topic of the answers")
    options = arguments.parse_args()
    rclpy.init()
    camera = Camera(rclpy.create_node("bench_camera"), options.topic, *options.size)
    camera.wait_for_listener()
    time.sleep(0.5)  # that we know of it does not mean that it knows of us
    if options.fps:
        camera.at_own_pace(options.frames, options.fps)
        rate = options.fps
    else:
        rate = camera.as_taken(options.frames, options.labels)
    print(json.dumps({"sent": camera.sent, "labelled": camera.labelled, "fps": rate}))
    time.sleep(0.5)  # the last frame is still on its way
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
