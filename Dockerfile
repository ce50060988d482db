# Two stages: `tests` builds and tests on ROS 2 Jazzy (Ubuntu 24.04); `node` is what a vehicle carries.
#
#   docker build --target tests --tag open_set:tests .     docker run --rm --shm-size 2g open_set:tests
#   docker build --target node  --tag open_set:node  .     docker run --rm --network host --ipc host open_set:node
#
# Not run in CI, which has no Docker: there, `make docker-check` only checks that what is copied exists.

FROM ros:jazzy-ros-base AS tests

ARG RUST=1.95.0
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN apt-get update \
 && apt-get install -y --no-install-recommends git make rustup ros-jazzy-vision-msgs \
 && rm -rf /var/lib/apt/lists/* \
 && rustup toolchain install "$RUST" --profile minimal --component clippy,rustfmt \
 && rustup default "$RUST"

WORKDIR /opt/open_set
# The prefix first: it changes seldom, and the sources often.
COPY setup setup
RUN source /opt/ros/jazzy/setup.bash && setup/setup.sh

COPY . .
RUN source /opt/ros/jazzy/setup.bash && make build
# What goes into the next stage; -L, because the library's stable name is a link into the venv.
RUN mkdir -p /out/bin /out/.prefix/lib \
 && cp target/release/open_set_node /out/bin/ \
 && cp -L .prefix/lib/libonnxruntime.so /out/.prefix/lib/
CMD ["/bin/bash", "-c", "source /opt/ros/jazzy/setup.bash && make test"]


FROM ros:jazzy-ros-core AS node

RUN apt-get update \
 && apt-get install -y --no-install-recommends \
        libopencv-core406t64 libopencv-imgproc406t64 libopencv-imgcodecs406t64 libopencv-videoio406t64 \
        ros-jazzy-diagnostic-msgs ros-jazzy-sensor-msgs ros-jazzy-std-srvs ros-jazzy-vision-msgs \
 && rm -rf /var/lib/apt/lists/*

# The same path as in `tests`: the node looks for ONNX Runtime in the .prefix/ it was built beside.
WORKDIR /opt/open_set
COPY --from=tests /out/ ./
COPY models models
COPY config config
COPY launch launch
COPY LICENSE ./
ENV PATH=/opt/open_set/bin:$PATH \
    FASTRTPS_DEFAULT_PROFILES_FILE=/opt/open_set/config/fastdds.xml
# The base image's entry point sources ROS.
CMD ["open_set_node"]
