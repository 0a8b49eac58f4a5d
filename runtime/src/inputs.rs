//! Files and folders of this machine that options name: one table says both what is checked and what the cache reads.

use std::path::Path;

use rpk_planner::catalog::{Problem, Reads, Settings};
use rpk_planner::chain::is_marked;

/// What must stand where an option points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Either of them.
    Any,
}

/// An option that names one path, or a list of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input {
    option: &'static str,
    wanted: Wanted,
}

impl Input {
    /// An option that names files.
    pub(crate) const fn file(option: &'static str) -> Self {
        Self { option, wanted: Wanted::File }
    }

    /// An option that names folders.
    pub(crate) const fn folder(option: &'static str) -> Self {
        Self { option, wanted: Wanted::Folder }
    }

    /// An option that names files or folders.
    pub(crate) const fn any(option: &'static str) -> Self {
        Self { option, wanted: Wanted::Any }
    }

    /// The paths that the option names.
    fn paths(self, settings: &Settings) -> Vec<&str> {
        let given: Vec<&str> = match settings.get(self.option) {
            Some(serde_json::Value::String(path)) => vec![path],
            Some(serde_json::Value::Array(paths)) => paths.iter().filter_map(|path| path.as_str()).collect(),
            _ => Vec::new(),
        };
        given.into_iter().filter(|path| !path.is_empty()).collect()
    }
}

/// Checks that there is what the options name. Paths that are known only while running are left out.
pub(crate) fn check(settings: &Settings, inputs: &[Input]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for input in inputs {
        for path in input.paths(settings) {
            if is_marked(path) || path.contains("{{") {
                continue;
            }
            let found = std::fs::metadata(Path::new(path));
            let noun = if input.wanted == Wanted::Folder { "folder" } else { "file" };
            let problem = match (found, input.wanted) {
                (Err(_), _) => Problem::with(input.option, format!("there is no {noun} {path}"))
                    .help("paths are relative to the working directory, not to the template"),
                (Ok(found), Wanted::File) if found.is_dir() => {
                    Problem::with(input.option, format!("{path} is a folder")).help("name a file")
                }
                (Ok(found), Wanted::Folder) if !found.is_dir() => {
                    Problem::with(input.option, format!("{path} is no folder")).help("name a folder")
                }
                _ => continue,
            };
            problems.push(problem);
        }
    }
    problems
}

/// Lists what the options name, for the cache: contents, names and modes below folders.
pub(crate) fn reads(settings: &Settings, inputs: &[Input]) -> Vec<Reads> {
    let paths = inputs.iter().flat_map(|input| input.paths(settings).into_iter().map(|path| (path, input.wanted)));
    // A single file is uploaded with a mode of its own, so that its bytes alone count.
    paths.map(|(path, wanted)| Reads { path: path.to_owned(), is_tree: wanted != Wanted::File }).collect()
}

/// The last part of a path, as it is called on the machine.
pub(crate) fn base_name(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_options_name_must_be_there_and_of_the_right_kind() {
        let inputs = [Input::file("file"), Input::folder("folders"), Input::any("any")];
        for (settings, messages) in [
            (r#"{"file": "Cargo.toml", "folders": ["src"], "any": "src"}"#, vec![]),
            (r#"{"file": "src", "any": "{{ .Late }}"}"#, vec!["src is a folder"]),
            (
                r#"{"folders": ["Cargo.toml", "/nowhere"]}"#,
                vec!["Cargo.toml is no folder", "there is no folder /nowhere"],
            ),
            (r#"{"file": "", "any": "/nowhere"}"#, vec!["there is no file /nowhere"]),
        ] {
            let settings: Settings = serde_json::from_str(settings).expect("is an object");
            let problems = check(&settings, &inputs);
            assert_eq!(problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>(), messages);
        }
    }

    #[test]
    fn names_and_modes_count_below_folders_only() {
        let settings: Settings = serde_json::from_str(r#"{"f": "a", "d": ["b", ""]}"#).expect("is an object");
        let reads = reads(&settings, &[Input::file("f"), Input::folder("d")]);
        let expected = [("a", false), ("b", true)].map(|(path, is_tree)| Reads { path: path.to_owned(), is_tree });
        assert_eq!(reads, expected);
    }
}
