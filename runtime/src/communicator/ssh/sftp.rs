//! Files by the server's SFTP subsystem.
//!
//! A request is answered after a while; so that the line is never idle, several are on their way at any time.

use std::path::Path;

use bytes::BytesMut;
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, FuturesUnordered};
use futures::{FutureExt as _, StreamExt as _};
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::protocol::{Data, FileAttributes, OpenFlags, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::client::limited;
use super::local::{self, ORDINARY_MODE, Step};
use crate::communicator::FileSource;
use crate::communicator::progress::Progress;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// How many bytes one request moves: what every server takes.
const PIECE_BYTES: u32 = 32 * 1024;

/// How many requests are on their way.
const REQUESTS: usize = 64;

/// How long the server may take to answer one.
const ANSWER_SECONDS: u64 = 60;

/// What is at a path of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct There {
    /// Its length.
    pub(crate) size: u64,
    /// Whether it is a folder.
    pub(crate) is_folder: bool,
}

/// A session of the subsystem.
pub(crate) struct Sftp {
    raw: RawSftpSession,
    ctx: NodeContext,
}

impl Sftp {
    /// Starts the subsystem on a fresh channel.
    ///
    /// # Errors
    ///
    /// Fails if the server has none.
    pub(crate) async fn start(ctx: &NodeContext, mut channel: Channel<Msg>) -> Outcome<Self> {
        limited(channel.request_subsystem(true, "sftp")).await.map_err(Failure::may_pass)?;
        let accepted = limited(async {
            Ok(loop {
                match channel.wait().await {
                    Some(ChannelMsg::Success) => break Some(true),
                    Some(ChannelMsg::Failure | ChannelMsg::Close) => break Some(false),
                    None => break None,
                    Some(_) => {}
                }
            })
        });
        match accepted.await? {
            Some(true) => {}
            Some(false) => {
                return Err(Failure::new("the server has no SFTP subsystem")
                    .help("leave `ssh_file_transfer_method` at `scp`, or set the server up for SFTP"));
            }
            None => return Err(Failure::new("the connection was lost").may_pass()),
        }
        let config = Config { request_timeout_secs: ANSWER_SECONDS, ..Config::default() };
        let raw = RawSftpSession::new_with_config(channel.into_stream(), config);
        raw.init().await.map_err(failed)?;
        Ok(Self { raw, ctx: ctx.clone() })
    }

    /// Tells what is at a path, links followed; none if there is nothing.
    pub(crate) async fn look(&self, path: &str) -> Outcome<Option<There>> {
        match self.raw.stat(path).await {
            Ok(found) => {
                let is_folder = found.attrs.is_dir();
                Ok(Some(There { size: found.attrs.size.unwrap_or(0), is_folder }))
            }
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Makes a folder, unless it is there; its mode changes in either case.
    pub(crate) async fn make_folder(&self, path: &str, mode: Option<u32>) -> Outcome<()> {
        if let Err(error) = self.raw.mkdir(path, FileAttributes::empty()).await
            && !self.look(path).await?.is_some_and(|there| there.is_folder)
        {
            return Err(failed(error).context(format!("making {path}")));
        }
        match mode {
            Some(mode) => self.set_mode(path, mode).await,
            None => Ok(()),
        }
    }

    async fn set_mode(&self, path: &str, mode: u32) -> Outcome<()> {
        let attributes = FileAttributes { permissions: Some(mode), ..FileAttributes::empty() };
        self.raw
            .setstat(path, attributes)
            .await
            .map(drop)
            .map_err(|error| failed(error).context(format!("changing the mode of {path}")))
    }

    /// Removes a file.
    pub(crate) async fn remove(&self, path: &str) -> Outcome<()> {
        self.raw.remove(path).await.map(drop).map_err(failed)
    }

    /// Gives a file another name, in place of what has it.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Outcome<()> {
        // The protocol's own request refuses a name that is taken.
        let mut data = Vec::new();
        for path in [from, to] {
            data.extend(u32::try_from(path.len()).unwrap_or(u32::MAX).to_be_bytes());
            data.extend_from_slice(path.as_bytes());
        }
        if self.raw.extended("posix-rename@openssh.com", data).await.is_ok_and(|answer| is_well(&answer)) {
            return Ok(());
        }
        if self.look(to).await?.is_some() {
            self.remove(to).await?;
        }
        self.raw.rename(from, to).await.map(drop).map_err(failed)
    }

    /// Puts one file, or bytes for their owner alone, to a path.
    pub(crate) async fn upload_file(&self, source: FileSource<'_>, destination: &str) -> Outcome<()> {
        match source {
            FileSource::Bytes(bytes) => {
                let handle = self.create(destination, true).await?;
                for (piece, offset) in bytes.chunks(PIECE_BYTES as usize).zip((0..).step_by(PIECE_BYTES as usize)) {
                    self.raw.write(handle.as_str(), offset, piece.to_vec()).await.map_err(failed)?;
                }
                self.raw.close(handle).await.map_err(failed)?;
                self.set_mode(destination, 0o600).await
            }
            FileSource::Path(path) => {
                let (mode, size) = local::mode_and_size(path).await?;
                self.upload_from(path, 0, size, destination).await?;
                self.set_mode(destination, mode).await
            }
        }
    }

    /// Puts a file from an offset on to a path, which keeps what it has before the offset.
    pub(crate) async fn upload_from(&self, path: &Path, offset: u64, size: u64, destination: &str) -> Outcome<()> {
        let here =
            |error: std::io::Error| Failure::new(error.to_string()).context(format!("reading {}", path.display()));
        let mut file = tokio::fs::File::open(path).await.map_err(here)?;
        file.seek(std::io::SeekFrom::Start(offset)).await.map_err(here)?;
        let mut file = local::reader(file);
        let handle = self.create(destination, offset == 0).await?;
        let name = path.to_string_lossy();
        let mut progress = Progress::new(&self.ctx, &name, offset, size);
        let mut sent = FuturesUnordered::new();
        let mut at = offset;
        while at < size {
            let room = usize::try_from(size - at).map_or(PIECE_BYTES as usize, |left| left.min(PIECE_BYTES as usize));
            let mut piece = BytesMut::with_capacity(room);
            while piece.len() < room {
                if (&mut file).take((room - piece.len()) as u64).read_buf(&mut piece).await.map_err(here)? == 0 {
                    return Err(Failure::new(format!("{} has become shorter while it was read", path.display())));
                }
            }
            if sent.len() >= REQUESTS
                && let Some(answer) = sent.next().await
            {
                Result::map_err(answer, failed)?;
            }
            sent.push(self.raw.write(handle.clone(), at, piece.to_vec()));
            at += room as u64;
            progress.advance(room).await;
        }
        while let Some(answer) = sent.next().await {
            Result::map_err(answer, failed)?;
        }
        self.raw.close(handle).await.map(drop).map_err(failed)
    }

    async fn create(&self, path: &str, is_new: bool) -> Outcome<String> {
        let flags = OpenFlags::CREATE | OpenFlags::WRITE;
        let flags = if is_new { flags | OpenFlags::TRUNCATE } else { flags };
        let opened = self.raw.open(path, flags, FileAttributes::empty()).await;
        opened.map(|opened| opened.handle).map_err(|error| failed(error).context(format!("writing {path}")))
    }

    /// Puts a folder, or its contents if the source ends with a slash.
    pub(crate) async fn upload_folder(&self, source: &str, destination: &str) -> Outcome<()> {
        let contents_only = source.ends_with('/');
        let base = destination.trim_end_matches('/');
        let mut above: Vec<String> = Vec::new();
        for step in local::walk(source).await? {
            let inside = |name: &str| match above.last() {
                Some(folder) => format!("{folder}/{name}"),
                None => format!("{base}/{name}"),
            };
            match step {
                Step::Enter { mode, name } => {
                    let is_root = above.is_empty() && contents_only;
                    let path = if is_root { base.to_owned() } else { inside(&name) };
                    if is_root && !base.is_empty() {
                        // It may be somebody else's, whose mode is not ours to change.
                        self.make_folder(&path, None).await?;
                    } else if !is_root {
                        self.make_folder(&path, Some(mode)).await?;
                    }
                    above.push(path);
                }
                Step::File { path, name, .. } => self.upload_file(FileSource::Path(&path), &inside(&name)).await?,
                Step::Leave => drop(above.pop()),
            }
        }
        Ok(())
    }

    /// Fetches one file to a path of this machine.
    pub(crate) async fn download_file(&self, source: &str, destination: &Path) -> Outcome<()> {
        if self.look(source).await?.is_some_and(|there| there.is_folder) {
            return Err(
                Failure::new(format!("{source} is a folder")).help("end `source` with `/` to download a folder")
            );
        }
        let mut reading = self.read(source).await?;
        let mut progress = Progress::new(&self.ctx, source, 0, reading.size);
        let sink = local::create(destination, ORDINARY_MODE)?;
        while let Some(piece) = reading.next().await? {
            progress.advance(piece.len()).await;
            if !sink.take(piece.into()).await {
                break;
            }
        }
        sink.finish().await
    }

    /// Starts to read a file.
    pub(crate) async fn read(&self, path: &str) -> Outcome<Reading<'_>> {
        let opened = self.raw.open(path, OpenFlags::READ, FileAttributes::empty()).await.map_err(failed)?;
        let handle = opened.handle;
        let size = self.raw.fstat(handle.as_str()).await.map_err(failed)?.attrs.size.unwrap_or(0);
        Ok(Reading { raw: &self.raw, handle, size, asked: FuturesOrdered::new(), offset: 0, next: 0 })
    }
}

/// A file of the server that is being read, piece by piece.
pub(crate) struct Reading<'s> {
    raw: &'s RawSftpSession,
    handle: String,
    size: u64,
    asked: FuturesOrdered<BoxFuture<'s, Result<Data, SftpError>>>,
    /// Where the next piece that comes begins.
    offset: u64,
    /// Where the next piece that is asked for begins.
    next: u64,
}

impl Reading<'_> {
    /// Returns the next piece; none at the end.
    pub(crate) async fn next(&mut self) -> Outcome<Option<Vec<u8>>> {
        // Some files have no length until they are read; they are read one piece at a time.
        while self.asked.len() < REQUESTS && (self.next < self.size || self.asked.is_empty()) {
            let raw = self.raw;
            self.asked.push_back(raw.read(self.handle.clone(), self.next, PIECE_BYTES).boxed());
            self.next += u64::from(PIECE_BYTES);
        }
        match self.asked.next().await {
            Some(Ok(data)) if !data.data.is_empty() => {
                self.offset += data.data.len() as u64;
                if data.data.len() < PIECE_BYTES as usize {
                    // What follows was asked for at the wrong place, unless this was the end.
                    self.asked = FuturesOrdered::new();
                    self.next = self.offset;
                }
                Ok(Some(data.data))
            }
            Some(Err(SftpError::Status(status))) if status.status_code != StatusCode::Eof => {
                Err(failed(SftpError::Status(status)))
            }
            Some(Err(error)) if !matches!(error, SftpError::Status(_)) => Err(failed(error)),
            _ => {
                self.raw.close(self.handle.as_str()).await.map_err(failed)?;
                if self.offset < self.size {
                    return Err(Failure::new("the file has become shorter while it was read"));
                }
                Ok(None)
            }
        }
    }
}

fn is_well(packet: &russh_sftp::protocol::Packet) -> bool {
    matches!(packet, russh_sftp::protocol::Packet::Status(status) if status.status_code == StatusCode::Ok)
}

/// Puts a failure of the protocol into words.
fn failed(error: SftpError) -> Failure {
    match error {
        SftpError::Status(status) => Failure::new(match status.status_code {
            StatusCode::NoSuchFile => "no such file or folder".to_owned(),
            StatusCode::PermissionDenied => "permission denied".to_owned(),
            _ if status.error_message.is_empty() => status.status_code.to_string(),
            _ => status.error_message,
        }),
        SftpError::Timeout => Failure::new(format!("the server has said nothing for {ANSWER_SECONDS} s")).may_pass(),
        SftpError::UnexpectedBehavior(_) => Failure::new("the connection was lost").may_pass(),
        error => Failure::new(error.to_string()),
    }
}
