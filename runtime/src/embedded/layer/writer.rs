//! The format of archives: one header for each file, with what does not fit in it as records before it.

use std::io::{self, Write};

/// A block's length; contents are filled up to a multiple of it.
pub const BLOCK: u64 = 512;

/// The largest number that an eight-byte field holds, and that a twelve-byte field holds.
const SMALL: u64 = 0o7_777_777;
const LARGE: u64 = 0o77_777_777_777;

/// What kind of file a header speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file with contents.
    File,
    /// Another name of a file.
    Link,
    /// A symbolic link.
    Symlink,
    /// A character device.
    Characters,
    /// A block device.
    Blocks,
    /// A folder.
    Folder,
    /// A named pipe.
    Pipe,
}

impl Kind {
    fn letter(self) -> u8 {
        match self {
            Self::File => b'0',
            Self::Link => b'1',
            Self::Symlink => b'2',
            Self::Characters => b'3',
            Self::Blocks => b'4',
            Self::Folder => b'5',
            Self::Pipe => b'6',
        }
    }
}

/// A file as its header tells it.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its path; a folder's ends in a slash.
    pub path: &'a [u8],
    /// What it is.
    pub kind: Kind,
    /// The permissions.
    pub mode: u32,
    /// The owner.
    pub user: u32,
    /// The owning group.
    pub group: u32,
    /// The length of its contents.
    pub size: u64,
    /// When it was changed, in Unix seconds.
    pub time: i64,
    /// Where a link leads.
    pub target: &'a [u8],
    /// A device's major and minor number.
    pub device: (u32, u32),
    /// Extended attributes.
    pub attributes: &'a [(String, Vec<u8>)],
}

/// Writes the header of a file; its contents follow, then [`padding`].
pub fn write_header(out: &mut impl Write, entry: &Entry<'_>) -> io::Result<()> {
    let mut records = Vec::new();
    if entry.path.len() > 100 {
        record(&mut records, b"path", entry.path);
    }
    if entry.target.len() > 100 {
        record(&mut records, b"linkpath", entry.target);
    }
    for (key, value, limit) in [
        (b"uid".as_slice(), u64::from(entry.user), SMALL),
        (b"gid", u64::from(entry.group), SMALL),
        (b"size", entry.size, LARGE),
    ] {
        if value > limit {
            record(&mut records, key, value.to_string().as_bytes());
        }
    }
    if !u64::try_from(entry.time).is_ok_and(|time| time <= LARGE) {
        record(&mut records, b"mtime", entry.time.to_string().as_bytes());
    }
    for (name, value) in entry.attributes {
        record(&mut records, format!("SCHILY.xattr.{name}").as_bytes(), value);
    }
    if !records.is_empty() {
        let name = [b"PaxHeaders.0/", entry.path].concat();
        let head = block(&name, b'x', 0o644, (0, 0), records.len() as u64, 0, &[], (0, 0));
        out.write_all(&head)?;
        out.write_all(&records)?;
        out.write_all(padding(records.len() as u64))?;
    }
    let ids = (u64::from(entry.user), u64::from(entry.group));
    let time = u64::try_from(entry.time).unwrap_or_default();
    let (letter, mode) = (entry.kind.letter(), entry.mode & 0o7777);
    out.write_all(&block(entry.path, letter, mode, ids, entry.size, time, entry.target, entry.device))
}

/// Writes the end of an archive.
pub fn write_end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK as usize])
}

/// Returns what fills contents of that length up.
pub fn padding(length: u64) -> &'static [u8] {
    static ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
    let rest = usize::try_from(length % BLOCK).unwrap_or_default();
    if rest == 0 { &[] } else { &ZEROS[rest..] }
}

/// Adds a record: its own length, a blank, key, `=`, value and a line's end.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

#[expect(clippy::too_many_arguments, reason = "they are the format's fields, in its order")]
fn block(
    path: &[u8],
    letter: u8,
    mode: u32,
    (user, group): (u64, u64),
    size: u64,
    time: u64,
    target: &[u8],
    device: (u32, u32),
) -> [u8; BLOCK as usize] {
    let mut block = [0; BLOCK as usize];
    let mut text = |from: usize, length: usize, value: &[u8]| {
        let value = &value[..value.len().min(length)];
        block[from..from + value.len()].copy_from_slice(value);
    };
    text(0, 100, path);
    text(157, 100, target);
    text(257, 8, b"ustar\x0000");
    text(156, 1, &[letter]);
    // What is too large here stands in a record.
    let small = |value: u64| format!("{:07o}", if value > SMALL { 0 } else { value });
    let large = |value: u64| format!("{:011o}", if value > LARGE { 0 } else { value });
    text(100, 7, small(u64::from(mode)).as_bytes());
    text(108, 7, small(user).as_bytes());
    text(116, 7, small(group).as_bytes());
    text(124, 11, large(size).as_bytes());
    text(136, 11, large(time).as_bytes());
    text(329, 7, small(u64::from(device.0)).as_bytes());
    text(337, 7, small(u64::from(device.1)).as_bytes());
    // The sum is taken with blanks in its own place.
    text(148, 8, b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn what_does_not_fit_a_header_is_read_back_from_records() {
        let path = [b"a/".repeat(200), b"\xffodd".to_vec()].concat();
        let attributes = [("user.x".to_owned(), b"1\0\xff".to_vec())];
        let entry = Entry {
            path: &path,
            kind: Kind::File,
            mode: 0o4755,
            user: 5_000_000,
            group: 7,
            size: 3,
            time: -5,
            target: b"",
            device: (0, 0),
            attributes: &attributes,
        };
        let mut bytes = Vec::new();
        write_header(&mut bytes, &entry).expect("is memory");
        bytes.extend_from_slice(b"abc");
        bytes.extend_from_slice(padding(3));
        write_end(&mut bytes).expect("is memory");
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut found = archive.entries().expect("is an archive").next().expect("has a file").expect("is whole");
        assert_eq!(found.path_bytes().as_ref(), path);
        let mut pax = std::collections::BTreeMap::new();
        for extension in found.pax_extensions().expect("are well-formed").expect("are there") {
            let extension = extension.expect("is well-formed");
            pax.insert(extension.key_bytes().to_owned(), extension.value_bytes().to_owned());
        }
        assert_eq!(pax[b"SCHILY.xattr.user.x".as_slice()], b"1\0\xff");
        assert_eq!(pax[b"uid".as_slice()], b"5000000");
        assert_eq!(found.header().mode().expect("is a number"), 0o4755);
        let mut text = String::new();
        found.read_to_string(&mut text).expect("is text");
        assert_eq!(text, "abc");
        assert_eq!(std::ffi::OsStr::from_bytes(&path).len(), path.len());
    }
}
