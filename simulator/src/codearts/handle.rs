//! The handle's part for Check and IAM.

use super::behaviour::Behaviour;
use super::console::{Channel, ChannelEdit, Missing, NewChannel};
use super::credentials::{AccessKey, IamUser};
use super::new_id;
use crate::handle::Simulator;

impl Simulator {
    /// What goes into a Connection's `codeArts.endpoint`.
    pub fn check_endpoint(&self) -> String {
        self.https_url()
    }

    /// What goes into a Connection's `codeArts.auth.password.iamEndpoint`. It is another host than
    /// [`Self::check_endpoint`]'s, as the vendor's are; the certificate is for both.
    pub fn iam_endpoint(&self) -> String {
        self.https_url().replace("127.0.0.1", "localhost")
    }

    /// How Check and IAM behave.
    pub fn check_behaviour(&self) -> Behaviour {
        self.shared.read(|state| state.codearts.behaviour.clone())
    }

    /// Sets how Check and IAM behave.
    pub fn set_check_behaviour(&self, behaviour: Behaviour) {
        self.shared.change(|state| state.codearts.behaviour = behaviour);
    }

    /// Adds a task without channels; one that is there already stays as it is.
    ///
    /// # Errors
    ///
    /// If the id is none.
    pub fn add_task(&self, task: &str) -> anyhow::Result<()> {
        self.shared.change(|state| state.codearts.tasks.add(task))
    }

    /// Adds a task without channels under a fresh id.
    pub fn new_task(&self) -> String {
        self.shared.change(|state| state.codearts.tasks.add_new())
    }

    /// Removes a task with its channels. Tells whether it was there.
    pub fn remove_task(&self, task: &str) -> bool {
        self.shared.change(|state| state.codearts.tasks.remove(task))
    }

    /// The channels of a task in full truth, oldest first; empty if there is no such task.
    pub fn channels(&self, task: &str) -> Vec<Channel> {
        self.shared.read(|state| state.channels(task))
    }

    /// Enters a channel at the console as the only one of its type: over the one that is there, or as a new one.
    ///
    /// # Errors
    ///
    /// If there is no such task.
    pub fn console_set_channel(&self, task: &str, channel: NewChannel) -> Result<Channel, Missing> {
        self.shared.change(|state| state.codearts.tasks.set_channel(task, channel))
    }

    /// Enters a channel at the console beside whatever channels of its type there are.
    ///
    /// # Errors
    ///
    /// If there is no such task.
    pub fn console_add_channel(&self, task: &str, channel: NewChannel) -> Result<Channel, Missing> {
        self.shared.change(|state| state.codearts.tasks.add_channel(task, channel))
    }

    /// Edits a channel at the console.
    ///
    /// # Errors
    ///
    /// If there is no such task or channel.
    pub fn console_edit_channel(&self, task: &str, id: &str, edit: ChannelEdit) -> Result<Channel, Missing> {
        self.shared.change(|state| state.codearts.tasks.edit_channel(task, id, edit))
    }

    /// Switches a channel on or off at the console.
    ///
    /// # Errors
    ///
    /// If there is no such task or channel.
    pub fn console_switch_channel(&self, task: &str, id: &str, enabled: bool) -> Result<Channel, Missing> {
        self.console_edit_channel(task, id, ChannelEdit { enabled: Some(enabled), ..ChannelEdit::default() })
    }

    /// Removes a channel at the console.
    ///
    /// # Errors
    ///
    /// If there is no such task or channel.
    pub fn console_remove_channel(&self, task: &str, id: &str) -> Result<(), Missing> {
        self.shared.change(|state| state.codearts.tasks.remove_channel(task, id))
    }

    /// Adds a token for Check that may do everything (also one that was forbidden) and never expires, and tells its
    /// position, which it shares with none of Check's other tokens and access keys.
    pub fn add_check_token(&self, token: &str) -> usize {
        self.shared.change(|state| state.codearts.credentials.set_token(token, false))
    }

    /// Adds or marks a token for Check whose every request is answered with 403, and tells its position.
    pub fn forbid_check_token(&self, token: &str) -> usize {
        self.shared.change(|state| state.codearts.credentials.set_token(token, true))
    }

    /// Forgets a token for Check: 401 from then on. Tells whether it was known.
    pub fn remove_check_token(&self, token: &str) -> bool {
        self.shared.change(|state| state.codearts.credentials.remove_token(token))
    }

    /// Forgets every token that IAM has issued, before its time: 401 from then on. Tells how many there were.
    pub fn revoke_issued_tokens(&self) -> usize {
        self.shared.change(|state| state.codearts.credentials.revoke_issued())
    }

    /// Adds or changes a user of IAM. Another password kills the tokens that were issued for the old one.
    pub fn set_user(&self, user: IamUser) {
        self.shared.change(|state| state.codearts.credentials.set_user(user));
    }

    /// Adds a user of IAM under a fresh name. [`Self::counts`] of that name are those of its exchanges.
    pub fn new_user(&self) -> IamUser {
        let id = new_id();
        let user = IamUser {
            domain: format!("domain-{}", &id[..6]),
            user: format!("user-{}", &id[6..12]),
            password: format!("password-{}", &id[12..]),
            project: "ap-southeast-3".to_owned(),
        };
        self.set_user(user.clone());
        user
    }

    /// Lets every request with a token of this user be answered with 403, or no longer. Tells whether the user is known.
    pub fn forbid_user(&self, domain: &str, user: &str, forbidden: bool) -> bool {
        self.shared.change(|state| state.codearts.credentials.forbid_user(domain, user, forbidden))
    }

    /// Forgets a user of IAM, and the tokens issued to them. Tells whether the user was known.
    pub fn remove_user(&self, domain: &str, user: &str) -> bool {
        self.shared.change(|state| state.codearts.credentials.remove_user(domain, user))
    }

    /// Adds or changes an access key that may do everything (also one that was forbidden), and tells its position.
    pub fn set_access_key(&self, key: AccessKey) -> usize {
        self.shared.change(|state| state.codearts.credentials.set_key(key))
    }

    /// Adds a fresh access key, permanent or temporary.
    pub fn new_access_key(&self, temporary: bool) -> AccessKey {
        let key = AccessKey {
            access_key: new_id()[..20].to_ascii_uppercase(),
            secret_key: format!("secret{}", new_id()),
            project_id: new_id(),
            security_token: temporary.then(|| format!("security-token-{}", new_id())),
        };
        self.set_access_key(key.clone());
        key
    }

    /// Marks an access key whose every request is answered with 403. Tells whether it is known.
    pub fn forbid_access_key(&self, access_key: &str) -> bool {
        self.shared.change(|state| state.codearts.credentials.forbid_key(access_key))
    }

    /// Forgets an access key: 401 from then on. Tells whether it was known.
    pub fn remove_access_key(&self, access_key: &str) -> bool {
        self.shared.change(|state| state.codearts.credentials.remove_key(access_key))
    }
}
