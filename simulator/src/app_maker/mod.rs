//! Akinon App Maker's webhook API, as `seeds/project-webhook-api.txt` documents it.
//!
//! A request goes `routes` → `fields` (is the body what the page allows?) → `store`, and the answer is rendered by
//! `view`. What the page leaves open is decided by [`Behaviour`]: in `routes` and `store` where it concerns what is
//! kept, in `view` where it concerns what is shown.

mod behaviour;
mod console;
mod fields;
mod ids;
mod routes;
mod store;
mod tokens;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

pub use behaviour::{
    Behaviour, CreateResponse, EmptyHeaders, EventOrder, Field, Masking, PatchHeaders, UpdateResponse,
};
pub use console::{Missing, NewWebhook, WebhookEdit};
pub use ids::is_entity_id;
pub use store::{ProjectRef, Webhook};

use ids::IdSource;
use store::Project;
pub(crate) use tokens::Access;
use tokens::Tokens;

/// The service: its projects, its tokens, and how it behaves.
pub(crate) struct AppMaker {
    projects: HashMap<String, Project>,
    ids: IdSource,
    pub(crate) tokens: Tokens,
    behaviour: Arc<Behaviour>,
    /// Rises whenever any behaviour is set, so that what was rendered before is not shown again.
    behaviours_set: u64,
}

impl AppMaker {
    pub(crate) fn new() -> Self {
        Self {
            projects: HashMap::new(),
            ids: IdSource::new(),
            tokens: Tokens::default(),
            behaviour: Arc::default(),
            behaviours_set: 0,
        }
    }

    /// Adds a project; one that is there already stays as it is.
    ///
    /// # Errors
    ///
    /// If an id is none by the page's pattern, or the project is there in another organization.
    pub(crate) fn add_project(&mut self, organization: &str, project: &str) -> anyhow::Result<()> {
        for id in [organization, project] {
            anyhow::ensure!(is_entity_id(id), "{id:?} is no entity id: it must match ^[0-9a-fA-F]{{24}}$");
        }
        let (organization, project) = (organization.to_ascii_lowercase(), project.to_ascii_lowercase());
        match self.projects.get(&project) {
            Some(there) => {
                anyhow::ensure!(
                    there.id.organization == organization,
                    "project {project} is in organization {}",
                    there.id.organization
                );
            }
            None => {
                let id = ProjectRef { organization, id: project };
                self.insert(id);
            }
        }
        Ok(())
    }

    /// Adds a project under fresh ids.
    pub(crate) fn new_project(&mut self) -> ProjectRef {
        let id = ProjectRef { organization: self.ids.next(), id: self.ids.next() };
        self.insert(id.clone());
        id
    }

    fn insert(&mut self, id: ProjectRef) {
        let mut project = Project::new(id);
        project.keep_history(self.behaviour.list_stale());
        self.projects.insert(project.id.id.clone(), project);
    }

    /// Removes a project with all that is in it; the API answers 404 from then on.
    pub(crate) fn remove_project(&mut self, project: &str) -> bool {
        self.projects.remove(&project.to_ascii_lowercase()).is_some()
    }

    pub(crate) fn projects(&self) -> Vec<ProjectRef> {
        let mut all: Vec<_> = self.projects.values().map(|project| project.id.clone()).collect();
        all.sort_by(|a, b| (&a.organization, &a.id).cmp(&(&b.organization, &b.id)));
        all
    }

    /// The behaviour in force for a project, or for those without one of their own.
    pub(crate) fn behaviour(&self, project: Option<&str>) -> Arc<Behaviour> {
        project
            .and_then(|id| self.projects.get(&id.to_ascii_lowercase()))
            .and_then(|project| project.behaviour.clone())
            .unwrap_or_else(|| Arc::clone(&self.behaviour))
    }

    /// Sets the behaviour for all projects that have none of their own.
    pub(crate) fn set_behaviour(&mut self, behaviour: Behaviour) {
        self.behaviour = Arc::new(behaviour);
        self.behaviours_changed();
    }

    /// Sets one project's own behaviour, or with `None` takes it away.
    pub(crate) fn set_project_behaviour(&mut self, project: &str, behaviour: Option<Behaviour>) -> Result<(), Missing> {
        self.project_mut(project)?.behaviour = behaviour.map(Arc::new);
        self.behaviours_changed();
        Ok(())
    }

    fn behaviours_changed(&mut self) {
        self.behaviours_set += 1;
        for project in self.projects.values_mut() {
            let behaviour = project.behaviour.as_deref().unwrap_or(&self.behaviour);
            project.keep_history(behaviour.list_stale());
        }
    }

    fn project(&self, project: &str) -> Result<&Project, Missing> {
        self.projects.get(&project.to_ascii_lowercase()).ok_or_else(|| Missing::Project(project.to_owned()))
    }

    fn project_mut(&mut self, project: &str) -> Result<&mut Project, Missing> {
        self.projects.get_mut(&project.to_ascii_lowercase()).ok_or_else(|| Missing::Project(project.to_owned()))
    }
}
