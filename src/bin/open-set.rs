//! The desk tool: see `open_set::desk`.

use std::process::ExitCode;

use clap::Parser;
use open_set::desk;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    desk::run(&desk::Cli::parse()).unwrap_or_else(|error| {
        eprintln!("open-set: {error}"); // Every error of this crate says its cause itself.
        desk::exit_code(&error)
    })
}
