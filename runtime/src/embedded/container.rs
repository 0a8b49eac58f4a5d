//! A container: an image's layers, a sandbox over them, and the layers that its commands make.
//!
//! Between two provisioners the sandbox ends and what has changed becomes a layer: by a rename, whatever its size. The
//! next command gets a sandbox of its own. So nothing that a provisioner left running is there for the next one, and a
//! build that goes on from a stored state is equal to one that comes along.

use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::pipe::PipeFlags;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::Mutex;

use super::copy::copy_attributes;
use super::engine::{Engine, Image, blocking};
use super::image::{History, RunConfig, id_of};
use super::layer::look::look;
use super::sandbox::Sandbox;
use super::sandbox::protocol::{Bind, Command, FILE, FOLDER, NOTHING, Request, Spec};
use super::settings::Names;
use super::store::{LayerMeta, StoredImage, Workplace, boot_id};
use super::trouble::Doing as _;
use super::{changes, rootless, save};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// How many layers a container may have; the kernel takes 500, and there are two more.
const MAX_LAYERS: usize = 490;

/// How much room must be left for what a command wrote to be trusted: a program that meets a full disk may go on as if
/// nothing had happened.
const LEAST_ROOM_BYTES: u64 = 64 << 20;

/// How often that is looked at.
const ROOM_INTERVAL: Duration = Duration::from_millis(250);

/// How long output is waited for that a process which was left running may still write.
const LAST_OUTPUT: Duration = Duration::from_millis(100);

/// A container.
pub struct Container {
    engine: Engine,
    id: String,
    base: Image,
    /// How the container runs.
    config: RunConfig,
    spec: Spec,
    place: Workplace,
    state: Mutex<State>,
    /// Keeps others from removing its layers.
    _held: fs::File,
}

struct State {
    layers: Vec<String>,
    sandbox: Option<Sandbox>,
    upper: PathBuf,
    /// How many sandboxes there were.
    count: usize,
}

/// What a container's image is to have beside its files.
#[derive(Clone, Debug, Default)]
pub struct Captured<'a> {
    /// Instructions.
    pub changes: &'a [String],
    /// Who made it.
    pub author: Option<&'a str>,
    /// A remark.
    pub message: Option<&'a str>,
}

impl Container {
    /// Starts a container over layers that lie on an image's.
    pub async fn start(
        engine: Engine,
        names: Names,
        base: Image,
        layers: Vec<String>,
        config: RunConfig,
        mut spec: Spec,
    ) -> Outcome<Self> {
        let Names { id, hosts, dns } = names;
        if rootless::is_needed() {
            return Err(Failure::new("just root, be it of a user namespace, can start a container"));
        }
        let held = engine.store().hold()?;
        let place = engine.store().workplace()?;
        spec.merged = place.path().join("merged");
        fs::create_dir(&spec.merged).doing(|| "making a folder for the container")?;
        spec.files = files(place.path(), &spec.hostname, &hosts, &dns)?;
        for (number, volume) in spec.volumes.iter_mut().enumerate() {
            volume.source = place.path().join(format!("volume-{number}"));
            fs::create_dir(&volume.source).doing(|| "making a folder for the container")?;
        }
        spec.is_rootless = crate::embedded::rootless::is_inside();
        let upper = place.path().join("upper-0");
        let container = Self {
            engine,
            id,
            base,
            config,
            spec,
            place,
            state: Mutex::new(State { layers, sandbox: None, upper: upper.clone(), count: 0 }),
            _held: held,
        };
        let mut state = container.state.lock().await;
        container.new_upper(&state)?;
        container.begin(&mut state).await?;
        drop(state);
        Ok(container)
    }

    /// Returns its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns how it runs.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Tells whether folders of it are no part of an image of it: another container would not have them.
    pub fn has_mounts(&self, own_tmpfs: &str) -> bool {
        let spec = &self.spec;
        !spec.binds.is_empty() || !spec.volumes.is_empty() || spec.tmpfs.iter().any(|(target, _)| target != own_tmpfs)
    }

    /// Returns the folders of its layers, the topmost first.
    fn folders(&self, layers: &[String]) -> Vec<PathBuf> {
        layers.iter().rev().map(|layer| self.engine.store().diff(layer)).collect()
    }

    /// Makes the folder for changes, which looks from above as the layers' root does.
    fn new_upper(&self, state: &State) -> Outcome<()> {
        fs::create_dir(&state.upper).doing(|| format!("making {}", state.upper.display()))?;
        match self.folders(&state.layers).first() {
            Some(below) => copy_attributes(below, &state.upper).doing(|| "taking over the root folder's attributes"),
            None => Ok(()),
        }
    }

    /// Starts a sandbox if none runs.
    async fn begin<'s>(&self, state: &'s mut State) -> Outcome<&'s mut Sandbox> {
        if state.sandbox.is_none() {
            let mut layers = self.folders(&state.layers);
            if layers.len() > MAX_LAYERS {
                return Err(Failure::new(format!(
                    "the image has {} layers, and the kernel takes {MAX_LAYERS}",
                    layers.len()
                ))
                .help("build from an image with fewer layers: `docker export` and `rootfs:` make one of all"));
            }
            let folder = |name: &str| self.place.path().join(format!("{name}-{}", state.count));
            if let Some(init) = mount_points(&layers, &folder("init"))? {
                layers.insert(0, init);
            }
            // The kernel refuses to use this folder again after a mount that it did not have to write to the disk.
            let work = folder("work");
            fs::create_dir(&work).doing(|| format!("making {}", work.display()))?;
            state.count += 1;
            let spec = Spec { layers, upper: state.upper.clone(), work, ..self.spec.clone() };
            state.sandbox = Some(Sandbox::start(spec).await?);
        }
        state.sandbox.as_mut().ok_or_else(|| Failure::new("there is no sandbox"))
    }

    /// Runs a command with this standard input; its output is the node's. Returns its exit status.
    pub async fn run(&self, ctx: &NodeContext, words: Vec<String>, user: Option<&str>, input: &[u8]) -> Outcome<i64> {
        let command = self.command(words, user);
        let (stdin, to_stdin) = pipe()?;
        let (from_stdout, stdout) = pipe()?;
        let (from_stderr, stderr) = pipe()?;
        let to_stdin = Sender::from_owned_fd(to_stdin).doing(|| "making a pipe")?;
        let out = Receiver::from_owned_fd(from_stdout).doing(|| "making a pipe")?;
        let err = Receiver::from_owned_fd(from_stderr).doing(|| "making a pipe")?;
        let write = async move {
            let mut to_stdin = to_stdin;
            // A command may end without reading its input; that is its own affair.
            let _ = to_stdin.write_all(input).await;
        };
        self.perform(ctx, Request::Run(command), [stdin, stdout, stderr], write, read(ctx, out, err)).await
    }

    /// Runs a command on this program's own standard streams; returns its exit status.
    pub async fn attach(&self, words: Vec<String>, user: Option<&str>) -> Outcome<i64> {
        let request = Request::Run(self.command(words, user));
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let mut state = self.state.lock().await;
        let sandbox = self.begin(&mut state).await?;
        sandbox.perform(&request, [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]).await.map(i64::from)
    }

    fn command(&self, words: Vec<String>, user: Option<&str>) -> Command {
        Command {
            words,
            env: self.config.env.clone(),
            folder: self.config.working_dir.clone(),
            user: user.unwrap_or(&self.config.user).to_owned(),
            ..Command::default()
        }
    }

    /// Has a sandbox do something, while its input is written and its output is read.
    async fn perform(
        &self,
        ctx: &NodeContext,
        request: Request,
        stdio: [OwnedFd; 3],
        write: impl Future<Output = ()>,
        read: impl Future<Output = ()>,
    ) -> Outcome<i64> {
        let mut state = self.state.lock().await;
        let sandbox = self.begin(&mut state).await?;
        let done = async move {
            let fds = [stdio[0].as_fd(), stdio[1].as_fd(), stdio[2].as_fd()];
            let asked = sandbox.perform(&request, fds);
            // What the sandbox has, it has by itself: the streams must end when the command does.
            let done = asked.await;
            drop(stdio);
            done
        };
        let all = async {
            tokio::pin!(read);
            tokio::pin!(write);
            tokio::pin!(done);
            let mut is_written = false;
            let mut is_read = false;
            let mut was_full = false;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(ROOM_INTERVAL), if !was_full => was_full = self.is_full(),
                    done = &mut done => {
                        if was_full || self.is_full() {
                            return Err(self.full());
                        }
                        if !is_read {
                            // Something that was left running may hold the streams for ever.
                            let _ = tokio::time::timeout(LAST_OUTPUT, &mut read).await;
                        }
                        return done;
                    }
                    () = &mut write, if !is_written => is_written = true,
                    () = &mut read, if !is_read => is_read = true,
                }
            }
        };
        let done = tokio::select! {
            done = all => Some(done),
            () = ctx.cancel.cancelled() => None,
        };
        match done {
            Some(Ok(status)) => Ok(i64::from(status)),
            Some(Err(failure)) => {
                // Whatever went wrong, the next command gets a new one.
                state.sandbox = None;
                Err(failure)
            }
            None => {
                if let Some(sandbox) = state.sandbox.take() {
                    sandbox.end().await?;
                }
                Err(Failure::cancelled())
            }
        }
    }

    fn is_full(&self) -> bool {
        let found = rustix::fs::statvfs(self.place.path());
        found.is_ok_and(|found| found.f_bavail * found.f_frsize < LEAST_ROOM_BYTES)
    }

    fn full(&self) -> Failure {
        let root = self.engine.store().root().display();
        Failure::new(format!("the file system of {root} is full"))
            .help("make room there; `rpk cache prune -max-size=1G` gives back what stored states take")
    }

    /// Unpacks an archive, which `write` makes, into a folder.
    pub async fn put(
        &self,
        ctx: &NodeContext,
        folder: &str,
        owner: Option<(String, String)>,
        write: impl FnOnce(fs::File) -> std::io::Result<()> + Send + 'static,
    ) -> Outcome<()> {
        let (stdin, to_stdin) = pipe()?;
        let problem = std::sync::Arc::new(std::sync::OnceLock::new());
        let kept = problem.clone();
        let writing = tokio::task::spawn_blocking(move || match write(fs::File::from(to_stdin)) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                let _ = kept.set(error.to_string());
            }
            _ => {}
        });
        let write = async move {
            let _ = writing.await;
        };
        let request = Request::Put { folder: folder.to_owned(), owner };
        let done = self.serve(ctx, request, stdin, null()?, write).await;
        match problem.get() {
            Some(problem) => Err(Failure::new(problem.as_str())),
            None => done,
        }
    }

    /// Has a file or a folder's contents packed into an archive, which `read` takes.
    pub async fn get<T: Send + 'static>(
        &self,
        ctx: &NodeContext,
        path: &str,
        is_folder: bool,
        read: impl FnOnce(fs::File) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (from_stdout, stdout) = pipe()?;
        let reading = tokio::task::spawn_blocking(move || read(fs::File::from(from_stdout)));
        let request = Request::Get { path: path.to_owned(), is_folder };
        self.serve(ctx, request, null()?, stdout, async {}).await?;
        reading.await.map_err(|error| Failure::new(error.to_string()))?
    }

    /// Tells whether a path is a folder or leads to one; none if there is nothing.
    pub async fn is_folder(&self, ctx: &NodeContext, path: &str) -> Outcome<Option<bool>> {
        let request = Request::Look { path: path.to_owned() };
        let done = self.perform(ctx, request, [null()?, null()?, null()?], async {}, async {}).await?;
        match i32::try_from(done) {
            Ok(NOTHING) => Ok(None),
            Ok(FILE) => Ok(Some(false)),
            Ok(FOLDER) => Ok(Some(true)),
            _ => Err(Failure::new("the sandbox gave a senseless answer")),
        }
    }

    /// Has something done whose complaints are the failure.
    async fn serve(
        &self,
        ctx: &NodeContext,
        request: Request,
        stdin: OwnedFd,
        stdout: OwnedFd,
        write: impl Future<Output = ()>,
    ) -> Outcome<()> {
        let (from_stderr, stderr) = pipe()?;
        let err = Receiver::from_owned_fd(from_stderr).doing(|| "making a pipe")?;
        let mut complaint = Vec::new();
        let read = async {
            let mut err = err.take(16 * 1024);
            let _ = err.read_to_end(&mut complaint).await;
        };
        match self.perform(ctx, request, [stdin, stdout, stderr], write, read).await? {
            0 => Ok(()),
            status if complaint.is_empty() => Err(Failure::new(format!("it ended with status {status}"))),
            _ => Err(Failure::new(String::from_utf8_lossy(&complaint).trim())),
        }
    }

    /// Ends what runs, and makes a layer of what has changed.
    pub async fn settle(&self) -> Outcome<()> {
        let mut state = self.state.lock().await;
        if let Some(sandbox) = state.sandbox.take() {
            sandbox.end().await?;
        }
        let upper = state.upper.clone();
        if fs::read_dir(&upper).doing(|| format!("reading {}", upper.display()))?.next().is_none() {
            return Ok(());
        }
        let layer = uuid::Uuid::new_v4().simple().to_string();
        let meta = LayerMeta { size: size_of(&upper), unsynced: Some(boot_id()), ..LayerMeta::default() };
        self.engine.store().adopt(&self.place, &upper, &layer, &meta)?;
        state.layers.push(layer);
        state.upper = self.place.path().join(format!("upper-{}", state.count));
        self.new_upper(&state)
    }

    /// Keeps its state under a name; returns the state's id and the bytes that it takes beside the image.
    pub async fn keep(&self, name: &str) -> Outcome<(String, u64)> {
        self.settle().await?;
        let state = self.state.lock().await;
        let id = self.engine.keep(name, &self.base.image, &state.layers)?;
        let last = state.layers.last().filter(|layer| !self.base.image.layers.contains(layer));
        let size = last.and_then(|layer| self.engine.store().layer(layer)).map_or(0, |meta| meta.size);
        Ok((id, size))
    }

    /// Makes an image of its state; returns its id.
    pub async fn commit(&self, captured: &Captured<'_>) -> Outcome<String> {
        self.settle().await?;
        let layers = self.state.lock().await.layers.clone();
        let mut config = self.base.image.config.clone();
        config.config = self.config.clone();
        changes::apply(&mut config.config, captured.changes)?;
        let now = self.engine.now();
        config.created = Some(now.clone());
        config.author = captured.author.unwrap_or_default().to_owned();
        for gone in ["container", "container_config", "docker_version", "id", "parent"] {
            config.other.remove(gone);
        }
        let new = layers[self.base.image.layers.len()..].to_vec();
        let (store, latest) = (self.engine.store().clone(), self.engine.latest());
        let count = new.len();
        let archives = blocking(move || {
            new.iter().map(|layer| save::layer_archive(&store, layer, latest)).collect::<Outcome<Vec<_>>>()
        })
        .await?;
        config.rootfs.diff_ids.extend(archives.into_iter().map(|archive| archive.diff_id));
        for number in 0..count.max(1) {
            let is_last = number + 1 >= count;
            config.history.push(History {
                created: Some(now.clone()),
                created_by: "/bin/sh".to_owned(),
                author: if is_last { config.author.clone() } else { String::new() },
                comment: if is_last { captured.message.unwrap_or_default().to_owned() } else { String::new() },
                empty_layer: count == 0,
                ..History::default()
            });
        }
        let text = config.text();
        let id = id_of(&text);
        let image = StoredImage { config, layers, digests: Vec::new(), config_text: Some(text) };
        self.engine.store().write_image(&id, &image)?;
        Ok(id)
    }

    /// Writes its whole file system to a file.
    pub async fn export(&self, ctx: &NodeContext, path: &Path) -> Outcome<()> {
        self.settle().await?;
        let layers = self.state.lock().await.layers.clone();
        let mut folders = self.folders(&layers);
        if let Some(init) = mount_points(&folders, &self.place.path().join("init-export"))? {
            folders.insert(0, init);
        }
        let latest = self.engine.latest();
        super::engine::appear(ctx, path, move |path| save::export(&folders, latest, path)).await
    }

    /// Ends what runs in it, and lets its layers reach the disk.
    pub async fn end(&self) -> Outcome<()> {
        let mut state = self.state.lock().await;
        if let Some(sandbox) = state.sandbox.take() {
            sandbox.end().await?;
        }
        let (store, layers) = (self.engine.store().clone(), state.layers.clone());
        blocking(move || store.sync(&layers)).await
    }
}

/// Makes the files that the machine's own stand in for; they are copies, since root of a sandbox may write to them.
fn files(folder: &Path, hostname: &str, hosts: &[String], dns: &[String]) -> Outcome<Vec<Bind>> {
    let mut names = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    names.push_str(&format!("127.0.1.1\t{hostname}\n"));
    for host in hosts {
        let (name, address) = host.split_once(':').unwrap_or((host, ""));
        names.push_str(&format!("{address}\t{name}\n"));
    }
    let resolver = if dns.is_empty() {
        fs::read_to_string("/etc/resolv.conf").unwrap_or_default()
    } else {
        dns.iter().map(|server| format!("nameserver {server}\n")).collect()
    };
    let mut files = Vec::new();
    for (name, text) in [("hosts", names), ("hostname", format!("{hostname}\n")), ("resolv.conf", resolver)] {
        let source = folder.join(name);
        fs::write(&source, text).doing(|| format!("writing {}", source.display()))?;
        fs::set_permissions(&source, std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .doing(|| format!("writing {}", source.display()))?;
        files.push(Bind { source, target: format!("/etc/{name}"), is_read_only: false });
    }
    Ok(files)
}

/// Makes, below everything that a container changes, what its system folders are mounted on, as far as the layers do
/// not have it. What is made there is no part of any layer.
fn mount_points(layers: &[PathBuf], folder: &Path) -> Outcome<Option<PathBuf>> {
    let mut is_used = false;
    let making = || format!("making {}", folder.display());
    let find = |path: &str| look(layers, path);
    for name in ["proc", "sys", "dev"] {
        if !find(name).is_some_and(|(_, found)| found.is_dir()) {
            fs::create_dir_all(folder.join(name)).doing(making)?;
            is_used = true;
        }
    }
    for name in ["hosts", "hostname", "resolv.conf"] {
        let path = format!("etc/{name}");
        if find(&path).is_some_and(|(_, found)| found.is_file()) {
            continue;
        }
        fs::create_dir_all(folder.join("etc")).doing(making)?;
        fs::write(folder.join(&path), "").doing(making)?;
        is_used = true;
    }
    if !is_used {
        return Ok(None);
    }
    // Seen from above, these folders are what they are below.
    for name in ["etc", ""] {
        if let Some((below, found)) = find(name)
            && found.is_dir()
            && folder.join(name).exists()
        {
            copy_attributes(&below, &folder.join(name)).doing(making)?;
        }
    }
    Ok(Some(folder.to_owned()))
}

/// Adds up the bytes of a folder's files.
fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size_of(&entry.path()),
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

/// Makes a pipe: its reading and its writing end.
fn pipe() -> Outcome<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).doing(|| "making a pipe")
}

fn null() -> Outcome<OwnedFd> {
    fs::File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from).doing(|| "opening /dev/null")
}

/// Hands a command's output on to the node's, until both streams have ended.
async fn read(ctx: &NodeContext, mut out: Receiver, mut err: Receiver) {
    let mut output = ctx.output.command();
    let (mut from_out, mut from_err) = (vec![0; 32 * 1024], vec![0; 32 * 1024]);
    let (mut is_out_open, mut is_err_open) = (true, true);
    while is_out_open || is_err_open {
        tokio::select! {
            read = out.read(&mut from_out), if is_out_open => match read {
                Ok(count) if count > 0 => output.stdout(&from_out[..count]).await,
                _ => is_out_open = false,
            },
            read = err.read(&mut from_err), if is_err_open => match read {
                Ok(count) if count > 0 => output.stderr(&from_err[..count]).await,
                _ => is_err_open = false,
            },
        }
    }
    output.finish().await;
}
