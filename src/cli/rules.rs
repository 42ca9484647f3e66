//! What the operator and the commands beside it have to be told alike, or they would come to other decisions.

use clap::{Args, ValueEnum};

use crate::domain::pattern::{DEFAULT_ENDPOINTS, UrlPattern};

/// Flags that mean the same wherever they are; each can be given by environment too.
#[derive(Debug, Args)]
pub struct Rules {
    /// Endpoints that connections may name: [scheme://]host[:port]; `*` is one label or any port. Repeatable, or with
    /// commas between.
    #[arg(long = "allowed-endpoint", value_name = "PATTERN", env = "HOOKWRIGHT_ALLOWED_ENDPOINT",
          value_delimiter = ',', default_values_t = default_endpoints())]
    pub allowed_endpoints: Vec<UrlPattern>,
    /// Receivers that webhooks may name, in the same form; none = all. Repeatable, or with commas between.
    #[arg(
        long = "allowed-receiver",
        value_name = "PATTERN",
        env = "HOOKWRIGHT_ALLOWED_RECEIVER",
        value_delimiter = ','
    )]
    pub allowed_receivers: Vec<UrlPattern>,
    /// Identity of this cluster in ownership markers; the UID of namespace kube-system by default. A restored cluster
    /// sets the old one; two live clusters never share one.
    #[arg(long, value_name = "ID", env = "HOOKWRIGHT_CLUSTER_ID", value_parser = cluster_id)]
    pub cluster_id: Option<String>,
    /// Whether created webhooks carry the ownership marker. `off` affects new webhooks only.
    #[arg(long, value_enum, default_value_t = OnOff::On, env = "HOOKWRIGHT_OWNERSHIP_MARKER")]
    pub ownership_marker: OnOff,
}

/// A switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// On.
    On,
    /// Off.
    Off,
}

fn default_endpoints() -> Vec<UrlPattern> {
    // Each is held to parse by a test below.
    DEFAULT_ENDPOINTS.iter().filter_map(|pattern| pattern.parse().ok()).collect()
}

fn cluster_id(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=253).contains(&text.len()) && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("1 to 253 letters, digits, dots, dashes and underscores are possible".into())
    }
}

/// A namespace's name: an RFC 1123 label.
pub(super) fn namespace(text: &str) -> Result<String, String> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = |text: &str| text.starts_with(word) && text.ends_with(word);
    if (1..=63).contains(&text.len()) && ends(text) && text.chars().all(|c| word(c) || c == '-') {
        return Ok(text.to_owned());
    }
    let more = if text.is_empty() { "; in a list, leave no item empty" } else { "" };
    Err(format!("a namespace is 1 to 63 lower-case letters and digits, with - between them, for example team-a{more}"))
}

/// A DNS subdomain (RFC 1123), as names of most objects are.
pub(super) fn object_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let edges = [text.chars().next(), text.chars().last()];
    let good_edges = edges.iter().flatten().all(char::is_ascii_alphanumeric);
    if (1..=253).contains(&text.len()) && text.chars().all(allowed) && good_edges {
        Ok(text.to_owned())
    } else {
        Err("1 to 253 lower-case letters, digits, dashes and dots are possible, with a letter or digit at both ends"
            .into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        rules: Rules,
    }

    #[test]
    fn every_default_endpoint_is_a_pattern() {
        assert_eq!(default_endpoints().len(), DEFAULT_ENDPOINTS.len());
        assert_eq!(Flags::try_parse_from(["it"]).unwrap().rules.allowed_endpoints, default_endpoints());
    }
}
