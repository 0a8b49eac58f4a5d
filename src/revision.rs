//! Files as they were at a revision: taken out of a Git repository into a temporary folder.
//!
//! It is `git` that reads the repository, as attributes and filters are its own affair. The repository's index and
//! working tree are left alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A repository's files at a revision.
#[derive(Debug)]
pub struct Revision {
    /// Removes the files in the end.
    _folder: TempDir,
    /// The folder with the revision's files.
    pub tree: PathBuf,
    /// The repository's own folder.
    pub repository: PathBuf,
}

impl Revision {
    /// Takes out all files of a revision of the repository that a folder is in.
    ///
    /// # Errors
    ///
    /// A message in words: there is no `git`, no repository, no such revision, or no space.
    pub fn take_out(folder: &Path, revision: &str) -> Result<Self, String> {
        let repository = PathBuf::from(git(folder, &["rev-parse", "--show-toplevel"], None)?);
        let name = format!("{revision}^{{commit}}");
        let commit = git(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name], None)
            .map_err(|_| format!("{revision} is neither a file nor a revision of {}", repository.display()))?;
        let folder = tempfile::Builder::new()
            .prefix("rpk-revision-")
            .tempdir()
            .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        let index = folder.path().join("index");
        git(&repository, &["read-tree", &commit], Some(&index))?;
        let tree = folder.path().join("tree");
        let tree = std::fs::create_dir(&tree)
            .and_then(|()| tree.canonicalize())
            .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        // The prefix is taken literally: without the slash it would be a part of the files' names.
        let prefix = format!("--prefix={}/", tree.display());
        git(&repository, &["checkout-index", "--all", "--quiet", &prefix], Some(&index))?;
        Ok(Self { _folder: folder, tree, repository })
    }

    /// Returns where a path of the repository stands among the files taken out; none if it is outside.
    pub fn locate(&self, path: &Path) -> Option<PathBuf> {
        let inside = path.strip_prefix(&self.repository).ok()?;
        Some(self.tree.join(inside))
    }
}

/// Runs `git` in a folder; returns its output without the last line break.
fn git(folder: &Path, arguments: &[&str], index: Option<&Path>) -> Result<String, String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "core.fsmonitor=false"]).args(arguments);
    // A hook of git's own, which rpk may be called in, speaks of its repository in these.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    if let Some(index) = index {
        command.env("GIT_INDEX_FILE", index);
    }
    let output = command.output().map_err(|error| format!("cannot run git: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.trim().strip_prefix("fatal: ").unwrap_or(words.trim());
        return Err(format!("git {} failed: {words}", arguments[0]));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches(['\n', '\r']).to_owned())
}
