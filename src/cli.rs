//! The command line's types; their doc comments are the help text.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// Turns one template into identical machine images, by a plan that can be reviewed
#[derive(Debug, Parser)]
#[command(name = "rpk", version, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what apply would do, and why
    #[command(
        after_help = "Examples:\n  rpk plan packet.json\n  rpk plan -var tag=0.0.1 packet.json\n  rpk plan -format=json packet.json\n  rpk plan -against=main packet.json\n  rpk plan -out=packet.plan packet.json"
    )]
    Plan(PlanArguments),
    /// Draw the plan's graph
    #[command(
        after_help = "Examples:\n  rpk graph -format=mermaid packet.json\n  rpk graph -format=svg packet.json > plan.svg"
    )]
    Graph(GraphArguments),
    /// Show everything about one node of the plan
    #[command(after_help = "Examples:\n  rpk explain docker/provision/0 packet.json")]
    Explain(ExplainArguments),
    /// Run the plan: build, provision, post-process
    #[command(
        after_help = "Examples:\n  rpk apply packet.json\n  rpk apply -var tag=0.0.1\n  rpk apply -only=docker -parallel-builds=2 packet.json\n  rpk apply -on-error=abort packet.json\n  rpk apply packet.plan"
    )]
    Apply(ApplyArguments),
    /// The same as apply, under the name that Packer gives it
    #[command(
        after_help = "Examples:\n  rpk build packet.json\n  rpk build -var-file=variables.json -force packet.json"
    )]
    Build(ApplyArguments),
    /// Open a shell in a machine as it is before one of its provisioners, or before it is captured
    #[command(
        after_help = "Examples:\n  rpk shell docker/provision/2 packet.json\n  echo 'cat /etc/hosts' | rpk shell docker/capture packet.json"
    )]
    Shell(ShellArguments),
    /// List, check and prune what is stored for later runs
    #[command(
        after_help = "Examples:\n  rpk cache ls\n  rpk cache show 4c1f\n  rpk cache verify\n  rpk cache prune -older-than=30d -max-size=5G"
    )]
    Cache(CacheArguments),
    /// List, load, save, send and try images of the engine within rpk
    #[cfg(target_os = "linux")]
    #[command(
        after_help = "Examples:\n  rpk image ls\n  rpk image load docker-archive:base.tar base:1\n  rpk image save app:1 app.tar\n  rpk image push registry.example/app:1\n  rpk image run app:1 -- sh -c 'echo hello'"
    )]
    Image(ImageArguments),
    /// List earlier runs, their nodes, and what these printed
    #[command(after_help = "Examples:\n  rpk runs\n  rpk runs 1b9d6bcd\n  rpk runs 1b9d6bcd docker/provision/0")]
    Runs(RunsArguments),
    /// Draw when the nodes of a run ran, as SVG
    #[command(after_help = "Examples:\n  rpk timeline > run.svg\n  rpk timeline 1b9d6bcd > run.svg")]
    Timeline(TimelineArguments),
    /// Check a template
    #[command(
        after_help = "Examples:\n  rpk validate packet.json\n  rpk validate -syntax-only packet.json\n  cat packet.json | rpk validate -"
    )]
    Validate(ValidateArguments),
    /// Show what a template consists of
    #[command(after_help = "Examples:\n  rpk inspect packet.json\n  rpk inspect -machine-readable packet.json")]
    Inspect(InspectArguments),
    /// Try out texts or expressions with a template's variables
    #[command(
        after_help = "Examples:\n  rpk console packet.json\n  rpk console image.pkr.hcl\n  echo '{{isotime `2006`}}' | rpk console\n  echo 'upper(\"x\")' | rpk console -config-type=hcl2"
    )]
    Console(ConsoleArguments),
    /// Rewrite a template's outdated parts and print the result
    #[command(after_help = "Examples:\n  rpk fix old.json > new.json\n  rpk fix -validate=false old.json")]
    Fix(FixArguments),
    /// Write a legacy JSON template in HCL2
    #[command(
        name = "hcl2_upgrade",
        after_help = "Examples:\n  rpk hcl2_upgrade packet.json\n  rpk hcl2_upgrade -output-file=image.pkr.hcl -with-annotations packet.json"
    )]
    Hcl2Upgrade(UpgradeArguments),
    /// Rewrite HCL2 files in the canonical form
    #[command(
        after_help = "Examples:\n  rpk fmt image.pkr.hcl\n  rpk fmt -check -diff -recursive .\n  rpk fmt - < image.pkr.hcl"
    )]
    Fmt(FmtArguments),
    /// List, install and remove plugins
    #[command(
        after_help = "Examples:\n  rpk plugins installed\n  rpk plugins required image.pkr.hcl\n  rpk plugins install -path ./packer-plugin-x github.com/acme/x\n  rpk plugins remove github.com/acme/x"
    )]
    Plugins(PluginsArguments),
    /// Install the plugins that a template requires
    #[command(after_help = "Examples:\n  rpk init image.pkr.hcl\n  rpk init -mirror=/srv/packer-plugins image.pkr.hcl")]
    Init(InitArguments),
    /// Print a JSON Schema of legacy templates, for editors
    #[command(after_help = "Examples:\n  rpk schema > template.schema.json")]
    Schema(SchemaArguments),
    /// Show this help
    #[command(hide = true)]
    Help,
    /// Show the version of rpk
    #[command(after_help = "Examples:\n  rpk version")]
    Version(VersionArguments),
}

/// Which template, and with which variables.
#[derive(Clone, Debug, Default, Args)]
pub struct TemplateArguments {
    /// The template: a file, a directory that holds one, or `-` for standard input [default: the one in the current
    /// directory]
    pub template: Option<PathBuf>,
    /// Set a user variable
    #[arg(long = "var", value_name = "NAME=VALUE", allow_hyphen_values = true, value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// Read user variables from a file, JSON or for HCL2 templates HCL; later files win
    #[arg(long = "var-file", value_name = "FILE")]
    pub variable_files: Vec<PathBuf>,
    /// How to read a template whose name does not say it
    #[arg(long, value_enum, value_name = "TYPE")]
    pub config_type: Option<ConfigType>,
    /// Which container engine to use [default: what RPK_ENGINE says, else auto]
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub engine: Option<Engine>,
    /// Accepted for Packer's sake: values are always worked out in the order in which they need each other
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub use_sequential_evaluation: bool,
    /// Take components from plugins although rpk has them: their types with commas between them, or `all`; `off` leaves
    /// out all plugins [env: RPK_PLUGINS]
    #[arg(long, value_name = "TYPE,…")]
    pub plugins: Option<String>,
    /// Pass over plugins that are pre-releases
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub ignore_prerelease_plugins: bool,
    /// Take just these builds
    #[arg(long, value_name = "BUILD,…", allow_hyphen_values = true)]
    pub only: Vec<String>,
    /// Take all builds but these, and no post-processor of these names
    #[arg(long, value_name = "BUILD,…", allow_hyphen_values = true)]
    pub except: Vec<String>,
}

/// What output looks like.
#[derive(Debug, Args)]
pub struct OutputArguments {
    /// Whether to use colours on a terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub color: bool,
    /// Write lines for machines to read
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub machine_readable: bool,
}

/// `plan`
#[derive(Debug, Args)]
pub struct PlanArguments {
    #[command(flatten)]
    pub template: TemplateArguments,
    #[command(flatten)]
    pub output: OutputArguments,
    /// The form of the plan
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// Take just this node and what it depends on
    #[arg(long, value_name = "NODE")]
    pub target: Vec<String>,
    /// Save the plan, for `rpk apply FILE`
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    pub out: Option<PathBuf>,
    /// Show what has changed since another plan: a saved one, one in JSON, that of another template, or that of a
    /// revision of the template's Git repository
    #[arg(long, value_name = "FILE|REVISION", allow_hyphen_values = true)]
    pub against: Option<String>,
    /// How many builds may run at a time when the run's length is estimated; 0 means all
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub parallel_builds: i64,
    /// Ask nobody: the values of data sources are not known then
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub offline: bool,
    /// End with status 2 if something will run
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub detailed_exitcode: bool,
}

/// `graph`
#[derive(Debug, Args)]
pub struct GraphArguments {
    #[command(flatten)]
    pub template: TemplateArguments,
    #[command(flatten)]
    pub output: OutputArguments,
    /// The form of the drawing
    #[arg(long, value_enum, default_value_t = DrawingFormat::Dot)]
    pub format: DrawingFormat,
}

/// `explain`
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The node, as plans name it
    pub node: String,
    #[command(flatten)]
    pub template: TemplateArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Forms of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    Text,
    /// For scripts
    Json,
    /// For comments on pull requests
    Markdown,
}

/// Forms of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DrawingFormat {
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// A picture
    Svg,
}

/// `apply` and `build`
#[derive(Debug, Args)]
pub struct ApplyArguments {
    #[command(flatten)]
    pub template: TemplateArguments,
    #[command(flatten)]
    pub output: OutputArguments,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Tell components to overwrite what is there
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub force: bool,
    /// What to do when a build fails
    #[arg(long, value_enum, default_value_t = OnError::Cleanup)]
    pub on_error: OnError,
    /// How many builds may run at a time; 0 means all
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub parallel_builds: i64,
    /// Take just this node and what it depends on
    #[arg(long, value_name = "NODE")]
    pub target: Vec<String>,
    /// Use no stored result, and keep no state of a machine
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub no_cache: bool,
    /// Use no stored result of this node and of what depends on it
    #[arg(long, value_name = "NODE")]
    pub no_cache_from: Vec<String>,
    /// When a machine's state after a provisioner is kept
    #[arg(long, value_enum, default_value_t = Snapshots::Auto)]
    pub snapshots: Snapshots,
    /// Warn of names in variable files that the template does not declare
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub warn_on_undeclared_var: bool,
    /// Write when what ran to a file, for the trace viewers of browsers
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Put the time before each line
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub timestamp_ui: bool,
}

/// `shell`
#[derive(Debug, Args)]
pub struct ShellArguments {
    /// The node, as plans name it
    pub node: String,
    #[command(flatten)]
    pub template: TemplateArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// `cache`
#[derive(Debug, Args)]
pub struct CacheArguments {
    /// What to do
    #[arg(value_enum)]
    pub action: CacheAction,
    /// For `show`: the entry, by the beginning of its key
    pub key: Option<String>,
    /// For `ls`: the form of the list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// For `prune`: what was not used for this long, such as 30d or 12h
    #[arg(long, value_name = "AGE")]
    pub older_than: Option<String>,
    /// For `prune`: what was not used longest, until the rest takes no more than this, such as 5G
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<String>,
    /// For `prune`: what `verify` finds to be damaged
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub damaged: bool,
    /// For `prune`: everything
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub all: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What to do with the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CacheAction {
    /// List what is stored
    Ls,
    /// Show one entry
    Show,
    /// Remove entries
    Prune,
    /// Look whether all entries are what they were
    Verify,
}

/// `image`
#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
pub struct ImageArguments {
    /// What to do
    #[arg(value_enum)]
    pub action: ImageAction,
    /// The image, by name or id, and what else it takes: a file for `save`, a name for `load`, a command for `run`
    pub words: Vec<String>,
    /// For `ls`: the form of the list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What to do with images.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImageAction {
    /// List images
    Ls,
    /// Show an image's configuration
    Inspect,
    /// Write an image to a file that other engines read
    Save,
    /// Take in an image from a file, folder or registry
    Load,
    /// Send an image to its registry
    Push,
    /// Remove an image's name, and with its last name the image
    Rm,
    /// Run an image to try it; what it changes is thrown away
    Run,
}

/// `runs`
#[derive(Debug, Args)]
pub struct RunsArguments {
    /// The run, by the beginning of its id [default: list all runs]
    pub run: Option<String>,
    /// The node whose output to show [default: list the run's nodes]
    pub node: Option<String>,
    /// The form of the list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// `timeline`
#[derive(Debug, Args)]
pub struct TimelineArguments {
    /// The run, by the beginning of its id [default: the last one]
    pub run: Option<String>,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// `validate`
#[derive(Debug, Args)]
pub struct ValidateArguments {
    #[command(flatten)]
    pub template: TemplateArguments,
    #[command(flatten)]
    pub output: OutputArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Check the template's form alone
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub syntax_only: bool,
    /// Ask data sources for their values, instead of taking these as not known
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub evaluate_datasources: bool,
    /// Say nothing of names in variable files that the template does not declare
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub no_warn_undeclared_var: bool,
}

/// `console`
#[derive(Debug, Args)]
pub struct ConsoleArguments {
    #[command(flatten)]
    pub template: TemplateArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// `inspect`
#[derive(Debug, Args)]
pub struct InspectArguments {
    #[command(flatten)]
    pub template: TemplateArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// `fix`
#[derive(Debug, Args)]
pub struct FixArguments {
    /// The template file
    pub template: PathBuf,
    /// Whether to check the result
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub validate: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// `hcl2_upgrade`
#[derive(Debug, Args)]
pub struct UpgradeArguments {
    /// The template file
    pub template: PathBuf,
    /// Where to write the result [default: the template's name with .pkr.hcl behind it]
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// Say in comments what each part is
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub with_annotations: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// `fmt`
#[derive(Debug, Args)]
pub struct FmtArguments {
    /// Files, folders, or `-` for standard input
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Change nothing; end with status 3 if something would change
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub check: bool,
    /// Show what changes
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub diff: bool,
    /// Whether to rewrite the files
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub write: bool,
    /// Go into folders below
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub recursive: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// `plugins`
#[derive(Debug, Args)]
pub struct PluginsArguments {
    /// What to do
    #[arg(value_enum)]
    pub action: PluginAction,
    /// A template, or a plugin's source such as github.com/hashicorp/docker and a version
    pub words: Vec<String>,
    /// The executable to install
    #[arg(long, value_name = "FILE")]
    pub path: Option<PathBuf>,
    /// Where releases are taken from: a folder or the address of a web directory [env: RPK_PLUGIN_MIRROR]
    #[arg(long, value_name = "PLACE")]
    pub mirror: Option<String>,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What is done with plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PluginAction {
    /// List those that are installed
    Installed,
    /// List those that a template requires
    Required,
    /// Install one
    Install,
    /// Remove one
    Remove,
}

/// `init`
#[derive(Debug, Args)]
pub struct InitArguments {
    #[command(flatten)]
    pub template: TemplateArguments,
    #[command(flatten)]
    pub output: OutputArguments,
    /// Take the newest versions, even if others that will do are installed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub upgrade: bool,
    /// Where releases are taken from: a folder or the address of a web directory [env: RPK_PLUGIN_MIRROR]
    #[arg(long, value_name = "PLACE")]
    pub mirror: Option<String>,
}

/// `schema`
#[derive(Debug, Args)]
pub struct SchemaArguments {
    #[command(flatten)]
    pub output: OutputArguments,
}

/// `version`
#[derive(Debug, Args)]
pub struct VersionArguments {
    #[command(flatten)]
    pub output: OutputArguments,
}

/// The languages of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConfigType {
    /// Legacy JSON
    Json,
    /// HCL2
    Hcl2,
}

/// Container engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// One that answers; else the one within rpk
    Auto,
    /// One that answers at DOCKER_HOST, the Docker context or the default socket
    Docker,
    /// The one within rpk
    Embedded,
}

impl From<Engine> for rpk_runtime::engine::EngineChoice {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Auto => Self::Auto,
            Engine::Docker => Self::Docker,
            Engine::Embedded => Self::Embedded,
        }
    }
}

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For scripts
    Json,
}

/// When a machine's state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Snapshots {
    /// Where it pays: a build from nothing takes less than a tenth longer for it
    Auto,
    /// After every provisioner
    Always,
    /// Never
    Never,
}

/// What to do when a build fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// Run the error-cleanup provisioner and remove the machine
    Cleanup,
    /// Leave everything as it is
    Abort,
    /// Ask what to do
    Ask,
    /// Run the error-cleanup provisioner, but leave the machine
    RunCleanupProvisioner,
    /// Go on with the next provisioner
    Continue,
    /// Clean up, then open a shell in the machine as it was before the provisioner that failed
    Shell,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Reads a boolean as Go's flags do.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn booleans_take_gos_words() {
        for (text, value) in [("1", Some(true)), ("F", Some(false)), ("yes", None)] {
            assert_eq!(boolean(text).ok(), value);
        }
    }
}
