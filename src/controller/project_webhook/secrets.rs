//! Pure: everything that a message of the remote must not repeat.

use super::{Observed, Resolved, Texts};
use crate::domain::observed::{SeenValue, Webhook};
use crate::domain::secret::{SecretText, hidden_parts};

/// Token, header values, and of URLs all but the host: those of the object, and those that the remote holds, this
/// object's before a change and its neighbours'. `None` where not all of them are known.
pub(super) fn secrets(resolved: &Resolved, observed: &Observed) -> Option<Vec<SecretText>> {
    let Texts { url, headers, .. } = resolved.texts.as_ref()?;
    let mut secrets: Vec<_> = headers.iter().map(|(_, value)| SecretText::new(value)).collect();
    secrets.extend(hidden_parts(url));
    secrets.extend(resolved.live.secrets());
    let looked_up = observed.looked_up.as_ref().and_then(|(_, webhook)| webhook.as_ref());
    held(observed.snapshot.webhooks.iter().chain(looked_up), &mut secrets)?;
    Some(secrets)
}

/// What these webhooks hold. `None` if they may hold what the remote does not show: it masks a value, does not show a URL,
/// or shows no header of any webhook.
fn held<'a>(webhooks: impl Iterator<Item = &'a Webhook> + Clone, secrets: &mut Vec<SecretText>) -> Option<()> {
    use crate::domain::marker::SeenMarker;
    let shows = |webhook: &Webhook| !webhook.headers.is_empty() || matches!(webhook.marker, SeenMarker::Shown(_));
    if webhooks.clone().next().is_some() && !webhooks.clone().any(shows) {
        return None;
    }
    for webhook in webhooks {
        secrets.extend(hidden_parts(webhook.url.as_ref()?.expose()));
        for value in webhook.headers.values() {
            match value {
                SeenValue::Plain(value) => secrets.push(value.clone()),
                SeenValue::Masked => return None,
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::fixture::{bare, ours, veiled, with_header};
    use crate::domain::observed::SeenHeaders;
    use crate::domain::secret::ReceiverUrl;

    #[test]
    fn what_the_remote_holds_is_secret_and_where_it_hides_that_nothing_is_known() {
        let known = |webhooks: &[Webhook]| {
            let mut secrets = vec![];
            held(webhooks.iter(), &mut secrets).map(|()| secrets)
        };
        assert_eq!(known(&[]), Some(vec![]));
        let other =
            Webhook { url: Some(ReceiverUrl::new("https://h.example.com/neighbour")), ..with_header(bare(2), "X-Old") };
        let secrets = known(&[ours(1), other]).unwrap();
        for text in ["canary-shop", "canary-x", "/neighbour", "/canary"] {
            assert!(secrets.contains(&SecretText::new(text)), "{text}");
        }
        assert_eq!(known(&[ours(1), veiled(2)]), None, "masked");
        assert_eq!(known(&[Webhook { url: None, ..ours(1) }]), None, "its URL is not shown");
        let dropped = Webhook { headers: SeenHeaders::new(), ..bare(1) };
        assert_eq!(known(std::slice::from_ref(&dropped)), None, "perhaps it drops them");
        assert!(known(&[dropped, ours(2)]).is_some(), "it shows them, and this one has none");
    }
}
