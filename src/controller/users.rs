//! Who uses which connection, of whatever kind. The watches feed it before they trigger a pass.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use super::index::{ConnectionKey, User};
use super::sources::lock;

/// See the module.
#[derive(Default)]
pub struct Users(Mutex<Maps>);

#[derive(Default)]
struct Maps {
    connections: HashMap<User, ConnectionKey>,
    users: BTreeMap<ConnectionKey, HashSet<User>>,
}

/// What became of a user's connection.
pub struct Used {
    /// It, as all its users share it: they are many, and each would have a copy of its name.
    pub connection: ConnectionKey,
    /// The connections that gained their first user or lost one.
    pub affected: Vec<ConnectionKey>,
    /// The one that it used before, if it was another.
    pub before: Option<ConnectionKey>,
}

impl Users {
    /// This user uses that connection, and no other one any more.
    pub fn applied(&self, user: User, connection: ConnectionKey) -> Used {
        let mut maps = lock(&self.0);
        let connection = maps.users.get_key_value(&connection).map_or(connection, |(shared, _)| shared.clone());
        let (mut affected, mut left) = (vec![], None);
        if let Some(before) = maps.connections.insert(user.clone(), connection.clone()) {
            if before == connection {
                return Used { connection, affected, before: None };
            }
            maps.leave(&user, &before);
            affected.push(before.clone());
            left = Some(before);
        }
        let users = maps.users.entry(connection.clone()).or_default();
        users.insert(user);
        if users.len() == 1 {
            affected.push(connection.clone());
        }
        Used { connection, affected, before: left }
    }

    /// This user is gone. Returns the connection that lost it.
    pub fn deleted(&self, user: &User) -> Option<ConnectionKey> {
        let mut maps = lock(&self.0);
        let before = maps.connections.remove(user)?;
        maps.leave(user, &before);
        Some(before)
    }

    /// This user as all maps share it, if it is one: its key then takes no room of its own.
    #[must_use]
    pub fn shared(&self, user: User) -> User {
        lock(&self.0).connections.get_key_value(&user).map_or(user, |(shared, _)| shared.clone())
    }

    /// Whether it is there, as far as the watches have told.
    #[must_use]
    pub fn is_known(&self, user: &User) -> bool {
        lock(&self.0).connections.contains_key(user)
    }

    /// All users of a connection.
    #[must_use]
    pub fn of(&self, connection: &ConnectionKey) -> Vec<User> {
        let mut users: Vec<_> = lock(&self.0).users.get(connection).into_iter().flatten().cloned().collect();
        users.sort();
        users
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self, connection: &ConnectionKey) -> usize {
        lock(&self.0).users.get(connection).map_or(0, HashSet::len)
    }
}

impl Maps {
    fn leave(&mut self, user: &User, connection: &ConnectionKey) {
        if let Some(users) = self.users.get_mut(connection) {
            users.remove(user);
            if users.is_empty() {
                self.users.remove(connection);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::project_webhook::ConnectionKind;
    use crate::domain::ids::ObjectKey;

    fn key(name: &str) -> ObjectKey {
        ObjectKey { namespace: "shop".into(), name: name.into() }
    }

    fn connection(name: &str) -> ConnectionKey {
        ConnectionKey { kind: ConnectionKind::Connection, key: key(name) }
    }

    #[test]
    fn a_connection_is_told_of_its_first_user_and_of_each_that_leaves() {
        let users = Users::default();
        let (first, second) = (User::ProjectWebhook(key("a")), User::TaskNotification(key("a")));
        assert_eq!(users.applied(first.clone(), connection("c")).affected, [connection("c")]);
        assert_eq!(users.applied(first.clone(), connection("c")).affected, []);
        assert_eq!(users.applied(second.clone(), connection("c")).affected, []);
        assert_eq!(users.of(&connection("c")), [first.clone(), second.clone()]);
        let moved = users.applied(first.clone(), connection("d"));
        assert_eq!((moved.affected, moved.before), (vec![connection("c"), connection("d")], Some(connection("c"))));
        assert_eq!((users.count(&connection("c")), users.count(&connection("d"))), (1, 1));
        assert_eq!(users.deleted(&second), Some(connection("c")));
        assert_eq!(users.deleted(&second), None);
        assert_eq!(users.of(&connection("c")), []);
    }
}
