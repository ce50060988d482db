//! tracing's events into ROS's log: the console and log file by rcutils, /rosout by a publisher of our own,
//! since the client library makes none.
//!
//! Before the node exists, and for what is below INFO, events go to stderr as they are: ROS's own level would
//! drop the latter whatever `RUST_LOG` says.

use super::lock;
use r2r::rcl_interfaces::msg::Log;
use r2r::{LogSeverity, QosProfile};
use std::fmt::Write;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

/// Once there is a node.
static ROS_LOG: OnceLock<RosLog> = OnceLock::new();

/// A node's log.
struct RosLog {
    /// `namespace.node`.
    name: String,
    /// `None` where rcl makes it: as far as Humble.
    rosout: Option<Mutex<r2r::Publisher<Log>>>,
}

/// Starts logging, filtered by `RUST_LOG` (default `info`).
pub(super) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Fails only where a subscriber is set already, which then is the one that is wanted.
    let _ = Registry::default().with(filter).with(RosLayer).try_init();
}

/// From now on events go into this node's log.
///
/// # Errors
/// The middleware refuses /rosout.
pub(super) fn attach(node: &mut r2r::Node) -> r2r::Result<()> {
    // As rcl's own: who comes late still sees the last messages.
    let qos =
        QosProfile::default().reliable().keep_last(1000).transient_local().lifespan(Duration::from_secs(10));
    let rosout = match r2r::ROS_DISTRO {
        "humble" => None,
        _ => Some(Mutex::new(node.create_publisher("/rosout", qos)?)),
    };
    let _ = ROS_LOG.set(RosLog { name: node.logger().to_owned(), rosout });
    Ok(())
}

impl RosLog {
    fn say(&self, severity: LogSeverity, level: u8, text: &str, event: &Event<'_>) {
        let (file, line) = (event.metadata().file().unwrap_or(""), event.metadata().line().unwrap_or(0));
        r2r::log(text, &self.name, file, line, severity);
        let Some(rosout) = &self.rosout else { return };
        // The system's time, as rcl's own log: asking the ROS clock takes a lock that the speaker may hold.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let message = Log {
            stamp: r2r::Clock::to_builtin_time(&now),
            level,
            name: self.name.clone(),
            msg: text.to_owned(),
            file: file.to_owned(),
            function: event.metadata().module_path().unwrap_or("").to_owned(),
            line,
        };
        // What cannot be published was said on the console just above.
        let _ = lock(rosout).publish(&message);
    }
}

/// Lets one message through per period and counts the rest: a camera may fail thirty times a second.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    last: Option<Instant>,
    held: u64,
}

impl Throttle {
    const PERIOD: Duration = Duration::from_secs(5);

    /// Whether to speak now; if so, how many were held back since the last time.
    pub(super) fn speak(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|t| now.duration_since(t) < Self::PERIOD) {
            self.held += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held))
    }
}

struct RosLayer;

impl<S: Subscriber> Layer<S> for RosLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        use std::io::Write as _;
        let mut text = Text::default();
        event.record(&mut text);
        let text = format!("{}{}", text.message, text.fields);
        let metadata = event.metadata();
        let severity = match *metadata.level() {
            Level::ERROR => Some((LogSeverity::Error, Log::ERROR as u8)),
            Level::WARN => Some((LogSeverity::Warn, Log::WARN as u8)),
            Level::INFO => Some((LogSeverity::Info, Log::INFO as u8)),
            Level::DEBUG | Level::TRACE => None,
        };
        // A NUL would end the C string, and r2r takes it for a mistake.
        let text = text.replace('\0', "\\0");
        match (ROS_LOG.get(), severity) {
            (Some(log), Some((severity, level))) => log.say(severity, level, &text, event),
            // Not eprintln!, which panics where stderr is a file on a full disk.
            _ => drop(writeln!(std::io::stderr().lock(), "[{}] {text}", metadata.level())),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_line_per_period_that_says_how_many() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let mut at = |s: f64| throttle.speak(start + Duration::from_secs_f64(s));
        assert_eq!(at(0.0), Some(0));
        assert_eq!((at(0.1), at(4.9)), (None, None));
        assert_eq!(at(5.1), Some(2));
        assert_eq!(at(20.0), Some(0));
    }
}
