//! Installing plugins: from a file, or from a mirror, which is a folder or a plain web directory.
//!
//! A mirror holds archives or executables named as releases name them, below a path of the plugin's source or not:
//! `github.com/hashicorp/docker/packer-plugin-docker_v1.1.0_x5.0_linux_amd64.zip`. Their SHA-256 stands in a file
//! beside them: `…_SHA256SUM`, or one `packer-plugin-docker_v1.1.0_SHA256SUMS` for all of a version.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::folder::{self, Folders, architecture, checksum_file, system};
use super::load::Required;
use super::version::Version;
use crate::failure::{Failure, Outcome};
use crate::hex::hex;

/// The largest archive that is taken.
const MAX_BYTES: u64 = 1 << 30;

/// How long a web server may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// What was installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The executable.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
}

/// Installs an executable under a source's address.
///
/// # Errors
///
/// Fails if it does not describe itself as a plugin of that name, or cannot be copied.
pub fn from_file(folders: &Folders, source: &str, file: &Path) -> Outcome<Installation> {
    let failed = |error: std::io::Error| Failure::new(error.to_string()).context(format!("reading {}", file.display()));
    let bytes = std::fs::read(file).map_err(failed)?;
    let description = folder::describe(file)
        .map_err(|reason| Failure::new(reason).context(format!("{} is no plugin", file.display())))?;
    let version = Version::parse(&description.version)
        .ok_or_else(|| Failure::new(format!("the plugin says that its version is `{}`", description.version)))?;
    put(folders, source, &version, &description.api_version, &bytes)
}

/// Writes an executable and its checksum to where a source's plugins are.
fn put(folders: &Folders, source: &str, version: &Version, api: &str, bytes: &[u8]) -> Outcome<Installation> {
    let name = plugin_name(source)?;
    let parent = folders.main.join(source);
    let extension = if cfg!(windows) { ".exe" } else { "" };
    let path = parent.join(format!("packer-plugin-{name}_v{version}_{api}_{}_{}{extension}", system(), architecture()));
    let failed = |error: std::io::Error| Failure::new(error.to_string()).context(format!("writing {}", path.display()));
    std::fs::create_dir_all(&parent).map_err(failed)?;
    // In place as a whole or not at all; a plugin that runs is not written over.
    let mut temporary = tempfile::NamedTempFile::new_in(&parent).map_err(failed)?;
    std::io::Write::write_all(&mut temporary, bytes).map_err(failed)?;
    make_executable(temporary.path()).map_err(failed)?;
    temporary.persist(&path).map_err(|error| failed(error.error))?;
    std::fs::write(checksum_file(&path), checksum(bytes)).map_err(failed)?;
    folder::examine(&path, name, version.clone(), api).map_err(|reason| {
        // What does not count is better not there.
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_file(checksum_file(&path));
        Failure::new(reason).context(format!("{source} {version}"))
    })?;
    Ok(Installation { path, version: version.clone() })
}

fn plugin_name(source: &str) -> Outcome<&str> {
    let is_sound = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '?']);
    let parts: Vec<&str> = source.split('/').collect();
    match parts.as_slice() {
        [_, .., name] if parts.len() >= 3 && parts.iter().all(|part| is_sound(part)) => Ok(name),
        _ => Err(Failure::new(format!("`{source}` is no address of a plugin"))
            .help("write it like `github.com/hashicorp/docker`")),
    }
}

fn checksum(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Finds the installed plugin that meets a requirement.
#[must_use]
pub fn installed(folders: &Folders, required: &Required) -> Option<folder::Installed> {
    let name = required.source.rsplit('/').next().unwrap_or_default();
    let below = folders.main.join(&required.source);
    let found = folder::find(&folders.main, &|found, path| found == name && path.starts_with(&below), &mut Vec::new());
    found
        .into_iter()
        .filter(|plugin| required.constraint.allows(&plugin.version))
        .max_by(|one, other| one.version.cmp(&other.version))
}

/// Removes the versions of a source that a constraint allows; returns what was removed.
///
/// # Errors
///
/// Fails if a file cannot be removed.
pub fn remove(folders: &Folders, required: &Required) -> Outcome<Vec<PathBuf>> {
    plugin_name(&required.source)?;
    let below = folders.main.join(&required.source);
    let mut removed = Vec::new();
    let Ok(entries) = std::fs::read_dir(&below) else { return Ok(removed) };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((_, version, _)) = folder::parse_name(&file) else { continue };
        if required.constraint.allows(&version) {
            std::fs::remove_file(&path)
                .map_err(|error| Failure::new(error.to_string()).context(format!("removing {}", path.display())))?;
            // Without its plugin it means nothing.
            let _ = std::fs::remove_file(checksum_file(&path));
            removed.push(path);
        }
    }
    Ok(removed)
}

/// Where releases are taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// A folder of this machine.
    Folder(PathBuf),
    /// The address of a web directory, which lists what is in it.
    Web(String),
}

impl Mirror {
    /// Reads an address or a path.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.starts_with("http://") || text.starts_with("https://") {
            Self::Web(text.trim_end_matches('/').to_owned())
        } else {
            Self::Folder(text.trim_start_matches("file://").into())
        }
    }

    /// Lists the places where files of a source may be, the most exact one first.
    fn places(source: &str) -> Vec<String> {
        let mut places = vec![source.to_owned()];
        if let Some((owner, name)) = source.rsplit_once('/') {
            places.push(format!("{owner}/packer-plugin-{name}"));
            places.push(format!("packer-plugin-{name}"));
        }
        places.push(String::new());
        places
    }

    fn list(&self, place: &str) -> Outcome<Vec<String>> {
        match self {
            Self::Folder(root) => {
                let entries = std::fs::read_dir(root.join(place)).into_iter().flatten();
                Ok(entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect())
            }
            Self::Web(root) => match get(&format!("{root}/{place}/"))? {
                Some(bytes) => Ok(links(&String::from_utf8_lossy(&bytes))),
                None => Ok(Vec::new()),
            },
        }
    }

    fn read(&self, place: &str, file: &str) -> Outcome<Option<Vec<u8>>> {
        match self {
            Self::Folder(root) => match std::fs::read(root.join(place).join(file)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(Failure::new(error.to_string()).context(format!("reading {file}"))),
            },
            Self::Web(root) => get(&format!("{root}/{place}/{file}")),
        }
    }

    /// Installs the highest version that a constraint allows.
    ///
    /// # Errors
    ///
    /// Fails if there is none, its checksum does not fit, or the mirror cannot be read.
    pub fn install(&self, folders: &Folders, required: &Required) -> Outcome<Installation> {
        let name = plugin_name(&required.source)?;
        for place in Self::places(&required.source) {
            let mut offers: Vec<(Version, String, String)> = Vec::new();
            for file in self.list(&place)? {
                let stem = file.strip_suffix(".zip").unwrap_or(&file);
                if let Some((found, version, api)) = folder::parse_name(stem)
                    && found == name
                    && api == "x5.0"
                    && required.constraint.allows(&version)
                {
                    offers.push((version, api, file));
                }
            }
            let Some((version, api, file)) = offers.into_iter().max_by(|one, other| one.0.cmp(&other.0)) else {
                continue;
            };
            let bytes =
                self.read(&place, &file)?.ok_or_else(|| Failure::new(format!("{file} is listed and not there")))?;
            self.verify(&place, &file, name, &version, &bytes)?;
            let bytes = if file.ends_with(".zip") { unpack(&bytes)? } else { bytes };
            return put(folders, &required.source, &version, &api, &bytes);
        }
        Err(Failure::new(format!("the mirror has no release of {} that is wanted here", required.source))
            .help(format!("it needs a file like packer-plugin-{name}_v1.0.0_x5.0_{}_{}.zip", system(), architecture())))
    }

    fn verify(&self, place: &str, file: &str, name: &str, version: &Version, bytes: &[u8]) -> Outcome<()> {
        let own = self.read(place, &format!("{file}_SHA256SUM"))?;
        let all = match own {
            Some(_) => own,
            None => self.read(place, &format!("packer-plugin-{name}_v{version}_SHA256SUMS"))?,
        };
        let text = all.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.ok_or_else(|| {
            Failure::new(format!("there is no checksum of {file}")).help("put its SHA256SUM beside it")
        })?;
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let stated = lines.into_iter().find_map(|words| match words.as_slice() {
            [digest] => Some((*digest).to_ascii_lowercase()),
            [digest, of, ..] if of.trim_start_matches('*') == file => Some((*digest).to_ascii_lowercase()),
            _ => None,
        });
        if stated.as_deref() == Some(checksum(bytes).as_str()) {
            Ok(())
        } else {
            Err(Failure::new(format!("{file} is not what its checksum says")).help("fetch the release anew"))
        }
    }
}

/// Takes the plugin out of an archive: its only file whose name begins so.
fn unpack(bytes: &[u8]) -> Outcome<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(error.to_string()).context("unpacking the release");
    let archive = rawzip::ZipArchive::from_slice(bytes).map_err(|error| failed(&error))?;
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().map_err(|error| failed(&error))? {
        let path = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
        if !path.rsplit('/').next().unwrap_or_default().starts_with("packer-plugin-") {
            continue;
        }
        let method = entry.compression_method();
        let data = archive.get_entry(entry.wayfinder()).map_err(|error| failed(&error))?;
        let mut content = Vec::new();
        let read = if method == rawzip::CompressionMethod::DEFLATE {
            flate2::read::DeflateDecoder::new(data.data()).take(MAX_BYTES).read_to_end(&mut content)
        } else {
            data.data().take(MAX_BYTES).read_to_end(&mut content)
        };
        read.map_err(|error| failed(&error))?;
        return Ok(content);
    }
    Err(Failure::new("the release holds no plugin"))
}

/// Asks a web server; none if there is nothing at that address.
fn get(address: &str) -> Outcome<Option<Vec<u8>>> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).build().into();
    let failed = |error: ureq::Error| {
        Failure::new(error.to_string())
            .context(format!("asking {address}"))
            .help("where there is no network, name a folder with the releases: RPK_PLUGIN_MIRROR=/path")
    };
    let mut response = agent.get(address).call().map_err(failed)?;
    match response.status().as_u16() {
        200 => response.body_mut().with_config().limit(MAX_BYTES).read_to_vec().map(Some).map_err(failed),
        403 | 404 => Ok(None),
        status => {
            Err(Failure::new(format!("the server answers with status {status}")).context(format!("asking {address}")))
        }
    }
}

/// Lists what a web page links to, by the last part of each address.
fn links(page: &str) -> Vec<String> {
    let parts = page.split("href=").skip(1).filter_map(|rest| {
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let address = rest[1..].split(quote).next()?;
        let address = address.split(['?', '#']).next()?;
        address.trim_end_matches('/').rsplit('/').next().map(str::to_owned)
    });
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::version::Constraint;
    use super::*;

    const PLUGIN: &str =
        "#!/bin/sh\necho '{\"version\":\"1.2.0\",\"api_version\":\"x5.0\",\"provisioners\":[\"x\"]}'\n";

    fn required(constraint: &str) -> Required {
        Required {
            name: "x".to_owned(),
            source: "example.org/acme/x".to_owned(),
            constraint: Constraint::parse(constraint).expect("is one"),
        }
    }

    #[test]
    fn a_release_of_a_mirror_is_checked_installed_and_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folders = Folders { main: folder.path().join("plugins"), older: Vec::new() };
        let place = folder.path().join("mirror/example.org/acme/x");
        std::fs::create_dir_all(&place).expect("is writable");
        let file = format!("packer-plugin-x_v1.2.0_x5.0_{}_{}", system(), architecture());
        std::fs::write(place.join(&file), PLUGIN).expect("is writable");
        let mirror = Mirror::parse(&folder.path().join("mirror").display().to_string());
        let missing = mirror.install(&folders, &required(">= 1.0")).expect_err("has no checksum");
        assert!(missing.to_string().contains("no checksum"), "{missing}");
        std::fs::write(
            place.join("packer-plugin-x_v1.2.0_SHA256SUMS"),
            format!("{}  {file}\n", checksum(PLUGIN.as_bytes())),
        )
        .expect("is writable");
        let done = mirror.install(&folders, &required(">= 1.0")).expect("is installed");
        assert_eq!(done.version.to_string(), "1.2.0");
        assert!(installed(&folders, &required("~> 1.2")).is_some());
        assert!(installed(&folders, &required("> 1.2.0")).is_none());
        assert!(mirror.install(&folders, &required(">= 2")).is_err());
        assert_eq!(remove(&folders, &required(">= 0")).expect("is removed").len(), 1);
        assert!(installed(&folders, &required(">= 0")).is_none());
    }

    #[test]
    fn addresses_and_links_are_read() {
        assert!(plugin_name("github.com/a/b").is_ok());
        for wrong in ["docker", "a/b", "github.com/../b", "https://github.com/a/b", ""] {
            assert!(plugin_name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(links("<a href=\"/x/a.zip\">a</a> <a href='b.zip?y'>b</a> <a href=c>"), ["a.zip", "b.zip"]);
    }
}
