//! The kinds that are measured, and in what their bounds differ.

use clap::ValueEnum;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
pub enum Kind {
    ProjectWebhook,
    TaskNotification,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::ProjectWebhook => "ProjectWebhook",
            Self::TaskNotification => "TaskNotification",
        }
    }

    /// As the load program's flag takes it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::ProjectWebhook => "project-webhook",
            Self::TaskNotification => "task-notification",
        }
    }

    pub fn plural(self) -> &'static str {
        match self {
            Self::ProjectWebhook => "projectwebhooks",
            Self::TaskNotification => "tasknotifications",
        }
    }

    /// The call by which the operator looks, as the simulator names it.
    pub fn look(self) -> &'static str {
        match self {
            Self::ProjectWebhook => "list",
            Self::TaskNotification => "task_webhook_info",
        }
    }

    /// How many looks show everything: one a project, or one a task.
    pub fn looks(self, objects: usize) -> usize {
        match self {
            Self::ProjectWebhook => objects.div_ceil(50),
            Self::TaskNotification => objects,
        }
    }

    /// The path of a Connection's endpoint.
    pub fn base(self) -> &'static str {
        match self {
            Self::ProjectWebhook => "/api/v1",
            Self::TaskNotification => "",
        }
    }
}
