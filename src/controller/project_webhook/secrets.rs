//! Pure: everything that a message of the remote must not repeat.

use super::{Observed, Resolved, Texts};
use crate::domain::observed::{SeenValue, Webhook};
use crate::domain::secret::SecretText;

/// Shortest text of a URL's path that counts without its slash: a word like `a` or `in` would hide every message.
const SHORTEST_ALONE: usize = 4;

/// Token, header values, and of URLs all but the host: those of the object, and those that the remote holds, this
/// object's before a change and its neighbours'. `None` where not all of them are known.
pub(super) fn secrets(resolved: &Resolved, observed: &Observed) -> Option<Vec<SecretText>> {
    let Texts { url, headers, .. } = resolved.texts.as_ref()?;
    let mut secrets: Vec<_> = headers.iter().map(|(_, value)| SecretText::new(value)).collect();
    of_url(url, &mut secrets);
    let live = &resolved.live;
    secrets.extend([Some(&live.token), live.token_before.as_ref()].into_iter().flatten().cloned());
    let looked_up = observed.looked_up.as_ref().and_then(|(_, webhook)| webhook.as_ref());
    held(observed.snapshot.webhooks.iter().chain(looked_up), &mut secrets)?;
    Some(secrets)
}

/// What these webhooks hold. `None` if they may hold what the remote does not show: it masks a value, or shows no header
/// of any webhook.
fn held<'a>(webhooks: impl Iterator<Item = &'a Webhook> + Clone, secrets: &mut Vec<SecretText>) -> Option<()> {
    use crate::domain::marker::SeenMarker;
    let shows = |webhook: &Webhook| !webhook.headers.is_empty() || matches!(webhook.marker, SeenMarker::Shown(_));
    if webhooks.clone().next().is_some() && !webhooks.clone().any(shows) {
        return None;
    }
    for webhook in webhooks {
        of_url(webhook.url.expose(), secrets);
        for value in webhook.headers.values() {
            match value {
                SeenValue::Plain(value) => secrets.push(value.clone()),
                SeenValue::Masked => return None,
            }
        }
    }
    Some(())
}

/// User and password, path and query.
fn of_url(url: &str, secrets: &mut Vec<SecretText>) {
    let url = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, path) = url.split_at(url.find(['/', '?', '#']).unwrap_or(url.len()));
    secrets.extend(authority.rsplit_once('@').map(|(user, _)| SecretText::new(user)));
    let alone = path.get(1..).unwrap_or_default();
    if !alone.is_empty() {
        secrets.push(SecretText::new(path));
    }
    if alone.chars().count() >= SHORTEST_ALONE {
        secrets.push(SecretText::new(alone));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::fixture::{bare, ours, veiled, with_header};
    use crate::domain::refusal::reveal;
    use crate::domain::secret::ReceiverUrl;

    fn parts(url: &str) -> Vec<String> {
        let mut secrets = vec![];
        of_url(url, &mut secrets);
        secrets.iter().map(|secret| secret.expose().to_owned()).collect()
    }

    #[test]
    fn of_a_url_all_but_its_host_is_secret_and_a_word_of_its_path_is_not() {
        assert_eq!(parts("https://u:p@h.example.com/T0KEN?k=v"), ["u:p", "/T0KEN?k=v", "T0KEN?k=v"]);
        assert_eq!(parts("https://h.example.com?key"), ["?key"]);
        assert_eq!(parts("https://h.example.com/in"), ["/in"]);
        assert!(parts("https://h.example.com/").is_empty() && parts("https://h.example.com").is_empty());
        let secrets = [SecretText::new("/a")];
        let shown = |text: &str| reveal(&SecretText::new(text), &secrets).is_some();
        assert!(shown("a webhook needs an event") && !shown("https://h.example.com/a is refused"));
    }

    #[test]
    fn what_the_remote_holds_is_secret_and_where_it_hides_that_nothing_is_known() {
        let known = |webhooks: &[Webhook]| {
            let mut secrets = vec![];
            held(webhooks.iter(), &mut secrets).map(|()| secrets)
        };
        assert_eq!(known(&[]), Some(vec![]));
        let other =
            Webhook { url: ReceiverUrl::new("https://h.example.com/neighbour"), ..with_header(bare(2), "X-Old") };
        let secrets = known(&[ours(1), other]).unwrap();
        for text in ["canary-shop", "canary-x", "/neighbour", "/canary"] {
            assert!(secrets.contains(&SecretText::new(text)), "{text}");
        }
        assert_eq!(known(&[ours(1), veiled(2)]), None, "masked");
        let dropped = Webhook { headers: [].into(), ..bare(1) };
        assert_eq!(known(std::slice::from_ref(&dropped)), None, "perhaps it drops them");
        assert!(known(&[dropped, ours(2)]).is_some(), "it shows them, and this one has none");
    }
}
