//! What a person does at the remote's console, in the world's project.

use simulator::{Behaviour, NewWebhook, Webhook, WebhookEdit};

use super::World;

impl World {
    /// Makes a webhook at the console that looks like what `world.webhook(name, {})` asks for.
    pub fn console_lookalike(&self, name: &str) -> Webhook {
        self.console_create(NewWebhook::new(name, format!("https://hooks.example.com/{name}")))
    }

    /// Makes a webhook at the console.
    pub fn console_create(&self, webhook: NewWebhook) -> Webhook {
        self.sim.console_create(&self.project.id, webhook).expect("the project is there")
    }

    /// Edits a webhook at the console.
    pub fn console_edit(&self, id: &str, edit: WebhookEdit) {
        self.sim.console_edit(&self.project.id, id, edit).expect("the webhook is there");
    }

    /// Deletes a webhook at the console.
    pub fn console_delete(&self, id: &str) {
        self.sim.console_delete(&self.project.id, id).expect("the webhook is there");
    }

    /// Sets how the remote behaves.
    pub fn behave(&self, behaviour: Behaviour) {
        self.sim.set_project_behaviour(&self.project.id, Some(behaviour)).expect("the project is there");
    }

    /// The one webhook of the project.
    #[track_caller]
    pub fn only(&self) -> Webhook {
        let mut all = self.remote();
        assert_eq!(all.len(), 1, "webhooks at the remote: {all:#?}");
        all.remove(0)
    }
}
