//! tracing's events into ROS's log: console, file and /rosout are one path, so nothing is said twice.
//!
//! Before the ROS context exists events go to stderr as they are.

use std::fmt::Write;
use std::sync::OnceLock;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

/// The node's logger name, once there is a node: /rosout is bound to it.
static LOGGER: OnceLock<String> = OnceLock::new();

/// Starts logging, filtered by `RUST_LOG` (default `info`).
pub(super) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Fails only where a subscriber is set already, which then is the one that is wanted.
    let _ = Registry::default().with(filter).with(RosLayer).try_init();
}

/// From now on events go through this node's ROS logger.
pub(super) fn attach(logger: &str) {
    let _ = LOGGER.set(logger.to_owned());
}

struct RosLayer;

impl<S: Subscriber> Layer<S> for RosLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let text = format!("{}{}", text.message, text.fields);
        let metadata = event.metadata();
        let Some(logger) = LOGGER.get() else {
            eprintln!("[{}] {text}", metadata.level());
            return;
        };
        let severity = match *metadata.level() {
            Level::ERROR => r2r::LogSeverity::Error,
            Level::WARN => r2r::LogSeverity::Warn,
            Level::INFO => r2r::LogSeverity::Info,
            Level::DEBUG | Level::TRACE => r2r::LogSeverity::Debug,
        };
        // A NUL would end the C string, and r2r takes it for a mistake.
        let text = text.replace('\0', "\\0");
        r2r::log(&text, logger, metadata.file().unwrap_or(""), metadata.line().unwrap_or(0), severity);
    }
}

/// `message, key=value, ...`
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, ", {name}={value:?}"),
        };
    }
}
