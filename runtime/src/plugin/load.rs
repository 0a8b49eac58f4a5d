//! Which plugin serves a component of a template, and the description of what it offers.
//!
//! A component comes from the first of these that has it: a plugin that `required_plugins` names, rpk itself, another
//! installed plugin, a single file of the older generation, a Packer executable that holds many components. Whoever
//! asks for plugins by name has them before rpk's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::join_all;
use rpk_planner::catalog::{ComponentKind, ComponentSpec};
use sha2::{Digest as _, Sha256};

use super::component::Component;
use super::folder::{self, Folders, Installed, UNNAMED};
use super::host::{Host, RunOptions};
use super::msgpack::Value;
use super::process::Launch;
use super::schema::Object;
use super::spec;
use super::version::Constraint;
use crate::failure::{Failure, Outcome};

/// Executables of Packer are larger than this many bytes.
const SMALLEST_PACKER: u64 = 5_000_000;

/// How many processes of a component are started before they are asked for.
const AHEAD: usize = 8;

/// Which components are taken from plugins although rpk has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// None but those of required plugins from elsewhere.
    #[default]
    BuiltIn,
    /// Those of these types; a kind may stand before it, as in `provisioner.shell`.
    Named(Vec<String>),
    /// All that any plugin has.
    All,
    /// There are no plugins at all.
    Off,
}

impl Preference {
    /// Reads `off`, `all`, or types with commas between them.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.trim() {
            "" => Self::BuiltIn,
            "off" => Self::Off,
            "all" => Self::All,
            list => Self::Named(list.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    fn wants(&self, kind: ComponentKind, name: &str) -> bool {
        match self {
            Self::BuiltIn | Self::Off => false,
            Self::All => true,
            Self::Named(names) => {
                names.iter().any(|wanted| wanted == name || *wanted == format!("{}.{name}", word(kind)))
            }
        }
    }
}

/// A plugin that a template requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// The prefix of its component types.
    pub name: String,
    /// Where it comes from, such as `github.com/hashicorp/docker`.
    pub source: String,
    /// Which versions will do.
    pub constraint: Constraint,
}

/// A component that a template uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// What it is.
    pub kind: ComponentKind,
    /// The name that the template uses.
    pub name: String,
    /// How often it stands in the template.
    pub count: usize,
    /// Whether rpk has it itself.
    pub is_built_in: bool,
}

/// What decides on the plugins of a template.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The components that it uses.
    pub needed: Vec<Needed>,
    /// The plugins that it requires.
    pub required: Vec<Required>,
    /// Which components are taken from plugins although rpk has them.
    pub preference: Preference,
    /// Where plugins are looked for.
    pub folders: Folders,
    /// An executable of Packer, which holds components of its own.
    pub packer: Option<PathBuf>,
    /// Whether the template is a legacy one.
    pub is_legacy: bool,
    /// Whether pre-releases are passed over.
    pub ignores_pre_releases: bool,
    /// What every plugin is told.
    pub run: RunOptions,
}

/// What plugins offer to a template.
#[derive(Default)]
pub struct Loaded {
    /// Components and what the planner is told of them.
    pub components: Vec<(Arc<Component>, ComponentSpec)>,
    /// Components that a plugin was to have and that could not be loaded, and why.
    pub failed: Vec<(ComponentKind, String, Failure)>,
    /// Files that look like plugins and do not count, and why.
    pub remarks: Vec<String>,
}

/// Returns the word by which plugins are asked for a kind.
#[must_use]
pub fn word(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Builder => "builder",
        ComponentKind::Provisioner => "provisioner",
        ComponentKind::PostProcessor => "post-processor",
        ComponentKind::DataSource => "datasource",
    }
}

/// How a component is started, and the digest of what it is started from.
struct Found {
    launch: Launch,
    /// Further ways, if the first one fails.
    others: Vec<Launch>,
    /// Whether nobody can tell before it was tried that the component is there.
    is_guess: bool,
    digest: String,
}

/// Finds the plugins that a template needs and has them describe themselves, all at the same time.
#[must_use]
pub fn load(request: &Request) -> Loaded {
    let mut loaded = Loaded::default();
    if request.preference == Preference::Off {
        return loaded;
    }
    let mut search = Search { request, installed: None, older: None, digests: BTreeMap::new(), remarks: Vec::new() };
    let mut found = Vec::new();
    for needed in &request.needed {
        match search.find(needed) {
            Ok(Some(launch)) => found.push((needed, launch)),
            Ok(None) => {}
            Err(failure) => loaded.failed.push((needed.kind, needed.name.clone(), failure)),
        }
    }
    loaded.remarks = search.remarks;
    if found.is_empty() {
        return loaded;
    }
    let host = match Host::new(request.run.clone()) {
        Ok(host) => Arc::new(host),
        Err(failure) => {
            let failed = found.iter().map(|(needed, _)| (needed.kind, needed.name.clone(), failure.clone()));
            loaded.failed.extend(failed);
            return loaded;
        }
    };
    let is_legacy = request.is_legacy;
    let asked = found.iter().map(|(needed, found)| {
        let (host, needed) = (host.clone(), (*needed).clone());
        let launches: Vec<Launch> = std::iter::once(&found.launch).chain(&found.others).cloned().collect();
        let is_guess = found.is_guess;
        async move { ask(&host, &needed, &launches, is_guess, is_legacy).await }
    });
    let asked: Vec<_> = asked.collect();
    let answers = host.wait(async move { Ok(join_all(asked).await) });
    for ((needed, found), answer) in found.iter().zip(answers.unwrap_or_default()) {
        match answer {
            Ok(None) => {}
            Ok(Some(component)) => {
                let component = Arc::new(component);
                let description = spec::describe(&component, &found.digest);
                loaded.components.push((component, description));
            }
            Err(failure) => loaded.failed.push((needed.kind, needed.name.clone(), failure)),
        }
    }
    loaded
}

/// Starts a component's process and asks what options it has; none if it was a guess that there is one.
async fn ask(
    host: &Arc<Host>,
    needed: &Needed,
    launches: &[Launch],
    is_guess: bool,
    is_legacy: bool,
) -> Outcome<Option<Component>> {
    let mut first = None;
    for launch in launches {
        let plugin = match host.plugin(launch).await {
            Ok(plugin) => plugin,
            Err(failure) => {
                first.get_or_insert(failure);
                continue;
            }
        };
        host.start_ahead(launch, needed.count.saturating_sub(1).min(AHEAD));
        let mut component = Component {
            host: host.clone(),
            kind: needed.kind,
            name: needed.name.clone(),
            launch: launch.clone(),
            schema: None,
            is_legacy,
        };
        let answer = plugin.call(&format!("{}.ConfigSpec", component.service()), &Value::Nil).await?;
        let bytes = match answer.get("ConfigSpec") {
            Some(Value::Bin(bytes)) => bytes.as_slice(),
            _ => &[],
        };
        let schema = if launch.is_protobuf { Object::from_protobuf(bytes) } else { Object::from_gob(bytes) };
        // Without a schema the plugin alone judges the options.
        component.schema = schema.ok();
        host.put_back(plugin);
        return Ok(Some(component));
    }
    if is_guess {
        return Ok(None);
    }
    Err(first.unwrap_or_else(|| Failure::new("there is no way to start the plugin")))
}

struct Search<'a> {
    request: &'a Request,
    installed: Option<Vec<Installed>>,
    older: Option<BTreeMap<String, PathBuf>>,
    digests: BTreeMap<PathBuf, String>,
    remarks: Vec<String>,
}

impl Search<'_> {
    fn find(&mut self, needed: &Needed) -> Outcome<Option<Found>> {
        let request = self.request;
        let required = request.required.iter().filter(|required| local_name(&required.name, &needed.name).is_some());
        // The most exact prefix is meant: `amazon-ami` before `amazon`.
        let required = required.max_by_key(|required| required.name.len());
        let is_asked_for = request.preference.wants(needed.kind, &needed.name);
        if let Some(required) = required {
            let is_foreign = !is_built_in_source(&required.source);
            if is_foreign || is_asked_for || !needed.is_built_in {
                return match self.required(required, needed) {
                    // An executable of Packer may hold what its plugin was made of.
                    Ok(None) if !is_foreign => Ok(self.bundled(needed)),
                    found => found,
                };
            }
        }
        if needed.is_built_in && !is_asked_for {
            return Ok(None);
        }
        if let Some(found) = self.installed(needed) {
            return Ok(Some(found));
        }
        Ok(self.bundled(needed))
    }

    fn installed_plugins(&mut self) -> &[Installed] {
        if self.installed.is_none() {
            let names: Vec<&str> = self.request.needed.iter().map(|needed| needed.name.as_str()).collect();
            // Only what may serve the template is run.
            let may_serve = |name: &str, path: &Path| {
                let by_name = names.iter().any(|needed| local_name(name, needed).is_some());
                let by_requirement = self.request.required.iter().any(|required| is_below(path, required));
                by_name || by_requirement
            };
            let ignores = self.request.ignores_pre_releases;
            let mut found = folder::find(&self.request.folders.main, &may_serve, &mut self.remarks);
            found.retain(|plugin| !ignores || plugin.version.pre_release.is_empty());
            self.installed = Some(found);
        }
        self.installed.as_deref().unwrap_or_default()
    }

    /// Finds the component in the required plugin.
    fn required(&mut self, required: &Required, needed: &Needed) -> Outcome<Option<Found>> {
        let matching: Vec<Installed> = self
            .installed_plugins()
            .iter()
            .filter(|plugin| is_below(&plugin.path, required) && required.constraint.allows(&plugin.version))
            .cloned()
            .collect();
        let Some(plugin) = matching.into_iter().max_by(|one, other| one.version.cmp(&other.version)) else {
            if is_built_in_source(&required.source) && self.request.packer.is_some() {
                return Ok(None);
            }
            return Err(Failure::new(format!("the required plugin {} is not installed", required.source))
                .help("install it with `rpk init`, or from a file with `rpk plugins install --path FILE SOURCE`"));
        };
        match start(&plugin, &required.name, needed) {
            Some(found) => Ok(Some(found)),
            None if needed.is_built_in => Ok(None),
            None => Err(Failure::new(format!(
                "the plugin {} {} has no {} `{}`",
                required.source, plugin.version, needed.kind, needed.name
            ))),
        }
    }

    /// Finds the component in any installed plugin.
    fn installed(&mut self, needed: &Needed) -> Option<Found> {
        let plugins = self.installed_plugins();
        let serving = plugins.iter().filter_map(|plugin| Some((&plugin.version, start(plugin, &plugin.name, needed)?)));
        serving.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, found)| found)
    }

    /// Finds the component in the older generation: files of its own, or an executable of Packer.
    fn bundled(&mut self, needed: &Needed) -> Option<Found> {
        let key = format!("{}-{}", word(needed.kind), needed.name);
        let older = self.older.get_or_insert_with(|| folder::find_older(&self.request.folders.older));
        if let Some(program) = older.get(&key).cloned() {
            let digest = self.digest(&program);
            let name = format!("{} `{}` ({})", needed.kind, needed.name, program.display());
            let launch = Launch { name, program, arguments: Vec::new(), is_protobuf: false };
            return Some(Found { launch, others: Vec::new(), is_guess: false, digest });
        }
        let program = self.request.packer.clone()?;
        let digest = self.digest(&program);
        let name = format!("{} `{}` ({})", needed.kind, needed.name, program.display());
        let launch = |arguments: &[&str], is_protobuf| Launch {
            name: name.clone(),
            program: program.clone(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            is_protobuf,
        };
        let component = format!("packer-{key}");
        Some(Found {
            launch: launch(&["plugin", &component], false),
            others: vec![launch(&["execute", "--protobuf", &component], true)],
            is_guess: true,
            digest,
        })
    }

    fn digest(&mut self, program: &Path) -> String {
        let known = self.digests.entry(program.to_owned());
        known.or_insert_with(|| quick_digest(program)).clone()
    }
}

/// Identifies an executable: by its content, or, since Packer's are large, by what changes with it.
fn quick_digest(program: &Path) -> String {
    let Ok(metadata) = std::fs::metadata(program) else { return String::new() };
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let text = format!("{} {} {modified:?}", program.display(), metadata.len());
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn start(plugin: &Installed, prefix: &str, needed: &Needed) -> Option<Found> {
    let local = local_name(prefix, &needed.name)?;
    let description = &plugin.description;
    let offered = match needed.kind {
        ComponentKind::Builder => &description.builders,
        ComponentKind::Provisioner => &description.provisioners,
        ComponentKind::PostProcessor => &description.post_processors,
        ComponentKind::DataSource => &description.datasources,
    };
    if !offered.as_ref()?.iter().any(|name| name == local) {
        return None;
    }
    let is_protobuf = description.protocol_version == "v2";
    let mut arguments = vec!["start".to_owned(), word(needed.kind).to_owned()];
    if is_protobuf {
        arguments.push("--protobuf".to_owned());
    }
    arguments.push(local.to_owned());
    let file = format!("packer-plugin-{} {}", plugin.name, plugin.version);
    let name = format!("{} `{}` ({file})", needed.kind, needed.name);
    let launch = Launch { name, program: plugin.path.clone(), arguments, is_protobuf };
    Some(Found { launch, others: Vec::new(), is_guess: false, digest: plugin.digest.clone() })
}

/// Returns what a plugin of that prefix calls a component type, if the type is one of its own.
fn local_name<'a>(prefix: &str, name: &'a str) -> Option<&'a str> {
    match name.strip_prefix(prefix)? {
        "" => Some(UNNAMED),
        rest => rest.strip_prefix('-').filter(|rest| !rest.is_empty()),
    }
}

/// Tells whether a plugin lies where one of that source is installed, and has its name.
fn is_below(path: &Path, required: &Required) -> bool {
    let Some((folder, name)) = required.source.rsplit_once('/') else { return false };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let text = path.to_string_lossy().replace('\\', "/");
    file.starts_with(&format!("packer-plugin-{name}_")) && text.contains(&format!("/{folder}/"))
}

/// Tells whether rpk's own components are those of a plugin's source.
fn is_built_in_source(source: &str) -> bool {
    source.starts_with("github.com/hashicorp/")
}

/// Finds the executable of Packer that holds components: the one that the environment names, or the one on the path.
#[must_use]
pub fn find_packer(environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    match environment("RPK_PACKER") {
        Some(path) if path.is_empty() => None,
        Some(path) => Some(path.into()),
        None => {
            let path = environment("PATH")?;
            let mut files = std::env::split_paths(&path).map(|folder| folder.join("packer"));
            files.find(|file| file.is_file() && is_packer(file))
        }
    }
}

/// Tells whether a program is HashiCorp's, and not the small tool of that name that comes with password dictionaries:
/// that one would take the words meant for a plugin for names of files to write.
fn is_packer(program: &Path) -> bool {
    std::fs::metadata(program).is_ok_and(|found| found.len() > SMALLEST_PACKER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_belong_to_the_plugin_of_their_prefix() {
        assert_eq!(local_name("docker", "docker"), Some(UNNAMED));
        assert_eq!(local_name("docker", "docker-tag"), Some("tag"));
        assert_eq!(local_name("docker", "dockerfile"), None);
        assert_eq!(local_name("docker", "docker-"), None);
    }

    #[test]
    fn preferences_name_types_with_or_without_their_kind() {
        let preference = Preference::parse("docker, provisioner.shell");
        assert!(preference.wants(ComponentKind::Builder, "docker"));
        assert!(preference.wants(ComponentKind::Provisioner, "shell"));
        assert!(!preference.wants(ComponentKind::Builder, "shell"));
        assert_eq!(Preference::parse(""), Preference::BuiltIn);
        assert_eq!(Preference::parse("off"), Preference::Off);
    }

    #[test]
    fn a_required_plugin_lies_below_its_source() {
        let required = |source: &str| Required {
            name: "docker".to_owned(),
            source: source.to_owned(),
            constraint: Constraint::default(),
        };
        let path = Path::new("/p/github.com/acme/docker/packer-plugin-docker_v1.0.0_x5.0_linux_amd64");
        assert!(is_below(path, &required("github.com/acme/docker")));
        assert!(!is_below(path, &required("github.com/hashicorp/docker")));
        assert!(!is_below(path, &required("github.com/acme/other")));
    }
}
