"""The open-set segmenter behind one camera, or behind several that share one network.

    ros2 launch open_set open_set.launch.py camera_topic:=/front/image_raw namespace:=front
    ros2 launch open_set open_set.launch.py cameras:=front,left
"""

import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

# models/ and config/ lie beside launch/ in a checkout and in an installed package's share alike.
SHARE = Path(__file__).resolve().parents[1]
MODEL = str(SHARE / "models/camvid-lite0.yaml")
PARAMETERS = str(SHARE / "config/open_set.param.yaml")
DDS_PROFILES = "FASTRTPS_DEFAULT_PROFILES_FILE"


def generate_launch_description():
    arguments = [
        DeclareLaunchArgument(
            "model",
            default_value="",
            description="manifest of the model (NAME.yaml); its ONNX file lies beside it; empty: camvid-lite0, or what a "
            "params_file of yours says",
        ),
        DeclareLaunchArgument(
            "camera_topic",
            default_value="",
            description="sensor_msgs/Image to segment; empty: what params_file says, /camera/image_raw",
        ),
        DeclareLaunchArgument(
            "cameras",
            default_value="",
            description="names of several cameras, front,left, each on /NAME/image_raw or where params_file says "
            "(NAME.camera_topic); empty: one, on camera_topic",
        ),
        DeclareLaunchArgument(
            "params_file",
            default_value=PARAMETERS,
            description="the node's parameters; model, camera_topic and cameras above, where given, win over it",
        ),
        DeclareLaunchArgument(
            "namespace",
            default_value="",
            description="namespace of the node and its outputs; one for each node",
        ),
    ]
    # Large images are lost over Fast DDS as it comes. Who has profiles of their own keeps them.
    profiles = [] if DDS_PROFILES in os.environ else [
        SetEnvironmentVariable(DDS_PROFILES, str(SHARE / "config/fastdds.xml"))
    ]
    return LaunchDescription([*arguments, *profiles, OpaqueFunction(function=nodes)])


def nodes(context):
    """The node, once the arguments are known."""
    file = LaunchConfiguration("params_file").perform(context)
    typed = {name: LaunchConfiguration(name).perform(context) for name in ("model", "camera_topic")}
    # What nobody typed must not win over a file that somebody wrote.
    parameters = {name: value for name, value in typed.items() if value}
    if file == PARAMETERS:
        # It names the model as it is called in a checkout, which may lie anywhere.
        parameters.setdefault("model", MODEL)
    # A list of nothing has no type to ROS: it is given only where it names one.
    named = LaunchConfiguration("cameras").perform(context).strip("[]").split(",")
    if cameras := [name.strip() for name in named if name.strip()]:
        parameters["cameras"] = cameras
    node = Node(
        package="open_set",
        executable="open_set_node",
        name="open_set",
        namespace=LaunchConfiguration("namespace"),
        # After the file: the later of two wins.
        parameters=[file, parameters],
        output="screen",
    )
    return [node]
