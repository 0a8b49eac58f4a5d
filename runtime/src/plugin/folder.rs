//! Which plugins are installed: files in Packer's folders, each with its checksum beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::version::Version;

/// How deep folders are searched.
const MAX_DEPTH: usize = 16;

/// How long a plugin may take to describe itself.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(30);

/// What a plugin calls the component whose type is the plugin's own name.
pub const UNNAMED: &str = "-packer-default-plugin-name-";

/// What a plugin says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// The version of the protocol, such as `x5.0`; empty if it is of the older generation.
    #[serde(default)]
    pub api_version: String,
    /// The builders.
    #[serde(default)]
    pub builders: Option<Vec<String>>,
    /// The provisioners.
    #[serde(default)]
    pub provisioners: Option<Vec<String>>,
    /// The post-processors.
    #[serde(default)]
    pub post_processors: Option<Vec<String>>,
    /// The data sources.
    #[serde(default)]
    pub datasources: Option<Vec<String>>,
    /// How it describes options: `v2` in protobuf.
    #[serde(default)]
    pub protocol_version: String,
}

/// An installed plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The executable.
    pub path: PathBuf,
    /// The name in its file's name: the prefix of its component types.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// The SHA-256 of the executable, in hexadecimal.
    pub digest: String,
    /// What it says of itself.
    pub description: Description,
}

/// Where plugins are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// Today's plugins: below sub-folders, with checksums.
    pub main: PathBuf,
    /// Single components as older releases of Packer have them: files such as `packer-builder-x`.
    pub older: Vec<PathBuf>,
}

impl Folders {
    /// Finds the folders as Packer does.
    ///
    /// # Errors
    ///
    /// Returns why the environment does not name one, as a fragment.
    pub fn find(environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let home = PathBuf::from(set("HOME").unwrap_or_default());
        let config = set("PACKER_CONFIG_DIR").map(|folder| PathBuf::from(folder).join(".packer.d"));
        let config = config.unwrap_or_else(|| match (home.join(".packer.d"), set("XDG_CONFIG_HOME")) {
            (old, _) if old.is_dir() => old,
            (_, Some(folder)) => PathBuf::from(folder).join("packer"),
            _ => home.join(".config/packer"),
        });
        let main = match set("PACKER_PLUGIN_PATH") {
            Some(path) if path.contains(':') => {
                return Err(format!("PACKER_PLUGIN_PATH names several folders (`{path}`); plugins are in one"));
            }
            Some(path) => PathBuf::from(path),
            None => config.join("plugins"),
        };
        Ok(Self { older: vec![main.clone()], main })
    }
}

/// The file that holds the checksum of a plugin.
#[must_use]
pub fn checksum_file(plugin: &Path) -> PathBuf {
    let mut name = plugin.as_os_str().to_owned();
    name.push("_SHA256SUM");
    name.into()
}

/// Reads the file name of a plugin: `packer-plugin-NAME_vVERSION_xMAJOR.MINOR_OS_ARCH`.
#[must_use]
pub fn parse_name(file: &str) -> Option<(String, Version, String)> {
    let rest = file.strip_prefix("packer-plugin-")?;
    let rest = rest.strip_suffix(".exe").unwrap_or(rest);
    let parts: Vec<&str> = rest.split('_').collect();
    let [name, version, api, os, arch] = parts.as_slice() else { return None };
    if *os != system() || *arch != architecture() || name.is_empty() || !version.starts_with('v') {
        return None;
    }
    Some(((*name).to_owned(), Version::parse(version)?, (*api).to_owned()))
}

/// This system, as Go calls it.
#[must_use]
pub fn system() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

/// This machine's architecture, as Go calls it.
#[must_use]
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

/// Finds the plugins below a folder whose file names begin so; `remarks` gets why others do not count.
#[must_use]
pub fn find(folder: &Path, wanted: &dyn Fn(&str, &Path) -> bool, remarks: &mut Vec<String>) -> Vec<Installed> {
    let mut files = Vec::new();
    list(folder, 0, &mut files);
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((name, version, api)) = parse_name(&file) else { continue };
        if !wanted(&name, &path) {
            continue;
        }
        match examine(&path, &name, version, &api) {
            Ok(plugin) => found.push(plugin),
            Err(reason) => remarks.push(format!("{} does not count: {reason}", path.display())),
        }
    }
    found
}

fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            if depth < MAX_DEPTH {
                list(&path, depth + 1, files);
            }
        } else if depth > 0 && entry.file_name().to_string_lossy().starts_with("packer-plugin-") {
            // What lies in the folder itself never counts.
            files.push(path);
        }
    }
}

/// Looks whether a file is the plugin that its name says.
///
/// # Errors
///
/// Returns why not, as a fragment.
pub fn examine(path: &Path, name: &str, version: Version, api: &str) -> Result<Installed, String> {
    let stated = std::fs::read_to_string(checksum_file(path)).map_err(|_| {
        format!("there is no {}", checksum_file(path).file_name().unwrap_or_default().to_string_lossy())
    })?;
    let digest = digest(path).map_err(|error| error.to_string())?;
    let stated = stated.trim_start().get(..64).unwrap_or_default().to_ascii_lowercase();
    if stated != digest {
        return Err("it is not what its checksum says".to_owned());
    }
    let description = describe(path)?;
    if description.version != version.to_string() {
        return Err(format!("it says that its version is {}", description.version));
    }
    if description.api_version != api {
        return Err(format!("it says that it speaks {}", description.api_version));
    }
    if api != "x5.0" {
        return Err(format!("it speaks {api} of the protocol; rpk x5.0"));
    }
    Ok(Installed { path: path.to_owned(), name: name.to_owned(), version, digest, description })
}

/// Returns the SHA-256 of a file in hexadecimal.
///
/// # Errors
///
/// Fails if the file cannot be read.
pub fn digest(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Has a plugin describe itself.
///
/// # Errors
///
/// Returns why it does not, as a fragment.
pub fn describe(path: &Path) -> Result<Description, String> {
    let output = run(Command::new(path).arg("describe"))?;
    serde_json::from_slice(&output).map_err(|error| format!("it does not describe itself: {error}"))
}

/// Runs a program that answers at once, and returns what it prints.
fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .env("CHECKPOINT_DISABLE", "1")
        .spawn()
        .map_err(|error| format!("it cannot be run: {error}"))?;
    let mut stdout = child.stdout.take().ok_or("it has no output")?;
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(&mut stdout, 1 << 20), &mut bytes).map(|_| bytes)
    });
    let began = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if began.elapsed() > DESCRIBE_LIMIT => {
                let _ = child.kill();
                let _ = child.wait();
                return Err("it does not answer".to_owned());
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    if !status.success() {
        return Err(format!("it ends with {status}"));
    }
    let bytes = reader.join().map_err(|_| "its output cannot be read".to_owned())?;
    bytes.map_err(|error| error.to_string())
}

/// Finds single components of the older generation in folders: kind and type to file.
#[must_use]
pub fn find_older(folders: &[PathBuf]) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = name.strip_suffix(".exe").unwrap_or(&name);
            let is_one = ["builder", "provisioner", "post-processor"]
                .iter()
                .any(|kind| name.strip_prefix("packer-").is_some_and(|rest| rest.starts_with(&format!("{kind}-"))));
            if is_one {
                found.insert(name.trim_start_matches("packer-").to_owned(), path);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_say_what_a_plugin_is() {
        let file = format!("packer-plugin-docker_v1.1.0_x5.0_{}_{}", system(), architecture());
        let (name, version, api) = parse_name(&file).expect("is one");
        assert_eq!((name.as_str(), version.to_string().as_str(), api.as_str()), ("docker", "1.1.0", "x5.0"));
        for other in
            ["packer-plugin-docker", "packer-plugin-docker_v1.1_x5.0_linux_amd64", &format!("{file}_SHA256SUM")]
        {
            assert_eq!(parse_name(other), None, "{other}");
        }
    }

    #[test]
    fn the_environment_says_where_plugins_are() {
        let folders = |pairs: &[(&str, &str)]| {
            let pairs: BTreeMap<String, String> =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Folders::find(&move |name| pairs.get(name).cloned()).map(|folders| folders.main.display().to_string())
        };
        assert_eq!(folders(&[("PACKER_PLUGIN_PATH", "/p")]).as_deref(), Ok("/p"));
        assert!(folders(&[("PACKER_PLUGIN_PATH", "/p:/q")]).is_err());
        assert_eq!(folders(&[("PACKER_CONFIG_DIR", "/c")]).as_deref(), Ok("/c/.packer.d/plugins"));
        assert_eq!(folders(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/none")]).as_deref(), Ok("/x/packer/plugins"));
        assert_eq!(folders(&[("HOME", "/none")]).as_deref(), Ok("/none/.config/packer/plugins"));
    }

    #[test]
    fn a_plugin_without_its_checksum_does_not_count() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let below = folder.path().join("github.com/acme/x");
        std::fs::create_dir_all(&below).expect("is writable");
        let file = below.join(format!("packer-plugin-x_v1.0.0_x5.0_{}_{}", system(), architecture()));
        std::fs::write(&file, "#!/bin/sh\n").expect("is writable");
        let mut remarks = Vec::new();
        assert!(find(folder.path(), &|_, _| true, &mut remarks).is_empty());
        assert!(remarks[0].contains("_SHA256SUM"), "{remarks:?}");
        std::fs::write(checksum_file(&file), "0".repeat(64)).expect("is writable");
        let mut remarks = Vec::new();
        assert!(find(folder.path(), &|_, _| true, &mut remarks).is_empty());
        assert!(remarks[0].contains("checksum"), "{remarks:?}");
    }
}
