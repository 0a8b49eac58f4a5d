//! How images are named: with a transport, or as Docker names them.

use std::path::{Path, PathBuf};

use crate::docker::ImageName;

/// Where a base image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// From nothing.
    Scratch,
    /// A tar file or a folder that is the whole file system.
    RootFs(PathBuf),
    /// A file as `docker save` writes it, and the image's name in it.
    DockerArchive(PathBuf, Option<String>),
    /// An OCI layout in a tar file, and the image's name in it.
    OciArchive(PathBuf, Option<String>),
    /// An OCI layout in a folder, and the image's name in it.
    OciFolder(PathBuf, Option<String>),
    /// A name or id, here or in a registry.
    Name(String),
}

impl Reference {
    /// Reads what a template says.
    pub fn parse(text: &str) -> Self {
        let place = |rest: &str| {
            // A path may hold colons; what is there under the whole text is meant.
            match rest.split_once(':') {
                Some((path, name)) if !Path::new(rest).exists() => (PathBuf::from(path), Some(name.to_owned())),
                _ => (PathBuf::from(rest), None),
            }
        };
        match text.split_once(':') {
            _ if text == "scratch" => Self::Scratch,
            Some(("rootfs", path)) => Self::RootFs(PathBuf::from(path)),
            Some(("docker-archive", rest)) => {
                let (path, name) = place(rest);
                Self::DockerArchive(path, name)
            }
            Some(("oci-archive", rest)) => {
                let (path, name) = place(rest);
                Self::OciArchive(path, name)
            }
            Some(("oci", rest)) => {
                let (path, name) = place(rest);
                Self::OciFolder(path, name)
            }
            _ => Self::Name(text.to_owned()),
        }
    }
}

/// Returns a name in its full form: with registry and tag, as equal names have it alike.
pub fn full_name(name: &str) -> String {
    let image = ImageName::parse(name);
    let repository = image.repository.strip_prefix("index.docker.io/").unwrap_or(&image.repository);
    let repository = match repository.split_once('/') {
        Some(("docker.io", rest)) if rest.contains('/') => repository.to_owned(),
        Some(("docker.io", rest)) => format!("docker.io/library/{rest}"),
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => repository.to_owned(),
        Some(_) => format!("docker.io/{repository}"),
        None => format!("docker.io/library/{repository}"),
    };
    let separator = if image.reference.contains(':') { '@' } else { ':' };
    format!("{repository}{separator}{}", image.reference)
}

/// Returns a full name as people write it.
pub fn short_name(full: &str) -> &str {
    let rest = full.strip_prefix("docker.io/").unwrap_or(full);
    rest.strip_prefix("library/").unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_they_mean_to_docker() {
        for (name, full, short) in [
            ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
            ("docker.io/busybox:1", "docker.io/library/busybox:1", "busybox:1"),
            ("la/express:0.1", "docker.io/la/express:0.1", "la/express:0.1"),
            ("localhost:5000/a", "localhost:5000/a:latest", "localhost:5000/a:latest"),
            ("a@sha256:00", "docker.io/library/a@sha256:00", "a@sha256:00"),
            ("index.docker.io/b/c:2", "docker.io/b/c:2", "b/c:2"),
        ] {
            assert_eq!(full_name(name), full);
            assert_eq!(short_name(full), short);
        }
    }

    #[test]
    fn transports_are_told_apart() {
        for (text, expected) in [
            ("scratch", Reference::Scratch),
            ("rootfs:/a/b.tar", Reference::RootFs("/a/b.tar".into())),
            ("docker-archive:/a.tar:la/x:1", Reference::DockerArchive("/a.tar".into(), Some("la/x:1".to_owned()))),
            ("oci:/a", Reference::OciFolder("/a".into(), None)),
            ("oci-archive:b.tar", Reference::OciArchive("b.tar".into(), None)),
            ("localhost:5000/oci", Reference::Name("localhost:5000/oci".to_owned())),
        ] {
            assert_eq!(Reference::parse(text), expected, "{text}");
        }
    }
}
