//! Users and groups as an image's own files name them.

use std::fs;

use crate::failure::{Failure, Outcome};

/// Whom a command runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
    /// Further groups.
    pub groups: Vec<u32>,
    /// The home folder.
    pub home: String,
}

impl Identity {
    /// Finds a user, `name-or-number[:group]`, in the files of the root folder; an empty text is root.
    pub fn find(text: &str, more_groups: &[String]) -> Outcome<Self> {
        // An image may do without these files: numbers need none.
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        Self::of(text, more_groups, &passwd, &groups)
    }

    fn of(text: &str, more_groups: &[String], passwd: &str, group_file: &str) -> Outcome<Self> {
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        let user = if user.is_empty() { "0" } else { user };
        let number = user.parse::<u32>().ok();
        let entry = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| {
            fields.len() >= 6 && (fields[0] == user || number.is_some() && fields[2].parse().ok() == number)
        });
        let named = |wanted: &str| -> Outcome<u32> {
            let found = group_file.lines().map(|line| line.split(':').collect::<Vec<_>>()).find_map(|fields| {
                (fields.len() >= 3 && fields[0] == wanted).then(|| fields[2].parse().ok()).flatten()
            });
            found
                .or_else(|| wanted.parse().ok())
                .ok_or_else(|| Failure::new(format!("the image has no group `{wanted}`")))
        };
        let mut identity = match entry {
            Some(fields) => {
                let id = |text: &str| text.parse().unwrap_or_default();
                let member_of = group_file.lines().map(|line| line.split(':').collect::<Vec<_>>()).filter_map(|line| {
                    let is_member = line.len() >= 4 && line[3].split(',').any(|member| member == fields[0]);
                    is_member.then(|| line[2].parse().ok()).flatten()
                });
                Self {
                    user: id(fields[2]),
                    group: id(fields[3]),
                    groups: member_of.collect(),
                    home: if fields[5].is_empty() { "/".to_owned() } else { fields[5].to_owned() },
                }
            }
            None => match number {
                // Nobody's home is the root folder.
                Some(user) => Self { user, home: "/".to_owned(), ..Self::default() },
                None => {
                    return Err(Failure::new(format!("the image has no user `{user}`"))
                        .help("name a user that stands in its /etc/passwd, or give a number"));
                }
            },
        };
        if let Some(group) = group.filter(|group| !group.is_empty()) {
            identity.group = named(group)?;
            identity.groups.clear();
        }
        for group in more_groups {
            identity.groups.push(named(group)?);
        }
        identity.groups.sort_unstable();
        identity.groups.dedup();
        Ok(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/srv/app:/bin/sh\n";
    const GROUP: &str = "root:x:0:\napp:x:1001:\ndocker:x:7:other,app\nwheel:x:8:\n";

    #[test]
    fn users_are_found_by_name_and_number() {
        let found = |text: &str| Identity::of(text, &[], PASSWD, GROUP);
        let identity = |user, group, groups: &[u32], home: &str| Identity {
            user,
            group,
            groups: groups.to_vec(),
            home: home.to_owned(),
        };
        for (text, expected) in [
            ("", identity(0, 0, &[], "/root")),
            ("app", identity(1000, 1001, &[7], "/srv/app")),
            ("1000", identity(1000, 1001, &[7], "/srv/app")),
            ("1000:wheel", identity(1000, 8, &[], "/srv/app")),
            ("77", identity(77, 0, &[], "/")),
            ("77:78", identity(77, 78, &[], "/")),
        ] {
            assert_eq!(found(text).expect("is there"), expected, "{text}");
        }
        assert!(found("nobody").is_err());
        assert!(found("app:nogroup").is_err());
    }
}
