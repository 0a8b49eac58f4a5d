//! What stands at a path of layers that lie over each other, without mounting them.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::pack::is_opaque;

/// Finds what a path leads to, no symbolic link followed: the file's own path and what it is.
///
/// `layers` has the topmost first.
pub fn look(layers: &[PathBuf], path: &str) -> Option<(PathBuf, Metadata)> {
    let mut seen: Vec<PathBuf> = layers.to_vec();
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let mut found = None;
    for (index, name) in names.iter().enumerate() {
        let mut folders = Vec::new();
        found = None;
        for folder in &seen {
            let candidate = folder.join(name);
            let Ok(metadata) = fs::symlink_metadata(&candidate) else { continue };
            if metadata.file_type().is_char_device() && metadata.rdev() == 0 {
                break;
            }
            let is_folder = metadata.is_dir();
            if found.is_none() {
                found = Some((candidate.clone(), metadata));
            }
            if !is_folder {
                break;
            }
            let is_last = is_opaque(&candidate);
            folders.push(candidate);
            if is_last {
                break;
            }
        }
        let (_, metadata) = found.as_ref()?;
        if index + 1 < names.len() && !metadata.is_dir() {
            return None;
        }
        seen = folders;
    }
    found.or_else(|| root(layers))
}

fn root(layers: &[PathBuf]) -> Option<(PathBuf, Metadata)> {
    let top: &Path = layers.first()?;
    Some((top.to_owned(), fs::symlink_metadata(top).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topmost_file_counts_and_folders_join() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (top, bottom) = (folder.path().join("top"), folder.path().join("bottom"));
        for path in ["top/a/b", "bottom/a/c"] {
            fs::create_dir_all(folder.path().join(path)).expect("is new");
        }
        fs::write(bottom.join("a/f"), "").expect("is writable");
        fs::write(top.join("x"), "").expect("is writable");
        fs::create_dir_all(bottom.join("x/y")).expect("is new");
        let layers = [top.clone(), bottom.clone()];
        let at = |path: &str| look(&layers, path).map(|(path, _)| path);
        assert_eq!(at("/a/f"), Some(bottom.join("a/f")));
        assert_eq!(at("/a/b"), Some(top.join("a/b")));
        assert_eq!(at("/x"), Some(top.join("x")));
        assert_eq!(at("/x/y"), None, "a file covers a folder");
        assert_eq!(at("/"), Some(top));
        assert_eq!(at("/none"), None);
    }
}
