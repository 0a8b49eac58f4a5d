//! What the ways into containers have in common, whichever engine runs them.
//!
//! # Why a command travels on standard input
//!
//! Packer runs `docker exec … /bin/sh -c "(COMMAND)"`. A command holds the values of `environment_vars`, and a
//! process list shows every argument. So the argument is a fixed text that reads the command from standard input and
//! evaluates it in the same form. For a script, the script follows on the same stream; uploading it, making it
//! executable, running it and removing it is then one request in place of five.

use std::io;
use std::path::Path;

use crate::failure::{Failure, Outcome};

/// Reads `$1` lines of a command and evaluates them.
pub(super) const RUN: &str = r#"n=$1 c=
while [ "$n" -gt 0 ]; do IFS= read -r l; c="$c$l
" n=$((n-1)); done
eval "($c)""#;

/// Reads `$1` lines of a command and, as the rest, a script to be written to `$2`; evaluates the command, and removes
/// the script if the status is one of `$4…` and `$3` is not `keep`.
pub(super) const RUN_SCRIPT: &str = r#"n=$1 p=$2 k=$3 c=
shift 3
while [ "$n" -gt 0 ]; do IFS= read -r l; c="$c$l
" n=$((n-1)); done
cat >"$p" && chmod 0755 "$p" || { echo "rpk: cannot write $p" >&2; exit 250; }
eval "($c)"
s=$?
[ "$k" = keep ] || for a; do [ "$s" = "$a" ] && rm -f "$p"; done
exit "$s""#;

/// Writes the command and the script as [`RUN_SCRIPT`] reads them to `$2.command` and `$2`.
pub(super) const WRITE_SCRIPT: &str = r#"n=$1 p=$2
umask 077
while [ "$n" -gt 0 ]; do IFS= read -r l; printf '%s\n' "$l"; n=$((n-1)); done >"$p.command" && cat >"$p" && chmod 0755 "$p" ||
{ echo "rpk: cannot write $p" >&2; exit 250; }"#;

/// Does the rest of [`RUN_SCRIPT`] after [`WRITE_SCRIPT`].
pub(super) const RUN_WRITTEN_SCRIPT: &str = r#"p=$1 k=$2
shift 2
(. "$p.command")
s=$?
rm -f "$p.command"
[ "$k" = keep ] || for a; do [ "$s" = "$a" ] && rm -f "$p"; done
exit "$s""#;

/// What [`RUN_SCRIPT`] ends with when it could not write the script, together with its last line.
pub(super) const WRITE_FAILED: i64 = 250;

/// Splits an absolute path of the container into its folder and its last name.
pub(super) fn split_path(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((folder, name)) => (folder, name),
        None => ("/", path),
    }
}

pub(super) fn line_count(command: &str) -> String {
    (command.matches('\n').count() + 1).to_string()
}

/// Adds a file with the mode and time that it has here, but as root's: this machine's users are not the container's.
pub(super) fn append_file<W: io::Write>(archive: &mut tar::Builder<W>, path: &Path, name: &str) -> io::Result<()> {
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&metadata);
    header.set_uid(0);
    header.set_gid(0);
    // A file that grows while it is read must not spoil the archive.
    let size = metadata.len();
    header.set_size(size);
    archive.append_data(&mut header, name, io::Read::take(file, size))
}

/// Adds bytes as a file that its owner alone can read and write.
pub(super) fn append_bytes<W: io::Write>(archive: &mut tar::Builder<W>, bytes: &[u8], name: &str) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o600);
    header.set_size(bytes.len() as u64);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    header.set_mtime(now.map_or(0, |since| since.as_secs()));
    archive.append_data(&mut header, name, bytes)
}

/// Copies the archive's one file to its destination.
pub(super) fn first_file(archive: &mut tar::Archive<impl io::Read>, source: &str, destination: &Path) -> Outcome<()> {
    let failed = |error: io::Error| Failure::new(error.to_string());
    let mut entry = archive
        .entries()
        .and_then(|mut entries| entries.next().transpose())
        .map_err(failed)?
        .ok_or_else(|| Failure::new("the engine sent nothing"))?;
    if entry.header().entry_type().is_dir() {
        return Err(Failure::new(format!("{source} is a folder")).help("end `source` with `/` to download a folder"));
    }
    let file = std::fs::File::create(destination).map_err(failed)?;
    // Copying goes by way of the writer's own buffer, in pieces of its length.
    let mut file = io::BufWriter::with_capacity(1 << 20, file);
    io::copy(&mut entry, &mut file).map_err(failed)?;
    io::Write::flush(&mut file).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_split_into_folder_and_name() {
        for (path, folder, name) in [("/tmp/x", "/tmp", "x"), ("/x", "/", "x"), ("x", "/", "x")] {
            assert_eq!(split_path(path), (folder, name));
        }
    }

    #[test]
    fn an_uploaded_file_keeps_mode_and_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a");
        std::fs::write(&path, "content").expect("is writable");
        let mut builder = tar::Builder::new(Vec::new());
        append_file(&mut builder, &path, "b").expect("is readable");
        let bytes = builder.into_inner().expect("is memory");
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entry = archive.entries().expect("is an archive").next().expect("has a file").expect("is whole");
        assert_eq!(entry.path().expect("has a name"), Path::new("b"));
        assert_eq!(entry.header().uid().expect("has an owner"), 0);
        assert_eq!(entry.size(), 7);
    }
}
