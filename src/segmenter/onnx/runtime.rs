//! Finding and loading ONNX Runtime's library: once a process, from a place that is named.

use crate::segmenter::SegmentError;
use ort::environment::Environment;
use ort::logging::LogLevel;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const LIBRARY: &str = "libonnxruntime.so";

/// The loaded library.
struct Runtime {
    environment: Environment,
    path: PathBuf,
}

// ONNX Runtime allows one environment a process.
static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// The process's environment and the library it came from; loads the library at the first call.
///
/// # Errors
/// No place holds a library that loads, or another one than `configured` is loaded already.
pub(super) fn environment(configured: Option<&Path>) -> Result<(Environment, PathBuf), SegmentError> {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(Runtime { environment, path }) = &*runtime {
        if configured.is_some_and(|c| std::path::absolute(c).ok().as_ref() != Some(path)) {
            let looked_at = format!("{} is loaded already, a process loads one", path.display());
            return Err(SegmentError::NoRuntime { looked_at });
        }
        return Ok((environment.clone(), path.clone()));
    }
    let mut looked_at = Vec::new();
    for (origin, path) in places(configured) {
        // Absolute: ort would look for a relative path beside the program first.
        let path = std::path::absolute(&path).unwrap_or(path);
        match load(&path) {
            Ok(environment) => {
                tracing::info!(library = %path.display(), origin, "loaded ONNX Runtime");
                *runtime = Some(Runtime { environment: environment.clone(), path: path.clone() });
                return Ok((environment, path));
            }
            Err(reason) => {
                if path.exists() {
                    tracing::warn!(library = %path.display(), origin, "ONNX Runtime does not load: {reason}");
                }
                looked_at.push(format!("{} ({origin}: {reason})", path.display()));
            }
        }
        // What the user named is meant: no falling back to another library in silence.
        if origin == CONFIGURED || origin == VARIABLE {
            break;
        }
    }
    Err(SegmentError::NoRuntime { looked_at: looked_at.join("; ") })
}

const CONFIGURED: &str = "parameter onnxruntime";
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// In the order they are tried.
fn places(configured: Option<&Path>) -> Vec<(&'static str, PathBuf)> {
    let mut places = Vec::new();
    places.extend(configured.map(|p| (CONFIGURED, p.to_owned())));
    places.extend(std::env::var_os(VARIABLE).filter(|p| !p.is_empty()).map(|p| (VARIABLE, p.into())));
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent);
    places.extend(beside.map(|d| ("beside the program", d.join(LIBRARY))));
    // Where `make setup` puts it; known when the program was built.
    let prefix = option_env!("OPEN_SET_PREFIX");
    places.extend(prefix.map(|p| ("private prefix", Path::new(p).join("lib").join(LIBRARY))));
    places
}

fn load(path: &Path) -> Result<Environment, String> {
    if !path.is_file() {
        return Err("no such file".into());
    }
    let builder = ort::init_from(path).map_err(|e| e.to_string())?;
    let environment = builder.with_name("open_set").with_telemetry(false).with_logger(Arc::new(log)).build();
    environment.map_err(|e| e.to_string())
}

/// ONNX Runtime's own messages, in this program's log.
fn log(level: LogLevel, category: &str, _id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Fatal | LogLevel::Error => tracing::error!(category, location, "onnxruntime: {message}"),
        LogLevel::Warning => tracing::warn!(category, location, "onnxruntime: {message}"),
        _ => tracing::trace!(category, location, "onnxruntime: {message}"),
    }
}
