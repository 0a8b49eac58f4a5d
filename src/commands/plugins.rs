//! `rpk plugins` and `rpk init`: which plugins are installed, and how they come there and go.

use std::path::Path;

use rpk_planner::template::Written;
use rpk_runtime::failure::{Failure, Outcome};
use rpk_runtime::plugin::Required;
use rpk_runtime::plugin::folder::{self, Folders};
use rpk_runtime::plugin::install::{self, Mirror};
use rpk_runtime::plugin::version::Constraint;

use crate::cli::{InitArguments, PluginAction, PluginsArguments, TemplateArguments};
use crate::exit::Exit;
use crate::report::{Screen, write_out};
use crate::{input, plugins};

/// Lists, installs or removes plugins.
pub fn run(arguments: &PluginsArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
    let done = match (arguments.action, words.as_slice()) {
        (PluginAction::Installed, []) => installed(&screen),
        (PluginAction::Required, [] | [_]) => required(words.first().copied(), &screen),
        (PluginAction::Install, [source]) => install(arguments, source, ">= 0", &screen),
        (PluginAction::Install, [source, version]) => install(arguments, source, version, &screen),
        (PluginAction::Remove, [source]) => remove(source, ">= 0", &screen),
        (PluginAction::Remove, [source, version]) => remove(source, version, &screen),
        _ => Err(Failure::new("these are not the words that this needs").help(
            "write `rpk plugins installed`, `required [TEMPLATE]`, `install [-path FILE] SOURCE [VERSION]` or \
             `remove SOURCE [VERSION]`",
        )),
    };
    finish(done, &screen)
}

/// Installs the plugins that a template requires.
pub fn init(arguments: &InitArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let mut read = input::read(&arguments.template);
    screen.diagnostics(&read.sources, &read.diagnostics);
    if read.diagnostics.has_errors() {
        return Exit::Failure;
    }
    let Some(Written::Hcl(template)) = read.template.take() else {
        write_out("A legacy template requires no plugins by name; `rpk plugins install` installs single ones.\n");
        return Exit::Success;
    };
    let required = plugins::required(&template);
    if required.is_empty() {
        write_out("The template requires no plugins.\n");
        return Exit::Success;
    }
    let done = folders().and_then(|folders| {
        for plugin in &required {
            init_one(&folders, plugin, arguments, &screen)?;
        }
        Ok(())
    });
    finish(done, &screen)
}

fn init_one(folders: &Folders, required: &Required, arguments: &InitArguments, screen: &Screen) -> Outcome<()> {
    if let Some(plugin) = install::installed(folders, required).filter(|_| !arguments.upgrade) {
        write_out(&format!("{} {} is installed: {}\n", required.source, plugin.version, plugin.path.display()));
        return Ok(());
    }
    let Some(mirror) = mirror(arguments.mirror.as_deref()) else {
        if plugins::is_hashicorps(&required.source) {
            let own = "rpk's own components serve where it has them, and an installed Packer where not";
            screen.note(Some(&format!("{} is not installed: {own}", required.source)));
            return Ok(());
        }
        return Err(no_mirror(&required.source));
    };
    let done = mirror.install(folders, required)?;
    write_out(&format!("Installed {} {} in {}\n", required.source, done.version, done.path.display()));
    Ok(())
}

fn no_mirror(source: &str) -> Failure {
    Failure::new(format!("{source} is not installed, and there is no mirror to take it from")).help(
        "rpk fetches nothing from the network by itself: set RPK_PLUGIN_MIRROR or `-mirror` to a folder or a web \
         directory with releases, or install a file with `rpk plugins install -path FILE SOURCE`",
    )
}

fn mirror(given: Option<&str>) -> Option<Mirror> {
    let given = given.map(str::to_owned).or_else(|| plugins::variable("RPK_PLUGIN_MIRROR"));
    given.filter(|mirror| !mirror.is_empty()).map(|mirror| Mirror::parse(&mirror))
}

fn folders() -> Outcome<Folders> {
    Folders::find(&plugins::variable).map_err(|reason| Failure::new(reason).help("name one folder"))
}

fn installed(screen: &Screen) -> Outcome<()> {
    let mut remarks = Vec::new();
    let found = folder::find(&folders()?.main, &|_, _| true, &mut remarks);
    for plugin in &found {
        write_out(&format!("{}\n", plugin.path.display()));
    }
    for remark in remarks {
        screen.note(Some(&remark));
    }
    if found.is_empty() {
        screen.note(Some(&format!("No plugins are installed in {}", folders()?.main.display())));
    }
    Ok(())
}

fn required(template: Option<&str>, screen: &Screen) -> Outcome<()> {
    let template = template.map(Into::into);
    let mut read = input::read(&TemplateArguments { template, ..TemplateArguments::default() });
    screen.diagnostics(&read.sources, &read.diagnostics);
    if read.diagnostics.has_errors() {
        return Err(Failure::new("the template cannot be read"));
    }
    let Some(Written::Hcl(template)) = read.template.take() else { return Ok(()) };
    let folders = folders()?;
    for (plugin, written) in plugins::required(&template).iter().zip(&template.required_plugins) {
        let state = match install::installed(&folders, plugin) {
            Some(found) => format!("{} in {}", found.version, found.path.display()),
            None => "not installed".to_owned(),
        };
        write_out(&format!("{} {} \"{}\": {state}\n", plugin.name, plugin.source, written.version));
    }
    Ok(())
}

fn install(arguments: &PluginsArguments, source: &str, version: &str, _: &Screen) -> Outcome<()> {
    let folders = folders()?;
    let done = match &arguments.path {
        Some(file) => install::from_file(&folders, source, Path::new(file))?,
        None => {
            let mirror = mirror(arguments.mirror.as_deref()).ok_or_else(|| no_mirror(source))?;
            mirror.install(&folders, &wanted(source, version)?)?
        }
    };
    write_out(&format!("Installed {source} {} in {}\n", done.version, done.path.display()));
    Ok(())
}

fn remove(source: &str, version: &str, screen: &Screen) -> Outcome<()> {
    let removed = install::remove(&folders()?, &wanted(source, version)?)?;
    for path in &removed {
        write_out(&format!("{}\n", path.display()));
    }
    if removed.is_empty() {
        screen.note(Some(&format!("{source} is not installed")));
    }
    Ok(())
}

fn wanted(source: &str, version: &str) -> Outcome<Required> {
    let name = source.rsplit('/').next().unwrap_or_default().to_owned();
    let constraint = Constraint::parse(version).map_err(Failure::new)?;
    Ok(Required { name, source: source.to_owned(), constraint })
}

fn finish(done: Outcome<()>, screen: &Screen) -> Exit {
    match done {
        Ok(()) => Exit::Success,
        Err(failure) => {
            screen.failure(&failure);
            Exit::Failure
        }
    }
}
