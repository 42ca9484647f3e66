//! Values that must not be shown: header values, tokens and the receiver's URL. They print as what they are, not as
//! what they hold, and are wiped when dropped.

use std::fmt;
use std::hash::{Hash, Hasher};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Text that must not be shown.
#[derive(Clone)]
pub struct SecretText(SecretString);

impl SecretText {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, for sending and comparing; never for showing.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for SecretText {}

impl Hash for SecretText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

/// A receiver's URL as somebody wrote it. Two are equal if they are the same after normalising scheme, host and default
/// port (WHATWG URL); only the host may be shown, because path and query often are the credential.
#[derive(Clone)]
pub struct ReceiverUrl(SecretText);

impl ReceiverUrl {
    /// Takes any text over: what the remote holds need not be a URL.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretText::new(text))
    }

    /// The URL, if the text is one. Read anew each time: many are kept, and few are looked at.
    #[must_use]
    pub fn url(&self) -> Option<Url> {
        Url::parse(self.0.expose()).ok()
    }

    /// The text as it was written, for sending; never for showing.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Host, with the port where it is not the default: what may be shown.
    #[must_use]
    pub fn host(&self) -> String {
        let Some(url) = self.url() else { return String::new() };
        match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => String::new(),
        }
    }
}

/// Shortest text of a URL's path that counts without its slash: a word like `a` or `in` would hide every message.
const SHORTEST_ALONE: usize = 4;

/// Everything of a URL that must not be shown, however it is written: user and password, path and query.
#[must_use]
pub fn hidden_parts(url: &str) -> Vec<SecretText> {
    let url = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, path) = url.split_at(url.find(['/', '?', '#']).unwrap_or(url.len()));
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let alone = path.get(1..).unwrap_or_default();
    let path = Some(path).filter(|_| !alone.is_empty());
    let alone = Some(alone).filter(|alone| alone.chars().count() >= SHORTEST_ALONE);
    [user, path, alone].into_iter().flatten().map(SecretText::new).collect()
}

impl fmt::Debug for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(URL at {})", self.host())
    }
}

impl PartialEq for ReceiverUrl {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.url().is_some_and(|mine| Some(mine) == other.url())
    }
}

impl Eq for ReceiverUrl {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::reveal;

    fn parts(url: &str) -> Vec<String> {
        hidden_parts(url).iter().map(|secret| secret.expose().to_owned()).collect()
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
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", SecretText::new("hunter2")), "(secret)");
        let url = ReceiverUrl::new("https://Hooks.example.com:8443/T0KEN?key=hunter2");
        assert_eq!(format!("{url:?}"), "(URL at hooks.example.com:8443)");
    }

    #[test]
    fn urls_are_equal_after_normalising_host_and_default_port() {
        assert_eq!(ReceiverUrl::new("https://HOOKS.example.com:443"), ReceiverUrl::new("https://hooks.example.com/"));
        assert_ne!(ReceiverUrl::new("https://hooks.example.com/a"), ReceiverUrl::new("https://hooks.example.com/A"));
        assert_ne!(ReceiverUrl::new("https://hooks.example.com/"), ReceiverUrl::new("http://hooks.example.com/"));
    }

    #[test]
    fn what_is_no_url_is_compared_as_text() {
        assert_eq!(ReceiverUrl::new("nonsense"), ReceiverUrl::new("nonsense"));
        assert_ne!(ReceiverUrl::new("nonsense"), ReceiverUrl::new("https://nonsense/"));
    }
}
