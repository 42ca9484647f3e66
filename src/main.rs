//! The operator's program: parse, dispatch.

use std::process::ExitCode;

use hookwright::cli::Cli;
use tikv_jemallocator::Jemalloc;

/// Gives back to the system what is not needed any more: at rest, most of what the work before took.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::read();
    // One TLS provider for both clients, chosen before either is made; it can be set once, and nobody was before us.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli.dispatch()
}
