//! What the user gave: the template's text, variable files, the environment.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rpk_planner::diagnostic::{Diagnostic, Diagnostics};
use rpk_planner::graph::Graph;
use rpk_planner::lower::hcl::{Answer, Answers, DataRequest, Given, GivenText, HclInputs, check_variables, lower_hcl};
use rpk_planner::lower::{Inputs, Selection, lower};
use rpk_planner::span::{FileId, Sources};
use rpk_planner::template::{Written, hcl, json, variable_file};
use rpk_runtime::registry::Registry;

use crate::cli::TemplateArguments;
use crate::files::Disk;

/// A template that was read, and everything found on the way.
#[derive(Default)]
pub struct Read {
    /// All texts, for showing diagnostics.
    pub sources: Sources,
    /// What was found.
    pub diagnostics: Diagnostics,
    /// The template, unless it is malformed.
    pub template: Option<Written>,
    /// The template's path as the user gave it, or as it was found.
    pub name: String,
    /// A remark for the user, such as which template was taken.
    pub note: Option<String>,
    /// Random bits for functions that give random ids.
    pub seed: u64,
    directory: PathBuf,
    /// For HCL2: the folder of the template as the user named it.
    root: String,
    file_variables: Vec<(String, String)>,
    given: Given,
    /// Whether data sources are asked for their values.
    asks: bool,
    /// Data sources that have to be asked before their values are known.
    requests: Vec<DataRequest>,
}

/// Reads the template and the variable files that the command line names.
pub fn read(arguments: &TemplateArguments) -> Read {
    let seed = uuid::Uuid::new_v4().as_u64_pair().0;
    let mut read = Read { directory: PathBuf::from("."), seed, ..Read::default() };
    if let Err(problem) = read.read_template(arguments.template.as_deref()) {
        read.diagnostics.push(problem);
    }
    let is_hcl = matches!(read.template, Some(Written::Hcl(_)));
    for path in &arguments.variable_files {
        let result = if is_hcl { read.read_hcl_variables(path) } else { read.read_variables(path) };
        if let Err(problem) = result {
            read.diagnostics.push(problem);
        }
    }
    if is_hcl {
        read.take_texts(arguments);
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
            Some(path) if path.is_dir() => match self.hcl_folder(path)? {
                Some(files) => return self.read_hcl(path, &files),
                None => self.find(path)?,
            },
            Some(path) if is_hcl(path) => {
                let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                self.directory = folder.to_owned();
                self.root = folder.display().to_string();
                return self.read_hcl_files(path.display().to_string(), &[path.to_owned()]);
            }
            Some(path) => path.to_owned(),
            None => match self.hcl_folder(Path::new("."))? {
                Some(files) => {
                    self.note = Some("Using the HCL2 template in this directory".to_owned());
                    return self.read_hcl(Path::new("."), &files);
                }
                None => self.find(Path::new("."))?,
            },
        };
        let name = path.display().to_string();
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
        self.template = template.map(|template| Written::Legacy(Box::new(template)));
        self.diagnostics.extend(problems);
    }

    /// Lists the HCL2 files of a folder in the order in which they are read: none if there are none.
    fn hcl_folder(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, Diagnostic> {
        let mut files = listing(folder, ".pkr.hcl")?;
        files.extend(listing(folder, ".pkr.json")?);
        Ok((!files.is_empty()).then_some(files))
    }

    fn read_hcl(&mut self, folder: &Path, files: &[PathBuf]) -> Result<(), Diagnostic> {
        folder.clone_into(&mut self.directory);
        self.root = folder.display().to_string();
        self.read_hcl_files(folder.display().to_string(), files)?;
        for suffix in [".auto.pkrvars.hcl", ".auto.pkrvars.json"] {
            for path in listing(folder, suffix)? {
                self.read_hcl_variables(&path)?;
            }
        }
        Ok(())
    }

    fn read_hcl_files(&mut self, name: String, files: &[PathBuf]) -> Result<(), Diagnostic> {
        self.name = name;
        let mut ids = Vec::new();
        for path in files {
            ids.push(self.add_file("template", path)?);
        }
        let (template, problems) = hcl::read(&self.sources, &ids);
        self.diagnostics.extend(problems);
        self.template = Some(Written::Hcl(template));
        Ok(())
    }

    fn add_file(&mut self, what: &str, path: &Path) -> Result<FileId, Diagnostic> {
        let bytes = std::fs::read(path).map_err(|error| unreadable(what, path, &error))?;
        let name = path.strip_prefix(".").unwrap_or(path).display().to_string();
        let text = String::from_utf8(bytes).map_err(|_| {
            Diagnostic::error("rpk::input::encoding", format!("{name} is not UTF-8"))
                .help("save the file as UTF-8 without a byte-order mark")
        })?;
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(self.sources.add(name, text))
    }

    /// Finds the one template of a directory.
    fn find(&mut self, directory: &Path) -> Result<PathBuf, Diagnostic> {
        let listing = std::fs::read_dir(directory).map_err(|error| unreadable("directory", directory, &error))?;
        let mut files: Vec<PathBuf> = listing.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.sort();
        let templates: Vec<PathBuf> = files.into_iter().filter(|path| looks_like_a_template(path)).collect();
        let shown = |path: &Path| path.strip_prefix(".").unwrap_or(path).display().to_string();
        match templates.as_slice() {
            [one] => {
                self.note = Some(format!("Using template {}", shown(one)));
                Ok(one.strip_prefix(".").unwrap_or(one).to_owned())
            }
            [] => Err(Diagnostic::error(
                "rpk::input::no_template",
                format!("there is no template in {}", directory.display()),
            )
            .help("name a template: a folder with `.pkr.hcl` files, or a JSON file with `builders`")),
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

    fn read_hcl_variables(&mut self, path: &Path) -> Result<(), Diagnostic> {
        if !path.extension().is_some_and(|extension| extension == "hcl" || extension == "json") {
            return Err(Diagnostic::error(
                "rpk::input::variable_file",
                format!("{} is no file of variables: its name ends neither in `.hcl` nor in `.json`", path.display()),
            )
            .help("call it something like `values.pkrvars.hcl`"));
        }
        let file = self.add_file("variable file", path)?;
        let (values, problems) = hcl::read_variables(&self.sources, file);
        self.diagnostics.extend(problems);
        self.given.files.push(values);
        Ok(())
    }

    /// Takes the values that HCL2's variables have from the command line and the environment.
    fn take_texts(&mut self, arguments: &TemplateArguments) {
        for (name, value) in environment() {
            if let Some(name) = name.strip_prefix("PKR_VAR_") {
                let file = self.sources.add(format!("<value for var.{name} from env>"), value);
                self.given.environment.push(GivenText { name: name.to_owned(), file });
            }
        }
        for (name, value) in &arguments.variables {
            let file = self.sources.add(format!("<value for var.{name} from arguments>"), value.as_str());
            self.given.arguments.push(GivenText { name: name.clone(), file });
        }
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
            seed: self.seed,
        }
    }

    /// Collects everything beside an HCL2 template that values depend on.
    pub fn hcl_inputs(&self, arguments: &TemplateArguments, now_nanoseconds: i128) -> HclInputs {
        HclInputs {
            common: self.inputs(arguments, now_nanoseconds),
            root: self.root.clone(),
            given: self.given.clone(),
            files: Arc::new(Disk),
            data: Answers::new(),
        }
    }

    /// Says whether names that the template does not declare, in files of variables, are worth a warning.
    pub fn warn_of_undeclared(&mut self, warns: bool) {
        self.given.warns_of_undeclared = warns;
    }

    /// Checks the values of an HCL2 template's variables, which a check of the syntax includes.
    pub fn check_variables(&mut self, arguments: &TemplateArguments, now_nanoseconds: i128) {
        if let Some(Written::Hcl(template)) = &self.template {
            let inputs = self.hcl_inputs(arguments, now_nanoseconds);
            self.diagnostics.extend(check_variables(template, &inputs, &self.sources));
        }
    }

    /// Lowers the template as far as it could be read; there is a graph only if nothing at all is wrong.
    pub fn lower(
        &mut self,
        arguments: &TemplateArguments,
        registry: &Registry,
        now_nanoseconds: i128,
    ) -> Option<Graph> {
        let selection = selection(arguments);
        let is_whole = !self.diagnostics.has_errors();
        let (graph, mut problems) = match self.template.as_ref()? {
            Written::Legacy(template) => {
                lower(template, &self.inputs(arguments, now_nanoseconds), &selection, registry)
            }
            // What was read is full of holes; more errors would be about those.
            Written::Hcl(_) if !is_whole => return None,
            Written::Hcl(template) => {
                let mut inputs = self.hcl_inputs(arguments, now_nanoseconds);
                let mut answers = Diagnostics::default();
                loop {
                    let (graph, requests, mut problems) =
                        lower_hcl(template, &inputs, &selection, registry, &self.sources);
                    // What is asked for next may depend on what was answered, so each round asks what it can.
                    let answered = self.asks && ask(&requests, registry, &mut inputs.data, &mut answers);
                    if !answered {
                        // A failure was said; what it leaves unknown needs no further word.
                        self.requests = if answers.has_errors() { Vec::new() } else { requests };
                        problems.extend(answers);
                        break (graph, problems);
                    }
                }
            }
        };
        if !is_whole {
            // A builder that could not be read is missing wherever its name is used.
            problems.forget(&["rpk::lower::unknown_build", "rpk::lower::no_builder"]);
        }
        self.diagnostics.extend(problems);
        graph.filter(|_| !self.diagnostics.has_errors())
    }
}

/// Asks data sources for their values; tells whether any of them has answered.
fn ask(requests: &[DataRequest], registry: &Registry, data: &mut Answers, problems: &mut Diagnostics) -> bool {
    let mut has_answered = false;
    for request in requests {
        let began = Instant::now();
        match registry.ask(&request.kind, &request.settings) {
            None => {}
            Some(Ok(value)) => {
                let answer = Answer { value, took: began.elapsed() };
                data.insert((request.kind.clone(), request.name.clone()), answer);
                has_answered = true;
            }
            Some(Err(failure)) => {
                let name = format!("{}.{}", request.kind, request.name);
                problems.push(
                    Diagnostic::error("rpk::input::data_source", format!("data source `{name}` failed: {failure}"))
                        .at(request.span, "gives no value"),
                );
                return false;
            }
        }
    }
    has_answered
}

impl Read {
    /// Lets data sources be asked for their values when the template is lowered.
    pub fn ask_data_sources(&mut self) {
        self.asks = true;
    }

    /// Says that the values of some data sources are not known, as an error where they have to be.
    pub fn report_unasked(&mut self, is_error: bool) {
        let make = if is_error { Diagnostic::error } else { Diagnostic::warning };
        for request in std::mem::take(&mut self.requests) {
            let name = format!("{}.{}", request.kind, request.name);
            let message = if self.asks {
                format!("data source `{name}` cannot be asked by rpk yet")
            } else {
                format!("data source `{name}` was not asked")
            };
            self.diagnostics.push(
                make("rpk::input::data_source", message)
                    .at(request.span, "its values are not known")
                    .help("give the value as a variable, and use that in its place"),
            );
        }
    }
}

/// Lists the files of a folder whose names end so, in the order of their bytes.
fn listing(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>, Diagnostic> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable("directory", folder, &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(suffix))
        .map(|entry| entry.path())
        .filter(|path| std::fs::symlink_metadata(path).is_ok_and(|it| !it.is_dir()))
        .collect();
    files.sort();
    Ok(files)
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
