//! Who may open the call socket.

use std::ffi::CString;

use nix::unistd::{Gid, Uid, User, getgrouplist};

/// Who may open the call socket, besides the arbiter's own user and root (SEC-2, SEC-9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketAccess {
    /// The socket's permission bits; connecting takes write permission (SEC-1, SEC-8).
    pub mode: u32,
    /// The number of the socket's group, whose members are served; `None` for the group of the process, whose members are
    /// not.
    pub group: Option<u32>,
    /// The numbers of users that are served.
    pub users: Vec<u32>,
}

impl Default for SocketAccess {
    /// Nobody else.
    fn default() -> Self {
        SocketAccess { mode: 0o600, group: None, users: Vec::new() }
    }
}

/// What is known of a peer from its credentials alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is served.
    Granted,
    /// It is served if its user is a member of this group, which takes a look at the user database.
    IfMemberOf(u32),
    /// It is not served.
    Refused,
}

impl SocketAccess {
    /// Whether the arbiter of user `own` serves a peer of user `uid` and group `gid`.
    pub(super) fn admits(&self, own: u32, uid: u32, gid: u32) -> Admission {
        if uid == own || uid == 0 || self.users.contains(&uid) {
            return Admission::Granted;
        }
        match self.group {
            Some(group) if group == gid => Admission::Granted,
            Some(group) => Admission::IfMemberOf(group),
            None => Admission::Refused,
        }
    }
}

/// Whether the user database says that a user is in a group. May wait for a directory service.
pub(super) fn is_member(uid: u32, group: u32) -> bool {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return false };
    let Ok(name) = CString::new(user.name) else { return false };
    getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&Gid::from_raw(group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_user_root_and_who_is_named_are_served() {
        let nobody_else = SocketAccess::default();
        let opened = SocketAccess { mode: 0o660, group: Some(70), users: vec![7, 8] };
        for (access, uid, gid, expected) in [
            (&nobody_else, 5, 99, Admission::Granted),
            (&nobody_else, 0, 99, Admission::Granted),
            (&nobody_else, 7, 5, Admission::Refused),
            (&opened, 8, 99, Admission::Granted),
            (&opened, 9, 70, Admission::Granted),
            (&opened, 9, 99, Admission::IfMemberOf(70)),
        ] {
            assert_eq!(access.admits(5, uid, gid), expected, "{uid} {gid}");
        }
    }

    #[test]
    fn the_user_database_knows_primary_groups() {
        assert!(is_member(0, 0), "root is in its own group");
        assert!(!is_member(0, 4_294_967_294) && !is_member(4_294_967_294, 0));
    }
}
