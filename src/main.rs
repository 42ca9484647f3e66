//! The operator's program: parse, dispatch.

use hookwright::cli::Cli;

fn main() -> anyhow::Result<()> {
    let cli = Cli::read();
    // One TLS provider for both clients, chosen before either is made; it can be set once, and nobody was before us.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli.dispatch()
}
