//! What the tests of the binary share: a folder and an image of their own, running programs, looking at images.
//!
//! Whatever a test makes in the engine carries the test's label or name, and its [`Sandbox`] removes it, passed or
//! failed.

#![allow(dead_code, reason = "each test program uses a part of this")]

pub mod building;
pub mod engine;
pub mod sshd;
pub mod tree;

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub use engine::docker;

/// How long any program may run before the test gives up on it.
const LIMIT: Duration = Duration::from_secs(90);

/// The label of every container and image of a test.
pub const LABEL: &str = "rpk-test.run";

/// A test's own folder and base image.
pub struct Sandbox {
    folder: TempDir,
    /// A word that no other test has.
    pub unique: String,
    /// The image to start from: busybox with the test's label, which containers and commits inherit.
    pub image: String,
    uses_engine: bool,
}

impl Sandbox {
    /// Makes a sandbox.
    pub fn new() -> Self {
        let sandbox = Self::without_image();
        engine::label_image("rpk-test/busybox", &sandbox.image, &format!("LABEL {LABEL}={}", sandbox.unique));
        sandbox
    }

    /// Makes a sandbox for a test that needs no image.
    pub fn without_image() -> Self {
        let folder = tempfile::Builder::new().prefix("rpk-test-").tempdir().expect("a temporary folder can be made");
        for name in ["home", "tmp", "work"] {
            std::fs::create_dir(folder.path().join(name)).expect("the folder is writable");
        }
        let time = std::time::UNIX_EPOCH.elapsed().expect("it is later than 1970");
        let unique = format!("{:x}-{:x}", std::process::id(), time.as_nanos() & 0xff_ffff_ffff);
        let image = format!("rpk-test/base:{unique}");
        Self { folder, unique, image, uses_engine: true }
    }

    /// Makes a sandbox for a test that needs no engine at all.
    pub fn without_engine() -> Self {
        let mut sandbox = Self::without_image();
        sandbox.uses_engine = false;
        sandbox
    }

    /// Returns a path in the folder that programs run in.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// Returns a path beside the folder that programs run in.
    pub fn outside(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).expect("the folder is writable");
    }

    /// Writes a template.
    pub fn template(&self, template: &serde_json::Value) {
        self.write("template.json", template.to_string());
    }

    /// Prepares a program with nothing of the caller's environment but what reaches the engine.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().current_dir(self.path("")).stdin(Stdio::null());
        for name in ["PATH", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "CONTAINERS_CONF"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", self.outside("home")).env("TMPDIR", self.outside("tmp"));
        // What is installed on the machine must not change what templates come to.
        command.env("RPK_PLUGINS", "off");
        command.env("RPK_ENGINE", "docker");
        command.env("CHECKPOINT_DISABLE", "1").env("PACKER_CONFIG_DIR", self.outside("home"));
        command
    }

    /// Prepares rpk.
    pub fn rpk(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_rpk"));
        command.args(arguments);
        command
    }

    /// Writes a template and applies it.
    pub fn apply(&self, template: &serde_json::Value, flags: &[&str]) -> Ended {
        self.template(template);
        let mut arguments = vec!["apply"];
        arguments.extend(flags);
        arguments.push("template.json");
        run(&mut self.rpk(&arguments))
    }

    /// Lists the containers that there are of this test.
    pub fn containers(&self) -> Vec<String> {
        engine::lines(&["ps", "-aq", "--filter", &self.filter()])
    }

    /// Says how to find what is this test's.
    pub fn filter(&self) -> String {
        format!("label={LABEL}={}", self.unique)
    }

    /// Lists the names of images that contain this test's unique word.
    pub fn image_names(&self) -> Vec<String> {
        let mut names = engine::lines(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
        names.retain(|name| name.contains(&self.unique) && *name != self.image);
        names.sort();
        names
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if !self.uses_engine {
            return;
        }
        engine::remove("rm", &engine::lines(&["ps", "-aq", "--filter", &self.filter()]));
        let mut images = self.image_names();
        images.push(self.image.clone());
        engine::remove("rmi", &images);
        engine::remove("rmi", &engine::lines(&["images", "-aq", "--filter", &self.filter()]));
    }
}

/// How a program ended.
pub struct Ended {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Ended {
    /// Panics with all output unless the program ended with this status.
    #[track_caller]
    pub fn expect_status(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Reads standard output as JSON lines.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let read = |line: &str| match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => panic!("not JSON: {error}: {line}"),
        };
        self.stdout.lines().map(read).collect()
    }
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Ended {
    Running::start(command).end()
}

/// A program that runs, with its output coming in.
pub struct Running {
    child: Child,
    since: Instant,
    lines: Receiver<String>,
    seen: String,
    stderr: JoinHandle<String>,
}

impl Running {
    /// Starts a program.
    pub fn start(command: &mut Command) -> Self {
        let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = child.stdout.take().expect("the output is piped");
        let mut stderr = child.stderr.take().expect("the output is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                // The test may have seen enough.
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
                line.clear();
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Self { child, since: Instant::now(), lines, seen: String::new(), stderr }
    }

    /// Waits for a line of standard output that contains a text; false if the program ends before.
    pub fn wait_for(&mut self, text: &str) -> bool {
        loop {
            match self.lines.recv_timeout(LIMIT.saturating_sub(self.since.elapsed())) {
                Ok(line) => {
                    self.seen.push_str(&line);
                    if line.contains(text) {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => self.give_up(),
            }
        }
    }

    /// Tells whether the program has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Returns the number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; one that comes too late is no failure.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process has a number");
        // The process stays a zombie until it is waited for, so its number is its own.
        let _ = kill_process(pid, signal);
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        loop {
            match self.lines.recv_timeout(LIMIT.saturating_sub(self.since.elapsed())) {
                Ok(line) => self.seen.push_str(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.give_up(),
            }
        }
        let status = self.child.wait().expect("the program can be waited for");
        let took = self.since.elapsed();
        let stderr = self.stderr.join().expect("reading does not panic");
        Ended { status: status.code(), stdout: self.seen, stderr, took }
    }

    fn give_up(&mut self) -> ! {
        let _ = self.child.kill();
        panic!("no end within {LIMIT:?}; output so far:\n{}", self.seen);
    }
}
