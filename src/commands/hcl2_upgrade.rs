//! `rpk hcl2_upgrade`

use std::path::PathBuf;

use rpk_planner::span::Sources;
use rpk_planner::template::json;
use rpk_planner::upgrade::upgrade;
use rpk_runtime::registry::Registry;

use crate::cli::UpgradeArguments;
use crate::exit::Exit;
use crate::report::{Screen, write_out};

/// Writes a legacy JSON template in HCL2, into a file beside it.
pub fn run(arguments: &UpgradeArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let path = &arguments.template;
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            screen.error(&format!("cannot read template {}: {error}", path.display()), None);
            return Exit::Failure;
        }
    };
    let mut sources = Sources::default();
    let file = sources.add(path.display().to_string(), String::from_utf8_lossy(&bytes));
    let (template, problems) = json::read(&sources, file);
    screen.diagnostics(&sources, &problems);
    let Some(template) = template.filter(|_| !problems.has_errors()) else {
        return Exit::Failure;
    };
    let upgraded = upgrade(&template, &Registry::default(), arguments.with_annotations);
    let target = arguments.output_file.clone().unwrap_or_else(|| {
        let mut name = path.clone().into_os_string();
        name.push(".pkr.hcl");
        PathBuf::from(name)
    });
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let written = folder.map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&target, &upgraded.text));
    if let Err(error) = written {
        screen.error(&format!("cannot write {}: {error}", target.display()), None);
        return Exit::Failure;
    }
    for note in &upgraded.notes {
        screen.note(Some(note));
    }
    write_out(&format!("Successfully created {}\n", target.display()));
    Exit::Success
}
