//! `hookwright check`: asks an operator whether it is well. The image holds no other program that `helm test` could run.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::{Client, redirect};
use url::Url;

use super::run::at_least_a_second;

/// Time between two questions, and at most for one answer.
const PAUSE: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(5);
/// So much of an answer is shown, in characters.
const SHOWN: usize = 1000;

/// Whom, and for how long.
#[derive(Debug, Args)]
pub struct Options {
    /// The question: /readyz or /healthz of an operator, for example http://hookwright.hookwright.svc:8080/readyz.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    url: Url,
    /// How long to go on asking while the answer is not 200.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = at_least_a_second)]
    timeout: Duration,
}

fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "http");
    url.ok_or_else(|| "the operator serves plain http; write for example http://localhost:8080/readyz".into())
}

pub fn check(options: &Options) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(ask_until_well(options))
}

async fn ask_until_well(options: &Options) -> anyhow::Result<()> {
    let Options { url, timeout } = options;
    // No trust roots: none are needed, and an image without any must not fail here.
    let client =
        Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(ANSWER).tls_certs_only([]).build()?;
    let end = Instant::now() + *timeout;
    loop {
        let Err(error) = ask(&client, url).await else {
            println!("{url}: ok");
            return Ok(());
        };
        if Instant::now() + PAUSE >= end {
            return Err(error).with_context(|| format!("{url} is not well after {timeout:?}"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ask(client: &Client, url: &Url) -> anyhow::Result<()> {
    let answer = client.get(url.clone()).send().await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let text = answer.text().await?;
    bail!("{status}: {}", text.trim().chars().take(SHOWN).collect::<String>())
}
