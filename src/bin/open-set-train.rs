//! The trainer: see `open_set::train`.

use std::process::ExitCode;

use clap::Parser;
use open_set::train::{cli, memory};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy(),
        )
        .init();
    memory::settle(); // begins the program once more
    cli::run(&cli::Cli::parse()).unwrap_or_else(|error| {
        eprintln!("open-set-train: {error}"); // Every error of this crate says its cause itself.
        cli::exit_code(&error)
    })
}
