//! A real SSH server of a test's own: its port, its keys, its user.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::Sandbox;

/// The password of the server's user.
pub const PASSWORD: &str = "pass-w0rd-of-the-test";

/// Only one program at a time changes the list of users.
static USERS: Mutex<()> = Mutex::new(());

/// A server that ends with the test, and its user with it.
pub struct Sshd {
    child: Option<Child>,
    folder: PathBuf,
    /// The port that it listens on.
    pub port: u16,
    /// The user, who has a password and, in `id`, a key.
    pub user: String,
    /// Whether the user is this server's to remove.
    owns_user: bool,
}

impl Sshd {
    /// Starts a server with a user; `lines` come first in its configuration, and so win.
    pub fn start(sandbox: &Sandbox, lines: &str) -> Self {
        let user = format!("rpk-{}", sandbox.unique.replace('-', ""));
        let user = user[..user.len().min(31)].to_owned();
        let users = USERS.lock().unwrap_or_else(PoisonError::into_inner);
        must(Command::new("useradd").args(["-m", "-s", "/bin/bash", &user]));
        let mut child = Command::new("chpasswd").stdin(Stdio::piped()).spawn().expect("chpasswd is installed");
        let stdin = child.stdin.as_mut().expect("the input is piped");
        writeln!(stdin, "{user}:{PASSWORD}").expect("chpasswd reads");
        assert!(child.wait().expect("chpasswd ends").success());
        drop(users);
        let mut server = Self::start_for(sandbox, "sshd", &user, lines);
        server.owns_user = true;
        server
    }

    /// Starts a further server for the same user.
    pub fn start_for(sandbox: &Sandbox, name: &str, user: &str, lines: &str) -> Self {
        let folder = sandbox.outside(name);
        std::fs::create_dir(&folder).expect("the folder is writable");
        std::fs::create_dir_all("/run/sshd").expect("the folder is writable");
        let key = folder.join("host");
        make_key(&key, &["-t", "ed25519"]);
        let id = folder.join("id");
        make_key(&id, &["-t", "ed25519"]);
        std::fs::copy(folder.join("id.pub"), folder.join("authorized_keys")).expect("the folder is writable");
        let port = free_port();
        let mut server = Self { child: None, folder, port, user: user.to_owned(), owns_user: false };
        server.configure(lines);
        server.run();
        server
    }

    fn configure(&self, lines: &str) {
        let folder = self.folder.display();
        let text = format!(
            "{lines}\nPort {}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM yes\n\
             AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPasswordAuthentication yes\n\
             KbdInteractiveAuthentication yes\nPermitRootLogin yes\nSubsystem sftp internal-sftp\nMaxStartups 100\n",
            self.port
        );
        std::fs::write(self.folder.join("sshd_config"), text).expect("the folder is writable");
    }

    /// Starts the server, which must not be running.
    pub fn run(&mut self) {
        let mut command = Command::new("/usr/sbin/sshd");
        command.arg("-D").arg("-f").arg(self.path("sshd_config")).arg("-E").arg(self.path("log"));
        self.child = Some(command.spawn().expect("sshd is installed"));
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("sshd does not start: {}", std::fs::read_to_string(self.path("log")).unwrap_or_default());
    }

    /// Kills the server and everything that serves a connection, as when its machine goes down.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nobody new is let in meanwhile.
            let _ = Command::new("kill").args(["-STOP", &child.id().to_string()]).status();
            // Servers go before what they run: nobody is left to tell how a command ended.
            let all = descendants(child.id()).into_iter().map(|pid| pid.to_string());
            let _ = Command::new("kill").arg("-9").args(all).stderr(Stdio::null()).status();
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Gives the server another host key; it takes effect with the next start.
    pub fn change_host_key(&self) {
        std::fs::remove_file(self.path("host")).expect("there is a key");
        make_key(&self.path("host"), &["-t", "ed25519"]);
    }

    /// Returns a path in the server's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes a `null` builder that reaches the server as its user with these further options.
    pub fn builder(&self, options: &Json) -> Json {
        let mut builder = json!({
            "type": "null", "ssh_host": "127.0.0.1", "ssh_port": self.port, "ssh_username": self.user,
            "ssh_timeout": "20s",
        });
        for (name, value) in options.as_object().expect("options are an object") {
            builder[name] = value.clone();
        }
        builder
    }

    /// Makes one that logs in by the key.
    pub fn builder_with_key(&self, options: &Json) -> Json {
        let mut builder = self.builder(options);
        builder["ssh_private_key_file"] = json!(self.path("id"));
        builder
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
        if self.owns_user {
            let _users = USERS.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = Command::new("userdel").args(["-rf", &self.user]).stderr(Stdio::null()).status();
        }
    }
}

/// Makes a key pair without a passphrase.
pub fn make_key(path: &Path, options: &[&str]) {
    must(Command::new("ssh-keygen").args(["-q", "-N", "", "-f"]).arg(path).args(options));
}

/// Runs a program that must succeed.
pub fn must(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Finds a port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free").port()
}

/// Lists the processes below one, each before those below it.
fn descendants(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|word| word.parse().ok());
    children.flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}
