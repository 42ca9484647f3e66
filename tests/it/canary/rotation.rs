//! What was rotated out, or is another object's: the remote still holds it, and may quote it.

use super::*;

const NEW_TOKEN: &str = "Bw3Ht7qKs9Xe";
const NEW_OF_SECRET: &str = "Yc6Nj2mVd8Lp";
const NEW_PREFIXED: &str = "Fg1Rz5uTx4Ao";
const NEW_URL: &str = "https://Qi8Sb3wEk6Ym:Zh5Cv9oLf2Nd@chat.example.com/Jt4Pg7xRa1Wu/in?key=Ek9Dy2sMv6Hb";
/// Each of them alone.
pub const NEW_PARTS: [&str; 7] =
    [NEW_TOKEN, NEW_OF_SECRET, NEW_PREFIXED, "Qi8Sb3wEk6Ym", "Zh5Cv9oLf2Nd", "Jt4Pg7xRa1Wu", "Ek9Dy2sMv6Hb"];

/// An error that repeats this alone, as its code and in its message.
fn quote(part: &str) -> FaultKind {
    let body = json!({ "name": part, "message": format!("{part} is not allowed") });
    FaultKind::Status { code: 422, body: Some(body), retry_after: None, applied: false }
}

/// Lets a write of an object meet each part alone.
async fn quote_each<'a>(world: &World, operation: &str, name: &str, parts: impl IntoIterator<Item = &'a str>) {
    for part in parts {
        let before = world.sim.injected().get("echo").copied().unwrap_or_default();
        world.sim.add_fault(Fault::new(quote(part)).id("echo").operations([operation]));
        // Each change of the spec is a creation or an update that the remote refuses.
        ask(world, if operation == "create" { "update" } else { operation }, name).await;
        let hit = world.sim.injected().get("echo").copied().unwrap_or_default();
        assert!(hit > before, "{operation} of {name} never met {part}");
        world.sim.remove_fault("echo");
    }
}

#[tokio::test]
async fn no_secret_leaves_that_was_rotated_out_or_is_another_objects() {
    let world = start().await;
    let recording = world.record().await;
    for (name, spec) in NAMES.into_iter().zip(specs()) {
        world.webhook(name, spec).await;
        world.wait_ready(name).await;
    }
    // Whatever it says to a connection of now, a remote may quote the token of before.
    world.sim.add_token(NEW_TOKEN);
    world.secret("app-maker", &[("token", NEW_TOKEN)]).await;
    world.sim.remove_token(TOKEN);
    recover(&world).await;
    // The update that would bring the new values there is refused, so that the remote holds the old ones.
    let no_update = Fault::new(FaultKind::Status { code: 422, body: None, retry_after: None, applied: false });
    world.sim.add_fault(no_update.id("no update").operations(["update"]));
    let receiver = [("url", NEW_URL), ("header", NEW_OF_SECRET), ("prefixed", NEW_PREFIXED)];
    world.secret("receiver", &receiver).await;
    world.wait_reason(NAMES[1], "RemoteRejected").await;
    world.sim.remove_fault("no update");
    let parts = || SECRET_PARTS.into_iter().chain(LITERAL_PARTS).chain(NEW_PARTS.into_iter().skip(1));
    quote_each(&world, "update", NAMES[1], parts()).await;
    let theirs = SECRET_PARTS.into_iter().chain(LITERAL_PARTS);
    world.sim.add_fault(Fault::new(quote(OF_SECRET)).id("first").operations(["create"]));
    world.webhook("third", json!({})).await;
    world.wait_reason("third", "RemoteRejected").await;
    world.sim.remove_fault("first");
    quote_each(&world, "create", "third", theirs).await;
    quote_each(&world, "delete", NAMES[1], parts()).await;
    assert_nothing_left(&world, &recording).await;
    // That something would be shown at all: what is nobody's is.
    world.sim.add_fault(Fault::new(quote("no-such-event")).id("echo").operations(["create"]));
    ask(&world, "update", "third").await;
    let said = crate::support::message(&world.get("third").await);
    assert!(said.contains("(no-such-event: no-such-event is not allowed)"), "{said}");
}
