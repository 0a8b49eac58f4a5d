//! What the user gave: the template's text, variable files, the environment.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rpk_planner::diagnostic::{Diagnostic, Diagnostics};
use rpk_planner::graph::Graph;
use rpk_planner::lower::{Inputs, Selection, lower};
use rpk_planner::span::Sources;
use rpk_planner::template::{Template, json, variable_file};
use rpk_runtime::registry::Registry;

use crate::cli::TemplateArguments;

/// A template that was read, and everything found on the way.
#[derive(Default)]
pub struct Read {
    /// All texts, for showing diagnostics.
    pub sources: Sources,
    /// What was found.
    pub diagnostics: Diagnostics,
    /// The template, unless it is malformed.
    pub template: Option<Template>,
    /// The template's path as the user gave it, or as it was found.
    pub name: String,
    /// A remark for the user, such as which template was taken.
    pub note: Option<String>,
    directory: PathBuf,
    file_variables: Vec<(String, String)>,
}

/// Reads the template and the variable files that the command line names.
pub fn read(arguments: &TemplateArguments) -> Read {
    let mut read = Read { directory: PathBuf::from("."), ..Read::default() };
    if let Err(problem) = read.read_template(arguments.template.as_deref()) {
        read.diagnostics.push(problem);
    }
    for path in &arguments.variable_files {
        if let Err(problem) = read.read_variables(path) {
            read.diagnostics.push(problem);
        }
    }
    read
}

impl Read {
    fn read_template(&mut self, path: Option<&Path>) -> Result<(), Diagnostic> {
        let path = match path {
            Some(path) if path == "-" => {
                let mut bytes = Vec::new();
                std::io::stdin().read_to_end(&mut bytes).map_err(|error| {
                    Diagnostic::error("rpk::input::read", format!("cannot read standard input: {error}"))
                })?;
                self.take_text("<stdin>", &bytes);
                return Ok(());
            }
            Some(path) if path.is_dir() => self.find(path)?,
            Some(path) => path.to_owned(),
            None => self.find(Path::new("."))?,
        };
        let name = path.display().to_string();
        if is_hcl(&path) {
            return Err(hcl_unsupported(&name));
        }
        let bytes = std::fs::read(&path).map_err(|error| unreadable("template", &path, &error))?;
        self.directory = path.parent().unwrap_or(Path::new(".")).to_owned();
        self.take_text(&name, &bytes);
        Ok(())
    }

    fn take_text(&mut self, name: &str, bytes: &[u8]) {
        name.clone_into(&mut self.name);
        // Bytes that are no UTF-8 become the replacement character, as in Go.
        let file = self.sources.add(name, String::from_utf8_lossy(bytes));
        let (template, problems) = json::read(&self.sources, file);
        self.template = template;
        self.diagnostics.extend(problems);
    }

    /// Finds the one template of a directory.
    fn find(&mut self, directory: &Path) -> Result<PathBuf, Diagnostic> {
        let listing = std::fs::read_dir(directory).map_err(|error| unreadable("directory", directory, &error))?;
        let mut files: Vec<PathBuf> = listing.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.sort();
        let (hcl, others): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|path| is_hcl(path));
        let templates: Vec<PathBuf> = others.into_iter().filter(|path| looks_like_a_template(path)).collect();
        let shown = |path: &Path| path.strip_prefix(".").unwrap_or(path).display().to_string();
        match templates.as_slice() {
            [one] => {
                self.note = Some(format!("Using template {}", shown(one)));
                Ok(one.strip_prefix(".").unwrap_or(one).to_owned())
            }
            [] if !hcl.is_empty() => Err(hcl_unsupported(&shown(&hcl[0]))),
            [] => Err(Diagnostic::error(
                "rpk::input::no_template",
                format!("there is no template in {}", directory.display()),
            )
            .help("name a template: a JSON file with `builders`")),
            several => {
                let names: Vec<String> = several.iter().map(|path| shown(path)).collect();
                Err(Diagnostic::error(
                    "rpk::input::several_templates",
                    format!("there are several templates in {}: {}", directory.display(), names.join(", ")),
                )
                .help(format!("name one of them, for example `{}`", names[0])))
            }
        }
    }

    fn read_variables(&mut self, path: &Path) -> Result<(), Diagnostic> {
        let bytes = std::fs::read(path).map_err(|error| unreadable("variable file", path, &error))?;
        let file = self.sources.add(path.display().to_string(), String::from_utf8_lossy(&bytes));
        match variable_file::read(&self.sources, file) {
            Ok(variables) => self.file_variables.extend(variables),
            Err(problems) => self.diagnostics.extend(problems),
        }
        Ok(())
    }

    /// Collects everything beside the template that values depend on.
    pub fn inputs(&self, arguments: &TemplateArguments, now_nanoseconds: i128) -> Inputs {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let working_directory = std::env::current_dir().unwrap_or_default().display().to_string();
        let template_directory = if self.directory.as_os_str().is_empty() || self.directory == Path::new(".") {
            working_directory.clone()
        } else {
            absolute(&self.directory).display().to_string()
        };
        Inputs {
            file_variables: self.file_variables.clone(),
            variables: arguments.variables.clone(),
            environment: environment(),
            now_nanoseconds,
            working_directory,
            template_directory,
            seed: uuid::Uuid::new_v4().as_u64_pair().0,
        }
    }

    /// Lowers the template as far as it could be read; there is a graph only if nothing at all is wrong.
    pub fn lower(
        &mut self,
        arguments: &TemplateArguments,
        registry: &Registry,
        now_nanoseconds: i128,
    ) -> Option<Graph> {
        let template = self.template.as_ref()?;
        let inputs = self.inputs(arguments, now_nanoseconds);
        let selection = selection(arguments);
        let (graph, mut problems) = lower(template, &inputs, &selection, registry);
        let is_whole = !self.diagnostics.has_errors();
        if !is_whole {
            // A builder that could not be read is missing wherever its name is used.
            problems.forget(&["rpk::lower::unknown_build", "rpk::lower::no_builder"]);
        }
        self.diagnostics.extend(problems);
        graph.filter(|_| is_whole)
    }
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect()
}

fn selection(arguments: &TemplateArguments) -> Selection {
    let split = |lists: &[String]| -> Vec<String> {
        lists.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect()
    };
    Selection { only: (!arguments.only.is_empty()).then(|| split(&arguments.only)), except: split(&arguments.except) }
}

/// Tells whether a path names an HCL2 template.
pub fn is_hcl(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".pkr.hcl") || name.ends_with(".pkr.json")
}

fn hcl_unsupported(name: &str) -> Diagnostic {
    Diagnostic::error("rpk::input::hcl2", format!("{name} is an HCL2 template; rpk reads legacy JSON templates only"))
        .help("give it a JSON template")
}

/// Tells whether a file is worth trying: a JSON file that speaks of builders.
fn looks_like_a_template(path: &Path) -> bool {
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return false;
    }
    let Ok(bytes) = std::fs::read(path) else {
        return false;
    };
    match serde_json::from_slice::<serde_json::Value>(&bytes) {
        Ok(value) => value.as_object().is_some_and(|root| root.keys().any(|key| key.eq_ignore_ascii_case("builders"))),
        // A slip in the one template should be shown, not make it invisible.
        Err(_) => String::from_utf8_lossy(&bytes).contains("\"builders\""),
    }
}

fn unreadable(what: &str, path: &Path, error: &std::io::Error) -> Diagnostic {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "reading it is not permitted".to_owned(),
        _ => error.to_string(),
    };
    let problem = Diagnostic::error("rpk::input::read", format!("cannot read {what} {}: {reason}", path.display()));
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            let here = std::env::current_dir().unwrap_or_default();
            problem.help(format!("check the path; it is relative to {}", here.display()))
        }
        _ => problem,
    }
}
