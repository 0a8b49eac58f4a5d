//! Commands and files to and from a container of the engine within rpk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::container::{RUN, RUN_SCRIPT, WRITE_FAILED, append_bytes, append_file, first_file, line_count, split_path};
use super::{Communicator, FileSource, RemoteScript};
use crate::context::NodeContext;
use crate::embedded::container::Container;
use crate::failure::{Failure, Outcome};

/// A container as provisioners see it.
pub struct EmbeddedCommunicator {
    container: Arc<Container>,
    exec_user: Option<String>,
    upload_owner: Option<String>,
}

impl EmbeddedCommunicator {
    /// Makes a communicator for a container.
    ///
    /// `upload_owner` is the user that uploaded files are given to, empty for root; none leaves their owner alone.
    #[must_use]
    pub fn new(container: Arc<Container>, exec_user: Option<String>, upload_owner: Option<String>) -> Self {
        Self { container, exec_user, upload_owner }
    }

    async fn exec(&self, ctx: &NodeContext, program: &str, arguments: &[&str], input: &[u8]) -> Outcome<i64> {
        let words = ["/bin/sh", "-c", program, "sh"].iter().chain(arguments).map(|word| (*word).to_owned()).collect();
        let ran = self.container.run(ctx, words, self.exec_user.as_deref(), input).await;
        ran.map_err(|failure| failure.context("running a command in the container"))
    }

    /// Puts into a folder what `write` adds to an archive; `what` of it is given to the container's user.
    async fn put(
        &self,
        ctx: &NodeContext,
        folder: &str,
        what: &str,
        write: impl FnOnce(&mut tar::Builder<io::BufWriter<std::fs::File>>) -> io::Result<()> + Send + 'static,
    ) -> Outcome<()> {
        let owner = self.upload_owner.clone().map(|owner| (what.to_owned(), owner));
        let archive = move |file| {
            let mut builder = tar::Builder::new(io::BufWriter::with_capacity(256 * 1024, file));
            // A link stays a link, wherever it leads.
            builder.follow_symlinks(false);
            write(&mut builder)?;
            io::Write::flush(&mut builder.into_inner()?)
        };
        self.container.put(ctx, folder, owner, archive).await
    }
}

impl Communicator for EmbeddedCommunicator {
    fn run<'a>(&'a self, ctx: &'a NodeContext, command: &'a str) -> BoxFuture<'a, Outcome<i64>> {
        async move {
            let input = format!("{command}\n");
            self.exec(ctx, RUN, &[&line_count(command)], input.as_bytes()).await
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
            let lines = line_count(script.command);
            let accepted: Vec<String> = accepted.iter().map(ToString::to_string).collect();
            let mut arguments = vec![lines.as_str(), script.path, if script.is_kept { "keep" } else { "remove" }];
            arguments.extend(accepted.iter().map(String::as_str));
            let mut input = format!("{}\n", script.command).into_bytes();
            input.extend_from_slice(script.content);
            let status = self.exec(ctx, RUN_SCRIPT, &arguments, &input).await?;
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
            match source {
                FileSource::Path(path) => {
                    let path = path.to_owned();
                    self.put(ctx, folder, destination, move |archive| append_file(archive, &path, &name)).await
                }
                FileSource::Bytes(bytes) => {
                    let bytes = bytes.to_owned();
                    self.put(ctx, folder, destination, move |archive| append_bytes(archive, &bytes, &name)).await
                }
            }
            .map_err(|failure| failure.context(format!("uploading to {destination} in the container")))
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
            let folder = PathBuf::from(source);
            let trimmed = destination.trim_end_matches('/');
            let whole = if trimmed.is_empty() { "/" } else { trimmed };
            let (into, name) = match (self.container.is_folder(ctx, destination).await?, source.ends_with('/')) {
                (Some(false), _) => {
                    return Err(Failure::new("there is a file, and a folder cannot take its place")
                        .context(format!("uploading {source} to {destination} in the container")));
                }
                (Some(true), true) => (whole, ".".into()),
                (Some(true), false) => (whole, folder.file_name().unwrap_or_default().to_owned()),
                (None, _) => {
                    let (parent, name) = split_path(trimmed);
                    (parent, name.into())
                }
            };
            self.put(ctx, into, destination, move |archive| archive.append_dir_all(name, &folder))
                .await
                .map_err(|failure| failure.context(format!("uploading {source} to {destination} in the container")))
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
            let (destination, name) = (destination.to_owned(), source.to_owned());
            self.container
                .get(ctx, source, false, move |file| first_file(&mut tar::Archive::new(file), &name, &destination))
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
            self.container
                .get(ctx, source, true, move |file| {
                    let mut archive = tar::Archive::new(io::BufReader::with_capacity(256 * 1024, file));
                    archive.set_preserve_permissions(true);
                    archive.unpack(&destination).map_err(|error| Failure::new(error.to_string()))
                })
                .await
                .map_err(|failure| failure.context(format!("downloading {source} from the container")))
        }
        .boxed()
    }
}
