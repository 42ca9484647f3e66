//! CodeArts Check's one call on notifications (seed check-task-webhook-info). There is none that writes them.

use std::fmt;

use url::Url;

use super::auth::{Auth, Proof};
use super::wire;
use crate::domain::ids::TaskId;
use crate::domain::notification::Channel;
use crate::ops::metrics::Provider;
use crate::remote::caller::{Ask, Caller};
use crate::remote::endpoint::{below, check_base};
use crate::remote::error::{Call, Fault, RemoteError};
use crate::remote::http::{Reply, SetupError};
use crate::remote::pace::Priority;

/// The call.
pub const TASK_WEBHOOK_INFO: Call = Call {
    name: "task-webhook-info",
    method: "GET",
    target: "the task's notifications",
    template: "/v4/tasks/{task_id}/task-webhook-info",
};

/// The service as one connection reaches it. Cheap to clone.
#[derive(Clone)]
pub struct Check {
    base: Url,
    auth: Auth,
    caller: Caller,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}

impl Check {
    /// The service at an endpoint such as `https://codearts-check.ap-southeast-3.myhuaweicloud.com`.
    ///
    /// # Errors
    /// The endpoint can't be used.
    pub fn new(base: Url, auth: Auth, caller: Caller) -> Result<Self, SetupError> {
        check_base(&base)?;
        Ok(Self { base, auth, caller })
    }

    /// How its requests are authenticated.
    #[must_use]
    pub const fn auth(&self) -> &Auth {
        &self.auth
    }

    /// The notification channels of a task.
    ///
    /// # Errors
    /// No usable answer, of this service or of the one that issues its tokens: [`RemoteError::call`] says which.
    pub async fn channels(&self, task: &TaskId, priority: Priority) -> Result<Vec<Channel>, RemoteError> {
        let tokens = match &self.auth {
            Auth::Token(token) => return self.ask(task, priority, Proof::Token(token)).await,
            Auth::AccessKey(key) => return self.ask(task, priority, Proof::AccessKey(key)).await,
            Auth::Password(tokens) => tokens,
        };
        let issued = tokens.current(&self.caller, priority).await?;
        match self.ask(task, priority, Proof::Token(&issued.token)).await {
            // A changed password ends tokens before their time. One that was issued for this very call is none of those.
            Err(error) if error.is_auth() && !issued.is_new => {
                tokens.refused(&issued.token).await;
                let issued = tokens.current(&self.caller, priority).await?;
                self.ask(task, priority, Proof::Token(&issued.token)).await
            }
            other => other,
        }
    }

    async fn ask(&self, task: &TaskId, priority: Priority, proof: Proof<'_>) -> Result<Vec<Channel>, RemoteError> {
        let ask = Ask {
            provider: Provider::CodeArtsCheck,
            call: TASK_WEBHOOK_INFO,
            url: url(&self.base, task),
            about: task,
            json: None,
            priority,
        };
        let read = |reply: Reply| wire::channels(&reply.body?).map_err(Fault::Body);
        self.caller.send(ask, |url| proof.headers(url), read).await
    }
}

/// The id is one segment by its type.
fn url(base: &Url, task: &TaskId) -> Option<Url> {
    below(base, ["v4", "tasks", &task.to_string(), "task-webhook-info"])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::remote::endpoint::properties::{endpoints, is_below};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn no_task_and_no_endpoint_leads_to_another_place_or_path_than_the_documented_one_below_the_endpoint(
            base in endpoints(),
            task in "[A-Za-z0-9_-]{1,32}",
        ) {
            let url = url(&base, &task.parse().unwrap()).unwrap();
            is_below(&base, &url, &format!("/v4/tasks/{task}/task-webhook-info"))?;
        }
    }
}
