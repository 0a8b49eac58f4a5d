//! `rpk fmt`

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use rpk_planner::diagnostic::Diagnostics;
use rpk_planner::hcl;
use rpk_planner::span::Sources;

use crate::cli::FmtArguments;
use crate::exit::Exit;
use crate::report::{Screen, write_out};

/// The endings of the files that are formatted.
const ENDINGS: [&str; 2] = [".pkr.hcl", ".pkrvars.hcl"];

/// Rewrites HCL2 files in the canonical form. A file that fails is left alone; the others are still done.
pub fn run(arguments: &FmtArguments) -> Exit {
    let mut formatting =
        Formatting { arguments, screen: Screen::new(&arguments.output), has_failed: false, has_changed: false };
    for path in &arguments.paths {
        if path == Path::new("-") {
            formatting.standard_input();
        } else if path.is_dir() {
            formatting.folder(path);
        } else if is_formatted(path) {
            formatting.file(path);
        } else {
            formatting.fail(
                &format!("{} is not a HCL file", path.display()),
                Some("name a file that ends in `.pkr.hcl` or `.pkrvars.hcl`, or a folder"),
            );
        }
    }
    if formatting.has_failed {
        Exit::Failure
    } else if arguments.check && formatting.has_changed {
        Exit::WouldChange
    } else {
        Exit::Success
    }
}

struct Formatting<'a> {
    arguments: &'a FmtArguments,
    screen: Screen,
    has_failed: bool,
    has_changed: bool,
}

impl Formatting<'_> {
    fn fail(&mut self, message: &str, help: Option<&str>) {
        self.has_failed = true;
        self.screen.error(message, help);
    }

    fn writes(&self) -> bool {
        self.arguments.write && !self.arguments.check
    }

    fn standard_input(&mut self) {
        let mut bytes = Vec::new();
        if let Err(error) = std::io::stdin().read_to_end(&mut bytes) {
            return self.fail(&format!("cannot read standard input: {error}"), None);
        }
        let Some((text, formatted)) = self.format("<stdin>", bytes) else {
            return;
        };
        let changes = text != formatted;
        self.has_changed |= changes;
        // As Packer has it: what would not be written is not shown either.
        if !changes || self.writes() {
            write_out(&formatted);
        }
    }

    fn folder(&mut self, folder: &Path) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.fail(&format!("cannot read folder {}: {error}", folder.display()), None),
        };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            // `./name` is shown as `name`.
            .map(|path| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path))
            .collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| !is_hidden(path)) {
            if path.is_dir() {
                if self.arguments.recursive {
                    self.folder(&path);
                }
            } else if is_formatted(&path) {
                self.file(&path);
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return self.fail(&format!("cannot read {name}: {error}"), None),
        };
        let Some((text, formatted)) = self.format(&name, bytes) else {
            return;
        };
        if text == formatted {
            return;
        }
        self.has_changed = true;
        write_out(&format!("{name}\n"));
        if self.arguments.diff {
            let diff = similar::TextDiff::from_lines(&text, &formatted);
            let (old, new) = (format!("old/{name}"), format!("new/{name}"));
            write_out(&diff.unified_diff().header(&old, &new).to_string());
        }
        if self.writes()
            && let Err(error) = replace(path, &formatted)
        {
            self.fail(&format!("cannot write {name}: {error}"), None);
        }
    }

    /// Formats a text, or shows why it cannot be.
    fn format(&mut self, name: &str, bytes: Vec<u8>) -> Option<(String, String)> {
        let Ok(text) = String::from_utf8(bytes) else {
            self.fail(&format!("{name} is not UTF-8"), Some("save it as UTF-8"));
            return None;
        };
        let parsed = hcl::parse(&text);
        if parsed.errors.is_empty() {
            let formatted = hcl::format(&text);
            return Some((text, formatted));
        }
        self.has_failed = true;
        let mut sources = Sources::default();
        let file = sources.add(name, text);
        let mut problems = Diagnostics::default();
        for error in parsed.errors {
            problems.push(error.diagnostic(file));
        }
        self.screen.diagnostics(&sources, &problems);
        None
    }
}

/// Replaces a file as a whole, keeping its mode.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let permissions = std::fs::metadata(path)?.permissions();
    // A link is followed, so that it stays one.
    if std::fs::symlink_metadata(path)?.is_symlink() {
        return std::fs::write(path, text);
    }
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(permissions)?;
    file.persist(path)?;
    Ok(())
}

fn is_formatted(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Tells whether a name is one that editors and version control keep for themselves.
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.ends_with('~') || name.starts_with('#') && name.ends_with('#')
}
