//! Which archive a file name asks for.
//!
//! Packer looks at the last two endings of the name as it stands in the template, before anything is filled in.

use super::Config;
use crate::compression::Algorithm;

/// What holds several files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Archive {
    /// Nothing: there is one file.
    None,
    /// A tar archive, which is compressed as a whole.
    Tar,
    /// A zip archive, which compresses each of its files.
    Zip,
}

/// What a result looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// What holds the files.
    pub archive: Archive,
    /// How the whole is compressed.
    pub algorithm: Algorithm,
}

/// The names that the option `archive` may have.
pub(super) const ARCHIVES: [&str; 2] = ["tar", "zip"];

/// The names that the option `algorithm` may have.
pub(super) const ALGORITHMS: [&str; 5] = ["pgzip", "bgzf", "lz4", "xz", "bzip2"];

/// Endings that promise a form which Packer does not make: the result would be a gzipped tar archive under that name.
const MISLEADING: [&str; 9] = ["7z", "bz2", "lzma", "rar", "tbz", "txz", "tzst", "zst", "zstd"];

fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "gz" | "pgzip" => Algorithm::Gzip,
        "bgzf" => Algorithm::Bgzf,
        "lz4" => Algorithm::Lz4,
        "xz" => Algorithm::Xz,
        "bzip2" => Algorithm::Bzip2,
        _ => return None,
    })
}

fn archive(name: &str) -> Option<Archive> {
    match name {
        "tar" => Some(Archive::Tar),
        "zip" => Some(Archive::Zip),
        _ => None,
    }
}

/// Lists the endings of a name: dots with the lower-case letters and digits after them.
fn endings(name: &str) -> Vec<&str> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.split('.')
        .skip(1)
        .map(|rest| &rest[..rest.bytes().position(|byte| !is_part(byte)).unwrap_or(rest.len())])
        .filter(|ending| !ending.is_empty())
        .collect()
}

impl Format {
    /// Works out what the options ask for.
    pub(super) fn of(config: &Config) -> Self {
        let told = Self {
            archive: archive(&config.archive).unwrap_or(Archive::None),
            algorithm: algorithm(&config.algorithm).unwrap_or(Algorithm::Stored),
        };
        let name = config.name();
        let endings = endings(&name);
        let (last, before) = match endings.as_slice() {
            [] => return Self { archive: Archive::Tar, algorithm: Algorithm::Gzip },
            [last] => (*last, ""),
            [.., before, last] => (*last, *before),
        };
        if let Some(archive) = archive(last) {
            return Self { archive, ..told };
        }
        match algorithm(last).filter(|_| last != "pgzip") {
            Some(algorithm) => Self { archive: if before == "tar" { Archive::Tar } else { told.archive }, algorithm },
            None => Self { archive: Archive::Tar, algorithm: Algorithm::Gzip },
        }
    }

    /// Names the form in the words of its ending.
    pub(super) fn noun(self) -> String {
        let compression = match self.algorithm {
            Algorithm::Stored => "",
            Algorithm::Gzip => "gzip",
            Algorithm::Bgzf => "bgzf",
            Algorithm::Lz4 => "lz4",
            Algorithm::Xz => "xz",
            Algorithm::Bzip2 => "bzip2",
        };
        let archive = match self.archive {
            Archive::None => "",
            Archive::Tar => "tar",
            Archive::Zip => "zip",
        };
        match (archive, compression) {
            ("", "") => "plain copy".to_owned(),
            (archive, "") => archive.to_owned(),
            ("", compression) => compression.to_owned(),
            (archive, compression) => format!("{archive}, {compression}"),
        }
    }
}

/// Tells of an ending that promises another form than the one which is made.
pub(super) fn misleading_ending(config: &Config) -> Option<String> {
    let name = config.name();
    endings(&name).last().filter(|ending| MISLEADING.contains(ending)).map(|ending| (*ending).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_endings_decide() {
        use Algorithm::{Bgzf, Bzip2, Gzip, Lz4, Stored, Xz};
        for (output, archive, algorithm) in [
            ("packer_{{.BuildName}}_{{.BuilderType}}", Archive::Tar, Gzip),
            ("a", Archive::Tar, Gzip),
            ("a.box", Archive::Tar, Gzip),
            ("a.pgzip", Archive::Tar, Gzip),
            ("a.GZ", Archive::Tar, Gzip),
            ("a.tar", Archive::Tar, Stored),
            ("a.zip", Archive::Zip, Stored),
            ("a.gz", Archive::None, Gzip),
            ("v1.2/a.gz", Archive::None, Gzip),
            ("a.tar-1.gz", Archive::Tar, Gzip),
            ("a.tar.gz", Archive::Tar, Gzip),
            ("a.tar.lz4", Archive::Tar, Lz4),
            ("a.lz4", Archive::None, Lz4),
            ("a.tar.xz", Archive::Tar, Xz),
            ("a.xz", Archive::None, Xz),
            ("a.tar.bgzf", Archive::Tar, Bgzf),
            ("a.bgzf", Archive::None, Bgzf),
            ("a.tar.bzip2", Archive::Tar, Bzip2),
            ("a.bzip2", Archive::None, Bzip2),
            ("a.tar.zst", Archive::Tar, Gzip),
        ] {
            let config = Config { output: output.to_owned(), ..Config::default() };
            assert_eq!(Format::of(&config), Format { archive, algorithm }, "{output}");
        }
    }

    #[test]
    fn the_format_is_one_more_ending_and_options_fill_gaps() {
        let config = |output: &str, format: &str, archive: &str, algorithm: &str| Config {
            output: output.to_owned(),
            format: format.to_owned(),
            archive: archive.to_owned(),
            algorithm: algorithm.to_owned(),
            ..Config::default()
        };
        assert_eq!(Format::of(&config("a", "tar.lz4", "", "")).algorithm, Algorithm::Lz4);
        assert_eq!(Format::of(&config("a", "zip", "", "")).archive, Archive::Zip);
        assert_eq!(Format::of(&config("a.gz", "", "zip", "")).archive, Archive::Zip);
        assert_eq!(Format::of(&config("a.tar", "", "", "xz")).algorithm, Algorithm::Xz);
        assert_eq!(misleading_ending(&config("a.tar.bz2", "", "", "")).as_deref(), Some("bz2"));
        assert_eq!(misleading_ending(&config("a.tgz", "", "", "")), None);
    }
}
