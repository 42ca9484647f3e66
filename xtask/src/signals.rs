//! Ctrl-C and its relatives. The future of the command is dropped, and what it started is stopped with it.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::signal::unix::{SignalKind, signal};

/// Whether the command has done its work and only stays up for the user.
static STAYING: AtomicBool = AtomicBool::new(false);

/// Stays until Ctrl-C, which from now on is the good end of the command and not its interruption.
pub fn stay() -> std::future::Pending<()> {
    STAYING.store(true, Ordering::Relaxed);
    std::future::pending()
}

/// Returns when the user, or whoever runs this, wants it to end.
pub async fn interrupted() -> ExitCode {
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        // Without handlers the default action ends this process; the guards then end what it started.
        return std::future::pending().await;
    };
    let number = tokio::select! {
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
        _ = hangup.recv() => 1,
    };
    println!("\nstopping everything …");
    if STAYING.load(Ordering::Relaxed) { ExitCode::SUCCESS } else { ExitCode::from(128 + number) }
}
