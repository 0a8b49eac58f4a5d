//! A machine as the configuration managers prepare it: folders made, files put into them, removed again.
//!
//! Two families of systems take two sets of commands; with `sudo` the Unix ones run as root.

use rpk_planner::catalog::{OptionSpec, Problem, Settings, string};
use serde::Deserialize;

use crate::communicator::{Communicator, DISCONNECTED, FileSource};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The family of systems that a machine's belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) enum GuestSystem {
    /// Commands of a Unix shell.
    #[default]
    Unix,
    /// PowerShell from a Windows command line.
    Windows,
}

impl From<String> for GuestSystem {
    fn from(name: String) -> Self {
        if name.eq_ignore_ascii_case("windows") { Self::Windows } else { Self::Unix }
    }
}

impl GuestSystem {
    /// The option that names it.
    pub(crate) fn option() -> OptionSpec {
        string("guest_os_type", "The machine's family of systems: `unix` or `windows`.")
    }

    /// Checks that option; case does not count.
    pub(crate) fn check(settings: &Settings) -> Vec<Problem> {
        let name = settings.get("guest_os_type").and_then(|name| name.as_str()).unwrap_or_default();
        if ["", "unix", "windows"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return Vec::new();
        }
        let problem = Problem::with("guest_os_type", format!("there is no family of systems `{name}`"));
        vec![problem.help("write `unix` or `windows`")]
    }

    /// Takes the one or the other.
    pub(crate) fn pick<T>(self, unix: T, windows: T) -> T {
        match self {
            Self::Unix => unix,
            Self::Windows => windows,
        }
    }
}

/// The options by which a command runs as a scheduled task of Windows.
pub(crate) fn elevation_options() -> [OptionSpec; 2] {
    [
        string("elevated_user", "The user whose scheduled task runs the command, on Windows."),
        string("elevated_password", "That user's password.").sensitive(),
    ]
}

/// Refuses those options: what cannot be tried on a real Windows is not offered.
pub(crate) fn refuse_elevation(settings: &Settings) -> Vec<Problem> {
    let is_given =
        |name: &str| settings.get(name).and_then(|value| value.as_str()).is_some_and(|text| !text.is_empty());
    let given = ["elevated_user", "elevated_password"].into_iter().find(|name| is_given(name));
    let refusal = |name| {
        Problem::with(name, "rpk does not run commands as scheduled tasks of Windows")
            .help("leave it out and log in as a user who may do what is needed, or build with Packer")
    };
    given.map(refusal).into_iter().collect()
}

/// A machine that is being prepared.
#[derive(Clone, Copy)]
pub(crate) struct Guest<'a> {
    /// The node that prepares it.
    pub(crate) ctx: &'a NodeContext,
    /// The way to it.
    pub(crate) communicator: &'a dyn Communicator,
    /// Its family of systems.
    pub(crate) system: GuestSystem,
    /// Whether commands run by `sudo`, where there is one.
    pub(crate) uses_sudo: bool,
}

impl Guest<'_> {
    /// Runs a command and returns its exit status; a lost connection is a failure.
    pub(crate) async fn run(&self, command: &str) -> Outcome<i64> {
        match self.communicator.run(self.ctx, command).await? {
            DISCONNECTED => Err(Failure::new("the connection was lost while the command ran")),
            status => Ok(status),
        }
    }

    /// Runs a command that must succeed; `what` says what it is for, as in "creating /x".
    pub(crate) async fn must_run(&self, command: &str, what: &str) -> Outcome<()> {
        match self.run(command).await.map_err(|failure| failure.context(what))? {
            0 => Ok(()),
            status => {
                let failure = Failure::new(format!("the command ended with status {status}")).exit_status(status);
                let failure = failure.context(what);
                // A shell that knows no `sudo` says so with this status.
                if status == 127 && command.starts_with("sudo ") {
                    return Err(failure.help("the machine has no `sudo`; set `prevent_sudo` or `disable_sudo`"));
                }
                Err(failure)
            }
        }
    }

    /// Makes a folder, with those above it.
    pub(crate) async fn create_folder(&self, path: &str) -> Outcome<()> {
        self.ctx.say(format!("Creating directory: {path}")).await;
        self.must_run(&self.commands().create_folder(path), &format!("creating {path}")).await
    }

    /// Makes a folder that everybody may write to: with `sudo` it is root's, and the uploads are not.
    pub(crate) async fn create_open_folder(&self, path: &str) -> Outcome<()> {
        self.create_folder(path).await?;
        match self.commands().open_to_all(path) {
            Some(command) => self.must_run(&command, &format!("opening {path} to uploads")).await,
            None => Ok(()),
        }
    }

    /// Removes a folder with all that is in it.
    pub(crate) async fn remove_folder(&self, path: &str) -> Outcome<()> {
        self.ctx.say(format!("Removing directory: {path}")).await;
        self.must_run(&self.commands().remove(path), &format!("removing {path}")).await
    }

    /// Moves a file or a folder.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Outcome<()> {
        self.ctx.say(format!("Moving {from} to {to}")).await;
        self.must_run(&self.commands().rename(from, to), &format!("moving {from} to {to}")).await
    }

    /// Puts the contents of a local folder into a folder that is there.
    pub(crate) async fn upload_contents(&self, source: &str, folder: &str) -> Outcome<()> {
        let source = if source.ends_with('/') { source.to_owned() } else { format!("{source}/") };
        self.communicator.upload_folder(self.ctx, &source, folder).await
    }

    /// Puts a local file to a path, for its owner alone to read.
    pub(crate) async fn upload(&self, source: &str, path: &str) -> Outcome<()> {
        let content = tokio::fs::read(source)
            .await
            .map_err(|error| Failure::new(error.to_string()).context(format!("reading {source}")))?;
        self.write(&content, path).await
    }

    /// Writes a file, for its owner alone to read.
    pub(crate) async fn write(&self, content: &[u8], path: &str) -> Outcome<()> {
        self.communicator.upload_file(self.ctx, FileSource::Bytes(content), path).await
    }

    fn commands(&self) -> Commands {
        Commands { system: self.system, uses_sudo: self.uses_sudo }
    }
}

/// The commands of a family of systems.
#[derive(Clone, Copy, Debug)]
struct Commands {
    system: GuestSystem,
    uses_sudo: bool,
}

impl Commands {
    fn create_folder(self, path: &str) -> String {
        match self.system {
            GuestSystem::Unix => self.as_root(format!("mkdir -p {}", quote(path))),
            GuestSystem::Windows => {
                let path = escape(path);
                powershell(&format!("New-Item -ItemType directory -Force -ErrorAction SilentlyContinue -Path {path}"))
            }
        }
    }

    fn open_to_all(self, path: &str) -> Option<String> {
        match self.system {
            GuestSystem::Unix => Some(self.as_root(format!("chmod 0777 {}", quote(path)))),
            GuestSystem::Windows => None,
        }
    }

    fn remove(self, path: &str) -> String {
        match self.system {
            GuestSystem::Unix => self.as_root(format!("rm -rf {}", quote(path))),
            GuestSystem::Windows => powershell(&format!("rm {} -recurse -force", escape(path))),
        }
    }

    fn rename(self, from: &str, to: &str) -> String {
        match self.system {
            GuestSystem::Unix => self.as_root(format!("mv {} {}", quote(from), quote(to))),
            GuestSystem::Windows => powershell(&format!("mv {} {} -force", escape(from), escape(to))),
        }
    }

    fn as_root(self, command: String) -> String {
        format!("{}{command}", sudo(self.system, self.uses_sudo))
    }
}

/// The word before a command that is to run as root, with its space.
pub(crate) fn sudo(system: GuestSystem, uses_sudo: bool) -> &'static str {
    if uses_sudo && system == GuestSystem::Unix { "sudo " } else { "" }
}

/// Quotes a word for a Unix shell.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r#"'"'"'"#))
}

fn powershell(command: &str) -> String {
    format!("powershell.exe -Command \"{command}\"")
}

/// Escapes the spaces of a path for PowerShell.
fn escape(path: &str) -> String {
    path.replace(' ', "` ")
}

/// Joins a folder of the machine and a name in it.
pub(crate) fn join(folder: &str, name: &str) -> String {
    format!("{}/{}", folder.trim_end_matches('/'), name.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_its_commands() {
        let unix = Commands { system: GuestSystem::Unix, uses_sudo: true };
        assert_eq!(unix.create_folder("/a b"), "sudo mkdir -p '/a b'");
        assert_eq!(unix.open_to_all("/a").as_deref(), Some("sudo chmod 0777 '/a'"));
        assert_eq!(unix.rename("/a", "/it's"), r#"sudo mv '/a' '/it'"'"'s'"#);
        let plain = Commands { uses_sudo: false, ..unix };
        assert_eq!(plain.remove("/a"), "rm -rf '/a'");
        let windows = Commands { system: GuestSystem::Windows, ..unix };
        assert_eq!(windows.remove("C:/a b"), "powershell.exe -Command \"rm C:/a` b -recurse -force\"");
        assert_eq!(windows.open_to_all("C:/a"), None);
    }

    #[test]
    fn names_of_systems_are_known_in_any_case() {
        for (name, problems, system) in
            [("Windows", 0, GuestSystem::Windows), ("UNIX", 0, GuestSystem::Unix), ("amiga", 1, GuestSystem::Unix)]
        {
            let settings: Settings =
                serde_json::from_value(serde_json::json!({ "guest_os_type": name })).expect("is an object");
            assert_eq!(GuestSystem::check(&settings).len(), problems, "{name}");
            assert_eq!(GuestSystem::from(name.to_owned()), system);
        }
    }

    #[test]
    fn elevation_is_refused_at_its_option() {
        let settings: Settings = serde_json::from_str(r#"{"elevated_user": "x"}"#).expect("is an object");
        assert_eq!(refuse_elevation(&settings)[0].option.as_deref(), Some("elevated_user"));
        assert_eq!(refuse_elevation(&Settings::new()), []);
    }
}
