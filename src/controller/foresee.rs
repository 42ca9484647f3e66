//! What the next pass over an object would come to: the driver's own steps up to the first write, which is told and not made.

use std::sync::Arc;

use super::clock::Clock;
use super::context::Context;
use super::driver::MAX_STEPS;
use super::kind::{Kind, Pass, Step};
use super::refuse::Halt;

/// How the next pass would go.
#[derive(Debug)]
pub struct Foreseen<S> {
    /// The writes that it would make, in the words of the plan, as far as they can be known before they are made.
    pub writes: Vec<String>,
    /// The status that it would end in; `None` where a write comes first.
    pub status: Option<S>,
}

/// Foresees the next pass over an object as it is, or as it would be once it is applied.
///
/// # Errors
/// The pass would end before it has a plan.
pub async fn foresee<K: Kind>(context: &Arc<Context>, object: &K::Object) -> Result<Foreseen<K::Status>, Halt> {
    let mut pass: Pass<'_, K> = Pass::first(context, object);
    let resolved = K::resolve(&pass).await?; // IO
    let desired = K::desired(&pass, &resolved)?; // pure
    let mut writes = vec![];
    let mut ask = None;
    for _ in 0..MAX_STEPS {
        let observed = K::observe(&mut pass, &resolved, ask).await?; // IO
        match K::plan(&mut pass, &resolved, &desired, &observed) {
            // pure
            Step::Ask(what) => ask = Some(what),
            Step::Write(write) => {
                ask = None;
                writes.push(write.to_string());
                if !K::pretend(&mut pass, &write) {
                    return Ok(Foreseen { writes, status: None });
                }
            }
            Step::Rest(outcome) => {
                let status = K::next_status(&pass, &outcome, &Clock::time()); // pure
                return Ok(Foreseen { writes, status: Some(status) });
            }
        }
    }
    Err(Halt::Retry("the remote keeps changing while it is looked at".into()))
}
