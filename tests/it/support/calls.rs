//! What was called at the remote, as text that reads like the plan.

use simulator::Call;

use super::World;

/// `GET list`, `GET`, `POST`, `PATCH active,events` or `DELETE`: a PATCH names the fields that it sent.
pub fn render(call: &Call) -> String {
    match call.operation {
        "list" => "GET list".into(),
        "update" => format!("PATCH {}", call.fields().join(",")),
        _ => call.method.clone(),
    }
}

/// All calls to the world's project, oldest first.
pub fn rendered(world: &World) -> Vec<String> {
    world.calls().iter().map(render).collect()
}

/// Exactly these calls were made to the world's project, in this order.
#[track_caller]
pub fn assert_calls(world: &World, expected: &[&str]) {
    assert_eq!(rendered(world), expected, "the calls to the project");
}

/// The same, where a LIST before them is the operator's choice: one that is fresh enough is used again.
#[track_caller]
pub fn assert_calls_after_look(world: &World, expected: &[&str]) {
    let mut calls = rendered(world);
    if calls.first().is_some_and(|call| call == "GET list") {
        calls.remove(0);
    }
    assert_eq!(calls, expected, "the calls to the project after a look");
}

/// Exactly these writes were made to the world's project, in this order, whatever was read.
#[track_caller]
pub fn assert_writes(world: &World, expected: &[&str]) {
    let writes: Vec<_> = rendered(world).into_iter().filter(|call| !call.starts_with("GET")).collect();
    assert_eq!(writes, expected, "the writes to the project");
}
