//! The trainer: see `open_set::train`.

use std::process::ExitCode;

use clap::Parser;
use open_set::train::{cli, memory};

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    memory::settle();
    cli::run(&cli::Cli::parse()).unwrap_or_else(|error| {
        eprintln!("open-set-train: {error}"); // Every error of this crate says its cause itself.
        cli::exit_code(&error)
    })
}
