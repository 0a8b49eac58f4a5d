//! Files by the machine's `scp`, whose protocol is that of old: a line for each file or folder, the content, and a
//! byte in answer to each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures::FutureExt as _;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::AsyncReadExt as _;

use super::client::{Connection, limited};
use super::command::lost;
use super::local::{self, ORDINARY_MODE, PIECE_BYTES, Sink, Step};
use crate::communicator::FileSource;
use crate::communicator::progress::Progress;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// How long the machine may take to end after all is done.
const END_LIMIT: Duration = Duration::from_secs(10);

/// The longest line that the protocol has a use for.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// What a shell says when there is no such program.
const NOT_FOUND: u32 = 127;

/// The machine's `scp` at the other end of a channel.
struct Remote<'c> {
    connection: &'c Connection,
    ctx: &'c NodeContext,
    read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
    received: BytesMut,
    complaints: Vec<u8>,
    status: Option<u32>,
    is_over: bool,
}

/// Puts one file to a path of the machine.
pub(super) async fn upload_file(
    connection: &Connection,
    channel: Channel<Msg>,
    ctx: &NodeContext,
    source: FileSource<'_>,
    destination: &str,
) -> Outcome<()> {
    let (folder, name) = split(destination);
    // Without `-d`, a folder that is not there would be taken for the file's own name, as it is with Packer.
    let command = format!("scp -d -t {}", escaped(folder));
    with_remote(connection, channel, ctx, &command, |remote| {
        async move {
            remote.answer().await?;
            match source {
                FileSource::Bytes(bytes) => {
                    remote.header('C', 0o600, bytes.len() as u64, name).await?;
                    remote.send(Bytes::copy_from_slice(bytes)).await?;
                    remote.end_content().await?;
                }
                FileSource::Path(path) => {
                    let (mode, size) = local::mode_and_size(path).await?;
                    remote.file(path, mode, size, name).await?;
                }
            }
            remote.finish().await
        }
        .boxed()
    })
    .await
}

/// Puts a folder, or its contents if the source ends with a slash.
pub(super) async fn upload_folder(
    connection: &Connection,
    channel: Channel<Msg>,
    ctx: &NodeContext,
    source: &str,
    destination: &str,
) -> Outcome<()> {
    let mut steps = local::walk(source).await?;
    let mut target = destination;
    if source.ends_with('/') {
        // The folder itself is named so that it is made if it is not there.
        let (folder, name) = split(destination.trim_end_matches('/'));
        if !name.is_empty() && ![".", ".."].contains(&name) && !name.starts_with('~') {
            target = folder;
            if let Some(Step::Enter { name: first, .. }) = steps.first_mut() {
                name.clone_into(first);
            }
        } else {
            steps.pop();
            steps.remove(0);
        }
    }
    let command = format!("scp -rt {}", escaped(target));
    with_remote(connection, channel, ctx, &command, |remote| {
        async move {
            remote.answer().await?;
            for step in &steps {
                match step {
                    Step::Enter { mode, name, .. } => remote.header('D', *mode, 0, name).await?,
                    Step::File { path, mode, size, name } => remote.file(path, *mode, *size, name).await?,
                    Step::Leave => {
                        remote.send(Bytes::from_static(b"E\n")).await?;
                        remote.answer().await?;
                    }
                }
            }
            remote.finish().await
        }
        .boxed()
    })
    .await
}

/// Fetches one file to a path of this machine.
pub(super) async fn download_file(
    connection: &Connection,
    channel: Channel<Msg>,
    ctx: &NodeContext,
    source: &str,
    destination: &Path,
) -> Outcome<()> {
    let command = format!("scp -f {}", escaped(source));
    with_remote(connection, channel, ctx, &command, |remote| {
        async move {
            remote.accept().await?;
            let line = remote.line().await?.ok_or_else(|| remote.ended())?;
            match Entry::parse(&line)? {
                Entry::File { size, name, .. } => {
                    let file = local::create(destination, ORDINARY_MODE)?;
                    remote.receive(file, size, &name).await?;
                    remote.accept().await?;
                    remote.finish().await
                }
                Entry::Folder { .. } | Entry::Leave => {
                    let failure = Failure::new(format!("{source} is a folder"));
                    Err(failure.help("end `source` with `/` to download a folder"))
                }
            }
        }
        .boxed()
    })
    .await
}

/// Fetches files and folders into a folder of this machine, under the names that they have there.
pub(super) async fn download_folder(
    connection: &Connection,
    channel: Channel<Msg>,
    ctx: &NodeContext,
    source: &str,
    destination: &Path,
) -> Outcome<()> {
    let command = format!("scp -rf {}", escaped(source));
    with_remote(connection, channel, ctx, &command, |remote| {
        async move {
            let mut folder = destination.to_owned();
            let mut depth = 0_usize;
            remote.accept().await?;
            while let Some(line) = remote.line().await? {
                match Entry::parse(&line)? {
                    Entry::Folder { mode, name } => {
                        folder.push(name);
                        depth += 1;
                        local::make_folder(&folder, mode).await?;
                        remote.accept().await?;
                    }
                    Entry::File { mode, size, name } => {
                        let file = local::create(&folder.join(&name), mode)?;
                        remote.receive(file, size, &name).await?;
                        remote.accept().await?;
                    }
                    Entry::Leave => {
                        depth = depth
                            .checked_sub(1)
                            .ok_or_else(|| Failure::new("the machine's scp leaves too many folders"))?;
                        folder.pop();
                        remote.accept().await?;
                    }
                }
            }
            remote.finish().await
        }
        .boxed()
    })
    .await
}

/// Starts a command and lets a transfer speak with it; a transfer that is cut short leaves no channel open.
async fn with_remote<'c>(
    connection: &'c Connection,
    channel: Channel<Msg>,
    ctx: &'c NodeContext,
    command: &str,
    transfer: impl for<'r> FnOnce(&'r mut Remote<'c>) -> futures::future::BoxFuture<'r, Outcome<()>>,
) -> Outcome<()> {
    let (read, write) = channel.split();
    let mut remote = Remote {
        connection,
        ctx,
        read,
        write,
        received: BytesMut::new(),
        complaints: Vec::new(),
        status: None,
        is_over: false,
    };
    limited(remote.write.exec(true, command)).await.map_err(|failure| lost(connection, &failure))?;
    let ended = tokio::select! {
        ended = transfer(&mut remote) => ended,
        () = ctx.cancel.cancelled() => Err(Failure::cancelled()),
    };
    if ended.is_err() && !connection.is_closed() {
        let _ = limited(remote.write.close()).await;
    }
    ended
}

impl Remote<'_> {
    /// Takes the next message of the channel.
    fn take(&mut self, message: Option<ChannelMsg>) -> Outcome<()> {
        match message {
            Some(ChannelMsg::Data { data }) => self.received.extend_from_slice(&data),
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                let room = MAX_LINE_BYTES.saturating_sub(self.complaints.len());
                self.complaints.extend_from_slice(&data[..data.len().min(room)]);
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => self.status = Some(exit_status),
            Some(ChannelMsg::Failure) => return Err(Failure::new("the machine's server refuses to run scp")),
            Some(ChannelMsg::Close) | None => self.is_over = true,
            Some(_) => {}
        }
        Ok(())
    }

    /// Waits until there is more to read; false at the end.
    async fn fill(&mut self) -> Outcome<bool> {
        let before = self.received.len();
        while self.received.len() == before && !self.is_over {
            let message = self.read.wait().await;
            self.take(message)?;
        }
        Ok(self.received.len() > before)
    }

    /// Says why the other end has stopped.
    fn ended(&self) -> Failure {
        if self.status == Some(NOT_FOUND) {
            return Failure::new("the machine has no `scp`")
                .help("install it there, or set `ssh_file_transfer_method` to `sftp`");
        }
        let text = String::from_utf8_lossy(&self.complaints);
        match (self.status, text.trim()) {
            (None, _) => lost(self.connection, &Failure::new("the connection was lost")),
            (Some(status), "") => Failure::new(format!("the machine's scp ended with status {status}")),
            (Some(_), text) => Failure::new(text.lines().last().unwrap_or(text).to_owned()),
        }
    }

    /// Waits for the byte that says whether all is well; otherwise a line follows that says why not.
    async fn answer(&mut self) -> Outcome<()> {
        while self.received.is_empty() {
            if !self.fill().await? {
                return Err(self.ended());
            }
        }
        match self.received[0] {
            0 => {
                self.received.advance(1);
                Ok(())
            }
            1 | 2 => match self.line().await? {
                Some(line) => Err(complaint(&line)),
                None => Err(self.ended()),
            },
            _ => {
                let text = String::from_utf8_lossy(&self.received).into_owned();
                let first = text.lines().next().unwrap_or_default();
                Err(Failure::new(format!("what answers is no scp: `{first}`"))
                    .help("see that the user's shell prints nothing when it starts"))
            }
        }
    }

    /// Reads a line; none at the end.
    async fn line(&mut self) -> Outcome<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line = self.received.split_to(end + 1);
                return Ok(Some(line[..end].to_vec()));
            }
            if self.received.len() > MAX_LINE_BYTES {
                return Err(Failure::new("the machine's scp sends an endless line"));
            }
            if !self.fill().await? {
                return match self.status {
                    Some(0) => Ok(None),
                    _ => Err(self.ended()),
                };
            }
        }
    }

    /// Says that all is well.
    async fn accept(&mut self) -> Outcome<()> {
        self.send(Bytes::from_static(b"\0")).await
    }

    /// Sends bytes, taking in what comes meanwhile: a machine that has given up takes no more.
    async fn send(&mut self, bytes: Bytes) -> Outcome<()> {
        let sent = {
            let Self { read, write, received, complaints, status, is_over, .. } = &mut *self;
            let mut sending = std::pin::pin!(write.data_bytes(bytes));
            loop {
                tokio::select! {
                    biased;
                    sent = &mut sending => break Some(sent),
                    message = read.wait(), if !*is_over => match message {
                        Some(ChannelMsg::Data { data }) => received.extend_from_slice(&data),
                        Some(ChannelMsg::ExtendedData { data, .. }) if complaints.len() < MAX_LINE_BYTES => {
                            complaints.extend_from_slice(&data);
                        }
                        Some(ChannelMsg::ExitStatus { exit_status }) => *status = Some(exit_status),
                        Some(ChannelMsg::Close) | None => {
                            *is_over = true;
                            break None;
                        }
                        Some(_) => {}
                    },
                }
            }
        };
        match sent {
            Some(Ok(())) => Ok(()),
            // What it said before it ended tells more than that it ended.
            _ if matches!(self.received.first(), Some(1 | 2)) => self.answer().await,
            _ => Err(self.ended()),
        }
    }

    async fn header(&mut self, kind: char, mode: u32, size: u64, name: &str) -> Outcome<()> {
        if name.contains('\n') {
            return Err(Failure::new(format!("scp cannot move a file with a line end in its name: {name:?}"))
                .help("set `ssh_file_transfer_method` to `sftp`"));
        }
        self.send(Bytes::from(format!("{kind}{mode:04o} {size} {name}\n"))).await?;
        self.answer().await
    }

    async fn end_content(&mut self) -> Outcome<()> {
        self.accept().await?;
        self.answer().await
    }

    async fn file(&mut self, path: &Path, mode: u32, size: u64, name: &str) -> Outcome<()> {
        self.header('C', mode, size, name).await?;
        let there =
            |error: std::io::Error| Failure::new(error.to_string()).context(format!("reading {}", path.display()));
        let mut file = tokio::fs::File::open(path).await.map_err(there)?;
        file.set_max_buf_size(PIECE_BYTES);
        let ctx = self.ctx;
        let mut progress = Progress::new(ctx, name, 0, size);
        let mut left = size;
        while left > 0 {
            let room = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            let mut piece = BytesMut::with_capacity(room);
            let count = (&mut file).take(room as u64).read_buf(&mut piece).await.map_err(there)?;
            if count == 0 {
                return Err(Failure::new(format!("{} has become shorter while it was read", path.display())));
            }
            left -= count as u64;
            self.send(piece.freeze()).await?;
            progress.advance(count).await;
        }
        self.end_content().await
    }

    /// Receives a file's content.
    async fn receive(&mut self, sink: Sink, size: u64, name: &Path) -> Outcome<()> {
        let (ctx, name) = (self.ctx, name.to_string_lossy());
        let mut progress = Progress::new(ctx, &name, 0, size);
        self.accept().await?;
        let mut left = size;
        while left > 0 {
            let mut piece = self.piece().await?;
            let rest = piece.split_off(usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len())));
            self.received.extend_from_slice(&rest);
            left -= piece.len() as u64;
            progress.advance(piece.len()).await;
            if !sink.take(piece).await {
                break;
            }
        }
        sink.finish().await?;
        self.answer().await
    }

    /// Waits for bytes, and takes them as they come.
    async fn piece(&mut self) -> Outcome<Bytes> {
        while self.received.is_empty() {
            match self.read.wait().await {
                Some(ChannelMsg::Data { data }) => return Ok(data),
                message => self.take(message)?,
            }
            if self.is_over {
                return Err(self.ended());
            }
        }
        Ok(self.received.split().freeze())
    }

    /// Sees that the other end has ended well.
    async fn finish(&mut self) -> Outcome<()> {
        // A file was asked for and has come; whether `scp` waits for more answers is its affair.
        let _ = self.accept_end().await;
        let end = async {
            while !self.is_over {
                let message = self.read.wait().await;
                self.take(message)?;
            }
            Ok::<(), Failure>(())
        };
        match tokio::time::timeout(END_LIMIT, end).await {
            Ok(ended) => ended?,
            Err(_) => return Err(Failure::new("the machine's scp does not end")),
        }
        match self.status {
            Some(0) => Ok(()),
            _ => Err(self.ended()),
        }
    }

    async fn accept_end(&mut self) -> Outcome<()> {
        limited(self.write.eof()).await
    }
}

/// A line of the protocol.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    File { mode: u32, size: u64, name: PathBuf },
    Folder { mode: u32, name: PathBuf },
    Leave,
}

impl Entry {
    fn parse(line: &[u8]) -> Outcome<Self> {
        let unknown = || Failure::new(format!("the machine's scp says `{}`", String::from_utf8_lossy(line)));
        let (kind, rest) = line.split_first().ok_or_else(unknown)?;
        match kind {
            1 | 2 => return Err(complaint(line)),
            b'E' => return Ok(Self::Leave),
            b'C' | b'D' => {}
            _ => return Err(unknown()),
        }
        let mut parts = rest.splitn(3, |byte| *byte == b' ');
        let mut part = || parts.next().ok_or_else(unknown);
        let number = |text: &[u8], radix| {
            std::str::from_utf8(text).ok().and_then(|text| u64::from_str_radix(text, radix).ok()).ok_or_else(unknown)
        };
        let mode = u32::try_from(number(part()?, 8)? & 0o7777).map_err(|_| unknown())?;
        let size = number(part()?, 10)?;
        let name = part()?;
        // A name that leads elsewhere would let the machine write all over this one.
        if name.is_empty() || name.contains(&b'/') || name == b"." || name == b".." {
            return Err(unknown());
        }
        let name = local::path_of(name);
        Ok(if *kind == b'C' { Self::File { mode, size, name } } else { Self::Folder { mode, name } })
    }
}

fn complaint(line: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(line);
    Failure::new(text.trim_start_matches(['\u{1}', '\u{2}']).trim_start_matches("scp: ").trim().to_owned())
}

/// Splits a path of the machine into folder and name.
fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((folder, name)) => (folder, name),
        None => (".", path),
    }
}

/// Writes a path as one word of a Unix shell, which goes on to expand `~`, variables and patterns, as with Packer.
pub(super) fn escaped(path: &str) -> String {
    let mut word = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() && !"/._-+:,@%=^~$*?[]{}".contains(letter) {
            word.push('\\');
        }
        word.push(letter);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_names_that_lead_elsewhere_are_not() {
        let file = Entry::File { mode: 0o644, size: 7, name: PathBuf::from("a b") };
        assert_eq!(Entry::parse(b"C0644 7 a b").expect("is a file"), file);
        let folder = Entry::Folder { mode: 0o755, name: PathBuf::from("d") };
        assert_eq!(Entry::parse(b"D0755 0 d").expect("is a folder"), folder);
        assert_eq!(Entry::parse(b"E").expect("is an end"), Entry::Leave);
        for (line, words) in [
            (&b"\x01scp: /x: No such file or directory"[..], "/x: No such file or directory"),
            (b"C0644 7 ../x", "says `C0644 7 ../x`"),
            (b"D0755 0 ..", "says"),
            (b"C0644 x y", "says"),
            (b"", "says"),
        ] {
            let failure = Entry::parse(line).expect_err("is no entry");
            assert!(failure.to_string().contains(words), "{failure}");
        }
    }

    #[test]
    fn a_path_is_one_word_and_its_patterns_stay() {
        for (path, word) in [("/a b/c", r"/a\ b/c"), ("~/x*", "~/x*"), ("/it's;", r"/it\'s\;"), ("/ä", "/ä")] {
            assert_eq!(escaped(path), word);
        }
        assert_eq!((split("/a/b"), split("/a"), split("a")), (("/a", "b"), ("/", "a"), (".", "a")));
    }
}
