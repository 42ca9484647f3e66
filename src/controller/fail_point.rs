//! Places right after each write at which a test has the process die, as a SIGKILL would end it, or freeze, as a SIGSTOP
//! does. They are code only where the `fail` crate's feature `failpoints` is on, and nothing but tests switches it on.

// Cargo unites the features of all that one call builds: a program that is built beside tests or examples has theirs.
// What is shipped or measured must never end because of a variable of its environment, so such a build is none.
#[cfg(not(debug_assertions))]
const _: () = assert!(
    !fail::has_failpoints(),
    "this is a build without debug assertions, with the fail points of the tests: build the program apart from tests and \
     examples, and run tests in a profile with debug assertions"
);

macro_rules! fail_points {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One kind of write, after which the process may die.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailPoint { $($(#[$doc])* $variant,)* }

        impl FailPoint {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// What environment variable `FAILPOINTS` calls it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

fail_points! {
    /// POST of a webhook.
    Create = "create",
    /// PATCH of a webhook.
    Update = "update",
    /// PATCH that takes our marker off.
    Unmark = "unmark",
    /// DELETE of a webhook.
    Delete = "delete",
    /// The finalizer, and the intent beside it.
    Hold = "hold",
    /// Removal of the finalizer.
    Release = "release",
    /// The status.
    Status = "status",
    /// An Event.
    Event = "event",
    /// The finalizer of a connection.
    ConnectionHold = "connection-hold",
    /// Removal of the finalizer of a connection.
    ConnectionRelease = "connection-release",
    /// The status of a connection.
    ConnectionStatus = "connection-status",
    /// The operator's own namespace.
    Namespace = "namespace",
    /// The Lease: taken, renewed or given up.
    Lease = "lease",
}

impl FailPoint {
    /// Awaits the write. Once it was taken, the process dies if `FAILPOINTS` says `return`: without destructors, without drain.
    /// With `return(freeze)` it stops until somebody sends SIGCONT, and goes on.
    ///
    /// # Errors
    /// The write's own.
    pub async fn after<T, E>(self, write: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let taken = write.await?;
        self.reached();
        Ok(taken)
    }

    fn reached(self) {
        fail::fail_point!(self.name(), |how: Option<String>| {
            if how.as_deref() == Some("freeze") {
                tracing::error!("fail point {}: this process freezes here", self.name());
                // Whether that worked shows the test, which waits for it.
                let _ = std::process::Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status();
                // The signal is another thread's to take: without this, this one may have gone on by then.
                std::thread::sleep(std::time::Duration::from_secs(1));
                return;
            }
            tracing::error!("fail point {}: this process ends here", self.name());
            std::process::abort()
        });
    }
}
