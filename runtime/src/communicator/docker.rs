//! Commands and files to and from a container, through its engine.

use std::io;
use std::path::{Path, PathBuf};

use bollard::body_try_stream;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;

use super::container::{RUN, RUN_SCRIPT, RUN_WRITTEN_SCRIPT, WRITE_FAILED, WRITE_SCRIPT};
use super::container::{append_bytes, append_file, first_file, line_count, split_path};
use super::{Communicator, FileSource, Pipes, RemoteScript};
use crate::context::NodeContext;
use crate::docker::{Engine, explain, read_tar, tar_stream};
use crate::failure::{Failure, Outcome};

/// A container as provisioners see it.
pub struct DockerCommunicator {
    engine: Engine,
    container: String,
    exec_user: Option<String>,
    upload_owner: Option<String>,
    has_terminal: bool,
    memory: Vec<String>,
}

impl DockerCommunicator {
    /// Makes a communicator for a running container.
    ///
    /// `upload_owner` is the user that uploaded files are given to, empty for root; none leaves their owner alone.
    /// `memory` lists the paths at which the container has a memory file system.
    #[must_use]
    pub fn new(
        engine: Engine,
        container: String,
        exec_user: Option<String>,
        upload_owner: Option<String>,
        has_terminal: bool,
        memory: Vec<String>,
    ) -> Self {
        Self { engine, container, exec_user, upload_owner, has_terminal, memory }
    }

    /// Runs a program in the container with this standard input and returns its exit status.
    async fn exec(&self, ctx: &NodeContext, words: Vec<String>, user: Option<String>, input: Vec<u8>) -> Outcome<i64> {
        self.exec_with(ctx, words, user, Some(input), None).await
    }

    /// Runs a program in the container, with a standard input or with a terminal, and returns its exit status.
    ///
    /// With pipes, more input follows, and output goes there in place of the node's.
    async fn exec_with(
        &self,
        ctx: &NodeContext,
        words: Vec<String>,
        user: Option<String>,
        input: Option<Vec<u8>>,
        pipes: Option<Pipes>,
    ) -> Outcome<i64> {
        let client = self.engine.client();
        let has_terminal = input.is_none();
        let options = CreateExecOptions {
            attach_stdin: Some(!has_terminal),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(has_terminal),
            cmd: Some(words),
            user,
            ..CreateExecOptions::default()
        };
        let failed = |error: bollard::errors::Error| explain(&error).context("running a command in the container");
        let created = client.create_exec(&self.container, options).await.map_err(failed)?;
        let start = StartExecOptions { tty: has_terminal, ..StartExecOptions::default() };
        let StartExecResults::Attached { output: mut stream, input: mut stdin } =
            client.start_exec(&created.id, Some(start)).await.map_err(failed)?
        else {
            return Err(Failure::new("the engine did not attach to the command"));
        };
        let (mut more, piped) = match pipes {
            Some(pipes) => (pipes.stdin, Some((pipes.stdout, pipes.stderr))),
            None => (None, None),
        };
        let write = async {
            // A command may end without reading its input; that is its own affair.
            if let Some(input) = input
                && stdin.write_all(&input).await.is_ok()
            {
                while let Some(more) = &mut more
                    && let Some(piece) = more.recv().await
                    && stdin.write_all(&piece).await.is_ok()
                {}
                let _ = stdin.shutdown().await;
            }
        };
        let read = async {
            let mut output = ctx.output.command();
            while let Some(frame) = stream.next().await {
                let frame = frame.map_err(failed)?;
                if let Some((stdout, stderr)) = &piped {
                    let (to, message) = match frame {
                        LogOutput::StdErr { message } => (stderr, message),
                        LogOutput::StdOut { message } | LogOutput::Console { message } => (stdout, message),
                        LogOutput::StdIn { .. } => continue,
                    };
                    // Whoever has asked may no longer care; the command goes on.
                    let _ = to.send(message).await;
                    continue;
                }
                match frame {
                    LogOutput::StdErr { message } => output.stderr(&message).await,
                    LogOutput::StdOut { message } | LogOutput::Console { message } => output.stdout(&message).await,
                    LogOutput::StdIn { .. } => {}
                }
            }
            output.finish().await;
            Ok::<(), Failure>(())
        };
        let both = async {
            // Input that goes on after the command has ended is not waited for.
            tokio::pin!(write, read);
            tokio::select! {
                ended = &mut read => ended,
                () = &mut write => read.await,
            }
        };
        tokio::select! {
            read = both => read?,
            () = ctx.cancel.cancelled() => return Err(Failure::cancelled()),
        }
        // The stream ends a moment before the engine has taken note of the status.
        for _ in 0..200 {
            let state = client.inspect_exec(&created.id).await.map_err(failed)?;
            match (state.running, state.exit_code) {
                (Some(false) | None, Some(status)) => return Ok(status),
                _ => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            }
        }
        Err(Failure::new("the engine does not say how the command ended"))
    }

    /// Gives an uploaded path to the container's user, as Packer does: the owner changes, the group stays.
    async fn give_to_user(&self, ctx: &NodeContext, path: &str) -> Outcome<()> {
        let Some(owner) = self.upload_owner.as_deref() else {
            return Ok(());
        };
        let owner = if owner.is_empty() { "root" } else { owner };
        let words = ["/bin/sh", "-c", r#"chown -R "$1" "$2""#, "sh", owner, path].map(str::to_owned);
        match self.exec(ctx, words.to_vec(), Some("root".to_owned()), Vec::new()).await? {
            0 => Ok(()),
            status => {
                Err(Failure::new(format!("chown ended with status {status}"))
                    .context(format!("giving {path} to {owner}")))
            }
        }
    }

    async fn upload(
        &self,
        ctx: &NodeContext,
        folder: &str,
        write: impl FnOnce(&mut tar::Builder<crate::docker::PieceWriter>) -> io::Result<()> + Send + 'static,
    ) -> Outcome<()> {
        // The engine would put the files below the memory file system: into the image and out of the scripts' sight.
        if let Some(memory) = self.memory.iter().find(|memory| Path::new(folder).starts_with(memory)) {
            return Err(Failure::new(format!("{memory} is a memory file system, which the engine cannot write to"))
                .help("upload to another folder and have a script copy the files"));
        }
        // Without the second option, a file silently takes the place of a folder with all that is in it.
        let options = UploadToContainerOptionsBuilder::default().path(folder).no_overwrite_dir_non_dir("true").build();
        let (archive, problem) = tar_stream(write);
        let upload = self.engine.client().upload_to_container(&self.container, Some(options), body_try_stream(archive));
        tokio::select! {
            uploaded = upload => uploaded.map_err(|error| match problem.get() {
                Some(problem) => Failure::new(problem.as_str()),
                None => explain(&error),
            }),
            () = ctx.cancel.cancelled() => Err(Failure::cancelled()),
        }
    }

    /// Tells whether a path of the container is a folder or leads to one; none if there is nothing.
    async fn is_folder(&self, path: &str) -> Outcome<Option<bool>> {
        // Bits of Go's file mode.
        const FOLDER: u32 = 1 << 31;
        const SYMLINK: u32 = 1 << 27;
        let mut path = path.to_owned();
        // The engine names a link's target as a path of the container, resolved as far as it exists.
        for _ in 0..2 {
            let options = ContainerArchiveInfoOptionsBuilder::default().path(&path).build();
            match self.engine.client().get_container_archive_info(&self.container, Some(options)).await {
                Ok(info) if info.file_mode & SYMLINK != 0 && !info.link_target.is_empty() => path = info.link_target,
                Ok(info) => return Ok(Some(info.file_mode & FOLDER != 0)),
                Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
                Err(error) => return Err(explain(&error)),
            }
        }
        Ok(Some(false))
    }

    /// Files owned by root need no second request: that is what their archive says.
    fn is_owned_by_root(&self) -> bool {
        self.upload_owner.as_deref().is_some_and(|owner| matches!(owner, "" | "0" | "root" | "0:0" | "root:root"))
    }
}

impl Communicator for DockerCommunicator {
    fn run<'a>(&'a self, ctx: &'a NodeContext, command: &'a str) -> BoxFuture<'a, Outcome<i64>> {
        async move {
            let words = ["/bin/sh", "-c", RUN, "sh", &line_count(command)].map(str::to_owned);
            let input = format!("{command}\n").into_bytes();
            self.exec(ctx, words.to_vec(), self.exec_user.clone(), input).await
        }
        .boxed()
    }

    fn run_piped<'a>(&'a self, ctx: &'a NodeContext, command: &'a str, pipes: Pipes) -> BoxFuture<'a, Outcome<i64>> {
        async move {
            // What follows the command on its standard input is the command's own.
            let words = ["/bin/sh", "-c", RUN, "sh", &line_count(command)].map(str::to_owned);
            let input = format!("{command}\n").into_bytes();
            self.exec_with(ctx, words.to_vec(), self.exec_user.clone(), Some(input), Some(pipes)).await
        }
        .boxed()
    }

    fn run_script<'a>(
        &'a self,
        ctx: &'a NodeContext,
        script: RemoteScript<'a>,
        accepted: &'a [i64],
    ) -> BoxFuture<'a, Outcome<i64>> {
        async move {
            let keep = if script.is_kept { "keep" } else { "remove" };
            let lines = line_count(script.command);
            let words = |program: &str, arguments: &[&str]| -> Vec<String> {
                ["/bin/sh", "-c", program, "sh"].iter().chain(arguments).map(|word| (*word).to_owned()).collect()
            };
            let accepted = accepted.iter().map(ToString::to_string);
            let mut input = format!("{}\n", script.command).into_bytes();
            input.extend_from_slice(script.content);
            let user = || self.exec_user.clone();
            let status = if self.has_terminal {
                // A terminal shows what it is given, cuts its lines and has no end: it is no way for a script.
                let write = words(WRITE_SCRIPT, &[&lines, script.path]);
                match self.exec(ctx, write, user(), input).await? {
                    0 => {
                        let mut run = words(RUN_WRITTEN_SCRIPT, &[script.path, keep]);
                        run.extend(accepted);
                        self.exec_with(ctx, run, user(), None, None).await?
                    }
                    status => status,
                }
            } else {
                let mut run = words(RUN_SCRIPT, &[&lines, script.path, keep]);
                run.extend(accepted);
                self.exec(ctx, run, user(), input).await?
            };
            let complaint = format!("rpk: cannot write {}", script.path);
            if status == WRITE_FAILED && ctx.output.last_lines().last() == Some(&complaint) {
                return Err(Failure::new(format!("cannot write {} in the container", script.path))
                    .help("see that the folder exists and is writable, or set `remote_folder`"));
            }
            Ok(status)
        }
        .boxed()
    }

    fn upload_file<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: FileSource<'a>,
        destination: &'a str,
    ) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let (folder, name) = split_path(destination);
            let name = name.to_owned();
            let to_root = self.is_owned_by_root();
            match source {
                FileSource::Path(path) => {
                    let path = path.to_owned();
                    self.upload(ctx, folder, move |archive| append_file(archive, &path, &name)).await
                }
                FileSource::Bytes(bytes) => {
                    let bytes = bytes.to_owned();
                    self.upload(ctx, folder, move |archive| append_bytes(archive, &bytes, &name)).await
                }
            }
            .map_err(|failure| failure.context(format!("uploading to {destination} in the container")))?;
            if to_root {
                return Ok(());
            }
            self.give_to_user(ctx, destination).await
        }
        .boxed()
    }

    fn upload_folder<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a str,
    ) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let contents_only = source.ends_with('/');
            let folder = PathBuf::from(source);
            let trimmed = destination.trim_end_matches('/');
            let upload = async {
                match (self.is_folder(destination).await?, contents_only) {
                    (Some(false), _) => Err(Failure::new("there is a file, and a folder cannot take its place")),
                    (Some(true), true) => {
                        let target = if trimmed.is_empty() { "/" } else { trimmed };
                        self.upload(ctx, target, move |archive| archive.append_dir_all(".", &folder)).await
                    }
                    (Some(true), false) => {
                        let target = if trimmed.is_empty() { "/" } else { trimmed };
                        let name = folder.file_name().unwrap_or_default().to_owned();
                        self.upload(ctx, target, move |archive| archive.append_dir_all(name, &folder)).await
                    }
                    (None, _) => {
                        let (parent, name) = split_path(trimmed);
                        let name = name.to_owned();
                        self.upload(ctx, parent, move |archive| archive.append_dir_all(name, &folder)).await
                    }
                }
            };
            upload
                .await
                .map_err(|failure| failure.context(format!("uploading {source} to {destination} in the container")))?;
            self.give_to_user(ctx, destination).await
        }
        .boxed()
    }

    fn download_file<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a Path,
    ) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let destination = destination.to_owned();
            let name = source.to_owned();
            let options = DownloadFromContainerOptionsBuilder::default().path(source).build();
            let stream = self.engine.client().download_from_container(&self.container, Some(options)).boxed();
            read_tar(ctx, stream, move |mut archive| first_file(&mut archive, &name, &destination))
                .await
                .map_err(|failure| failure.context(format!("downloading {source} from the container")))
        }
        .boxed()
    }

    fn download_folder<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a Path,
    ) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let destination = destination.to_owned();
            // The archive's root is then `.`, whatever the folder is called.
            let path = format!("{}/.", source.trim_end_matches('/'));
            let options = DownloadFromContainerOptionsBuilder::default().path(&path).build();
            let stream = self.engine.client().download_from_container(&self.container, Some(options)).boxed();
            read_tar(ctx, stream, move |mut archive| {
                archive.set_preserve_permissions(true);
                archive.unpack(&destination).map_err(|error| Failure::new(error.to_string()))
            })
            .await
            .map_err(|failure| failure.context(format!("downloading {source} from the container")))
        }
        .boxed()
    }
}
