//! Hookwright keeps webhook registrations on remote services as declared in Git: a Kubernetes operator on kube-rs.
//!
//! # The map of the pass
//!
//! Every pass over an object walks through the same rooms, once and in this order. The driver
//! ([`controller::driver`]) holds the order and labels each step IO or pure.
//!
//! For a ProjectWebhook they are:
//!
//! | step | kind | where | what it does |
//! |---|---|---|---|
//! | resolve | IO | `controller/project_webhook/resolve` | connection, Secrets, ids; nothing here calls the remote |
//! | desired | pure | [`domain::desired`] | the webhook as the spec wants it, checked |
//! | observe | IO | `controller/project_webhook/observe`, [`controller::snapshot`] | one shared LIST per project (`need`: how new; [`controller::gathering`]: who waits for whom), a GET by id where it must |
//! | plan | pure | [`domain::identify`], [`domain::plan`], [`domain::deletion`] | whose webhook is whose, and the next write, as a value |
//! | apply | IO | `controller/project_webhook/apply` | the intent on the object, then one write to the remote |
//! | publish | IO | [`domain::status`], [`controller::publish`] | the status, built only from how the pass ended; Events |
//!
//! After a write the pass looks and plans again, until the plan is to rest: nothing that was merely accepted counts as
//! done. A deletion takes the same rooms by `controller/project_webhook/finalize`.
//!
//! A TaskNotification takes the same rooms with fewer steps, because its remote has no call that writes: it resolves and
//! observes in `controller/task_notification` (one GET, when one is due), and [`domain::notification`] decides: what the
//! spec wants, in what the remote differs, what is said of it. There is no plan, nothing to apply, and nothing to finalize.
//!
//! After each write there is a [`controller::fail_point`], where tests end the process or freeze it.
//!
//! Where there are several replicas, [`controller::leader`] says which one works. Each call to a remote asks the
//! [`remote::gate`] for that, and each write to Kubernetes by way of [`controller::guarded`].
//!
//! Two commands stand beside the operator and walk through the same rooms, with a client that lets no write pass
//! ([`controller::outside`]). `hookwright plan` foresees the next pass over an object ([`controller::foresee`]) and stops before
//! its first write; `hookwright import` looks, and [`domain::import`] says what was seen as manifests.
//!
//! # The rooms
//!
//! - [`api`]: the custom resources, and nothing else.
//! - [`domain`]: the decisions. No async, no client, no clock.
//! - [`remote`]: HTTP to the remote services. Each has a room with its calls ([`remote::app_maker`], [`remote::codearts`]
//!   with its three ways to authenticate); all of them go through [`remote::caller`]: pacing, bounds, metrics, errors.
//! - [`controller`]: Kubernetes: what triggers passes ([`controller::wiring`]), what they share
//!   ([`controller::context`]), and the steps that touch the cluster. What every kind needs of its connection:
//!   [`controller::reference`] finds it and says whether it serves the object, [`controller::users`] knows who uses it,
//!   and [`controller::verdict`] keeps what a call said of its credentials.
//! - [`ops`]: logs, metrics, probes.
//! - [`cli`]: one file a subcommand.

pub mod api;
pub mod cli;
pub mod controller;
pub mod domain;
pub mod ops;
pub mod remote;
