//! Logs, to stderr, as text or JSON.

use std::io;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// What is logged where RUST_LOG says nothing. kube's watcher warns of every watch that a server ends, as they all do.
pub const DEFAULT_FILTER: &str = "info,kube=warn";

/// Why logging can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter can't be read.
    #[error("RUST_LOG is not a filter like info,hookwright=debug")]
    BadFilter(#[source] tracing_subscriber::filter::ParseError),
    /// Logging was set up before.
    #[error("logging is already set up")]
    AlreadySet,
}

/// Sets logging up for this process, filtered by RUST_LOG.
///
/// # Errors
/// RUST_LOG is no filter, or logging is already set up.
pub fn init(format: LogFormat) -> Result<(), TelemetryError> {
    let filter = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|text| !text.trim().is_empty());
    let subscriber = subscriber(format, filter.as_deref().unwrap_or(DEFAULT_FILTER), io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadySet)
}

/// The subscriber that [`init`] sets, with a writer of the caller's.
///
/// # Errors
/// `filter` is no filter.
pub fn subscriber<W>(
    format: LogFormat,
    filter: &str,
    writer: W,
) -> Result<impl Subscriber + Send + Sync, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let wanted = EnvFilter::builder().parse(filter).map_err(TelemetryError::BadFilter)?;
    let lines = fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    Ok(registry().with(lines.with_filter(wanted.and(filter_fn(may_be_logged)))))
}

/// Whether a line may be written, whatever RUST_LOG says. The promise is that no secret is in the logs at any level, so
/// only this crate's own lines, which are written with that in mind, get below `info`. What the others say there:
///
/// - kube_client, `debug` and `trace`: answers of the API server as they came, Secrets among them, and the URLs.
/// - kube_runtime, `debug`: errors of the decoder, which quote the value that they stumbled over.
/// - reqwest, hyper, hyper_util, tower, h2, rustls: URLs with path and query, header frames, records.
///
/// A list of those that may speak also holds for the dependency that comes tomorrow.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    if is_within(target, env!("CARGO_CRATE_NAME")) {
        return true;
    }
    // kube-client warns with the whole body of an answer that it can't decode: one malformed Secret would be logged.
    let loudest = if is_within(target, "kube_client::client") { Level::ERROR } else { Level::INFO };
    *metadata.level() <= loudest
}

fn is_within(target: &str, module: &str) -> bool {
    target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str, work: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        tracing::subscriber::with_default(subscriber(format, filter, move || writer.clone()).unwrap(), work);
        String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap()
    }

    fn everybody_speaks() {
        tracing::trace!("ours at trace");
        tracing::trace!(target: "hyper::proto", "hyper at trace");
        tracing::debug!(target: "kube_client::client", "kube at debug");
        tracing::warn!(target: "kube_client::client", "kube at warn");
        tracing::error!(target: "kube_client::client::builder", "kube at error");
        tracing::warn!(target: "kube_runtime::watcher", "runtime at warn");
        tracing::debug!(target: "hookwright_lookalike", "lookalike at debug");
        tracing::debug!(target: "a_dependency_of_tomorrow", "tomorrow at debug");
        tracing::info!(target: "a_dependency_of_tomorrow", "tomorrow at info");
    }

    #[test]
    fn at_the_loudest_filter_only_our_own_lines_get_below_info() {
        let said = logged(LogFormat::Text, "trace", everybody_speaks);
        for line in ["ours at trace", "kube at error", "runtime at warn", "tomorrow at info"] {
            assert!(said.contains(line), "{line} is not in\n{said}");
        }
        assert_eq!(said.lines().count(), 4, "{said}");
    }

    #[test]
    fn a_filter_that_names_a_dependency_does_not_open_it_either() {
        let filter = "off,hyper=trace,hyper::proto=trace,kube_client::client=trace,a_dependency_of_tomorrow=trace";
        let said = logged(LogFormat::Text, filter, everybody_speaks);
        assert!(said.contains("kube at error") && said.contains("tomorrow at info"), "{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }

    #[test]
    fn the_default_filter_is_one_and_keeps_debug_out() {
        let said = logged(LogFormat::Text, DEFAULT_FILTER, everybody_speaks);
        assert!(said.contains("tomorrow at info") && !said.contains("ours at trace"), "{said}");
    }

    #[test]
    fn json_lines_are_json() {
        let said = logged(LogFormat::Json, "info", || tracing::info!(answer = 42, "a \"line\""));
        let line: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
        assert_eq!(line["fields"]["message"], "a \"line\"");
        assert_eq!(line["fields"]["answer"], 42);
    }

    #[test]
    fn what_is_no_filter_is_an_error() {
        assert!(matches!(subscriber(LogFormat::Text, "info,=[", io::sink), Err(TelemetryError::BadFilter(_))));
    }

    #[test]
    fn setting_logging_up_twice_is_an_error_and_no_panic() {
        // Which of the two comes first depends on the tests that share this process.
        let _ = init(LogFormat::Text);
        assert!(matches!(init(LogFormat::Json), Err(TelemetryError::AlreadySet)));
    }
}
