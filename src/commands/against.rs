//! `rpk plan -against=…`: what a change does to the plan.
//!
//! What the plan is compared with is a file, if there is one of that name: a saved plan, a plan in JSON, a template or
//! a folder with one. Otherwise it is a revision of the template's Git repository. The files of a revision stand in a
//! temporary folder while its plan is made, and the process stands there too, so that relative paths lead to what the
//! revision holds.

use std::path::{Path, PathBuf};

use rpk_planner::plan::PlanRecord;
use rpk_planner::render::{comparison_json, comparison_markdown, comparison_text};

use super::plan::{Planned, Request, prepare};
use super::saved::SavedPlan;
use crate::cli::{PlanArguments, PlanFormat, TemplateArguments};
use crate::exit::Exit;
use crate::report::{diagnostic, write_out};
use crate::revision::Revision;

/// Prints what distinguishes the plan from an earlier one.
pub fn run(arguments: &PlanArguments, planned: &Planned, against: &str) -> Exit {
    let Some(before) = record(arguments, planned, against) else {
        return Exit::Failure;
    };
    let plan = &planned.plan;
    let comparison = plan.compare(&before);
    write_out(&match arguments.format {
        PlanFormat::Text => comparison_text(plan, &comparison, against, planned.screen.is_coloured()),
        PlanFormat::Json => {
            comparison_json(plan, &comparison, against, env!("CARGO_PKG_VERSION"), diagnostics(planned))
        }
        PlanFormat::Markdown => comparison_markdown(plan, &comparison, against),
    });
    if arguments.detailed_exitcode && comparison.reruns() > 0 { Exit::SomethingToRun } else { Exit::Success }
}

/// Writes what was found in a template in its form for scripts.
pub fn diagnostics(planned: &Planned) -> Vec<serde_json::Value> {
    let read = &planned.read;
    read.diagnostics.iter().map(|found| diagnostic::json(&read.sources, found)).collect()
}

/// Finds the plan to compare with; says why there is none.
fn record(arguments: &PlanArguments, planned: &Planned, against: &str) -> Option<PlanRecord> {
    let path = Path::new(against);
    if !path.exists() {
        return of_revision(arguments, planned, against);
    }
    if path.is_file()
        && let Ok(bytes) = std::fs::read(path)
    {
        match SavedPlan::read(&bytes) {
            Some(Ok(saved)) => {
                // Digests of sensitive values are compared only where both are made with one secret.
                let is_ours = saved.is_of_store(&planned.plan);
                return Some(PlanRecord { is_whole: is_ours && saved.plan.is_whole, ..saved.plan });
            }
            Some(Err(problem)) => {
                planned.screen.error(&format!("cannot read {against}: {problem}"), None);
                return None;
            }
            None => {}
        }
        let plan = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
        if let Some(record) = plan.as_ref().and_then(PlanRecord::from_json) {
            return Some(record);
        }
    }
    let template = TemplateArguments { template: Some(path.to_owned()), ..arguments.template.clone() };
    Some(before(arguments, planned, &template)?.plan.record())
}

/// Plans an earlier template with the options of now.
fn before(arguments: &PlanArguments, planned: &Planned, template: &TemplateArguments) -> Option<Planned> {
    let made = prepare(Request {
        targets: &arguments.target,
        is_offline: arguments.offline,
        beside: Some(planned),
        ..Request::of(template, &arguments.output)
    });
    if made.is_none() {
        planned.screen.error("the plan to compare with cannot be made", Some("see the errors above"));
    }
    made
}

fn of_revision(arguments: &PlanArguments, planned: &Planned, revision: &str) -> Option<PlanRecord> {
    let complain = |message: &str| {
        planned.screen.error(message, Some("name a file or a revision, such as `-against=HEAD` or `-against=main`"));
        None::<PlanRecord>
    };
    let current = std::env::current_dir().ok()?;
    let given = match arguments.template.template.as_deref() {
        Some(path) if path == "-" => return complain("a template from standard input has no revisions"),
        Some(path) => path,
        None => Path::new(&planned.read.name),
    };
    // Symbolic links are followed up to the folder, as git does, yet a template may itself be one.
    let folder = if given.is_dir() { given } else { parent(given) };
    let Ok(folder) = folder.canonicalize() else {
        return complain(&format!("there is no folder {}", folder.display()));
    };
    let taken_out = match Revision::take_out(&folder, revision) {
        Ok(taken_out) => taken_out,
        Err(message) => return complain(&message),
    };
    let template = if given.is_dir() { Some(folder) } else { given.file_name().map(|name| folder.join(name)) };
    let was = template.as_deref().and_then(|path| taken_out.locate(path));
    if !was.as_deref().is_some_and(Path::exists) {
        planned.screen.note(Some("The template is new since that revision"));
        return Some(PlanRecord { is_whole: true, ..PlanRecord::default() });
    }
    let here = current.canonicalize().unwrap_or_else(|_| current.clone());
    let there = taken_out.locate(&here).filter(|path| path.is_dir());
    // Names stay as they were given as long as the working directory has its like among the files taken out.
    let template = TemplateArguments {
        template: if there.is_some() && given.is_relative() { arguments.template.template.clone() } else { was },
        variable_files: arguments
            .template
            .variable_files
            .iter()
            .map(|path| variable_file(path, &here, &taken_out))
            .collect(),
        ..arguments.template.clone()
    };
    if let Some(there) = &there
        && std::env::set_current_dir(there).is_err()
    {
        return complain("the files of the revision cannot be read");
    }
    let made = before(arguments, planned, &template);
    if std::env::set_current_dir(&current).is_err() {
        return complain("the working directory is gone");
    }
    let made = made?;
    let (tree, repository) = (taken_out.tree.display().to_string(), taken_out.repository.display().to_string());
    Some(made.plan.relocated_record(&tree, &repository))
}

/// Takes a file of variables as it was, or as it is if the revision does not have it.
fn variable_file(path: &Path, here: &Path, taken_out: &Revision) -> PathBuf {
    let absolute = here.join(path);
    let absolute = absolute.canonicalize().unwrap_or(absolute);
    taken_out.locate(&absolute).filter(|path| path.is_file()).unwrap_or(absolute)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
