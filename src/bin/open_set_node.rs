//! The ROS 2 node. Parameters: `config/open_set.param.yaml`.

use std::process::ExitCode;

fn main() -> ExitCode {
    open_set::ros::main(open_set::assemble::load)
}
