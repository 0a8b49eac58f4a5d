//! Texts with Packer's `{{ }}` in them: what they may use in which phase, and how they are rendered.
//!
//! The language is [`gotemplate`](crate::gotemplate), the functions are [`functions`](crate::value::functions); this room
//! holds what they answer from. The values of variables are worked out in [`variables`](crate::value::variables).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use thiserror::Error;

use crate::gotemplate::{ExecError, ParseError, Template, Value};
use crate::value::functions::{PackerFunctions, ResourceNames, is_function};
use crate::value::usage::Usage;

/// The version that templates are told, and that their `min_packer_version` is compared with.
pub const PACKER_VERSION: &str = "1.16.0";

/// How often a text is rendered that keeps changing, before it counts as one that never settles.
const MAX_ROUNDS: usize = 100;

/// Where in a template a text stands, which decides what it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The value of a user variable: the only place for `env` and secrets.
    Variables,
    /// What Packer itself reads: a builder's name, a provisioner's `max_retries`.
    Core,
    /// The settings of a component, before the build runs. They are rendered once, and what comes out is not
    /// looked at again.
    Plugin,
    /// Settings that a component renders while the build runs.
    Runtime,
    /// A line typed into the console.
    Console,
}

impl Phase {
    /// Tells whether what comes out is rendered again, until it stays the same.
    fn repeats(self) -> bool {
        matches!(self, Phase::Core | Phase::Runtime | Phase::Console)
    }
}

/// Reads a secret for a template: the function's name and its arguments in, the secret or a message out.
pub type SecretSource<'a> = dyn Fn(&str, &[String]) -> Result<String, String> + 'a;

/// All that templates may ask for, apart from the data of the single text.
///
/// It borrows everything, so that a context for another build or phase is a copy with a few fields set.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The phase.
    pub phase: Phase,
    /// The final values of the user variables. Unknown ones are empty, except in [`Phase::Variables`].
    pub variables: &'a BTreeMap<String, String>,
    /// The environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The instant that `timestamp` and its like tell: one for the whole run.
    pub started: Timestamp,
    /// Twelve random bytes for each call of `uuid`; see [`seeded_random`].
    pub random: &'a dyn Fn() -> [u8; 12],
    /// The absolute folder of the template; none in a console without a template.
    pub template_dir: Option<&'a str>,
    /// The working folder.
    pub pwd: &'a str,
    /// The answer of `packer_version`, usually [`PACKER_VERSION`].
    pub packer_version: &'a str,
    /// The name of the build, for [`Phase::Plugin`] and [`Phase::Runtime`].
    pub build_name: Option<&'a str>,
    /// The type of its builder, likewise.
    pub build_type: Option<&'a str>,
    /// Set for builders that define `clean_resource_name`.
    pub resource_names: Option<ResourceNames>,
    /// Answers `vault`, `consul_key`, `aws_secretsmanager` and `aws_secretsmanager_raw`.
    pub secret_source: Option<&'a SecretSource<'a>>,
}

/// A text could not be rendered.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InterpolationError {
    /// It is no template.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A function failed, or got the wrong arguments.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The text rendered well, but what came out is rendered as well, and failed.
    #[error("{error}")]
    Later {
        /// What came out.
        text: String,
        /// The failure; its place is one in `text`.
        error: Box<InterpolationError>,
    },
    /// Every round of rendering gives another text.
    #[error("template does not settle in {MAX_ROUNDS} rounds")]
    Unsettled,
}

impl InterpolationError {
    /// Returns the bytes of the text that the error is about, where they are known.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        match self {
            InterpolationError::Parse(error) => Some(error.span.clone()),
            InterpolationError::Exec(error) => Some(error.span.clone()),
            InterpolationError::Later { .. } | InterpolationError::Unsettled => None,
        }
    }

    /// Words the error as Packer does for a component's setting, `text` being the string under `key`.
    #[must_use]
    pub fn describe_setting(&self, key: &str, text: &str) -> String {
        let verb = if matches!(self, InterpolationError::Parse(_)) { "invalid" } else { "render" };
        format!("{verb} '{key}': {self} in:\n\n{text}")
    }
}

/// Makes a source of random bytes for [`Context::random`]: the same seed, the same bytes.
pub fn seeded_random(seed: u64) -> impl Fn() -> [u8; 12] {
    let state = Cell::new(seed);
    let next = move || {
        state.set(state.get().wrapping_add(SPLIT_MIX_STEP));
        split_mix(state.get())
    };
    move || {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&next().to_be_bytes());
        bytes[8..].copy_from_slice(&next().to_be_bytes()[..4]);
        bytes
    }
}

/// By how much the state of SplitMix64 grows from one number to the next.
pub(crate) const SPLIT_MIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Makes a number of SplitMix64 from its state: ids shall differ from one another, and nobody needs to be unable to
/// guess them.
pub(crate) fn split_mix(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Parses `text` without rendering it: for settings that are kept for later, and to ask what a text calls.
///
/// # Errors
///
/// Fails if `text` is no template, or calls functions that do not exist in this context.
pub fn parse(text: &str, context: &Context<'_>) -> Result<Template, ParseError> {
    Template::parse("root", text, &|name| is_function(name, context))
}

/// Renders `text` with `data` for its fields: [`Value::Nil`] where there is none.
///
/// In the phases that say so, what comes out is rendered again until it stays the same.
///
/// # Errors
///
/// Fails if `text` is no template, if a function fails, and if the text never settles.
pub fn render(text: &str, context: &Context<'_>, data: &Value) -> Result<String, InterpolationError> {
    render_traced(text, context, data).map(|(text, _)| text)
}

/// Renders `text` like [`render`], and tells what that has asked for.
///
/// # Errors
///
/// As for [`render`].
pub fn render_traced(text: &str, context: &Context<'_>, data: &Value) -> Result<(String, Usage), InterpolationError> {
    let usage = RefCell::new(Usage::default());
    let variable = |name: &str| match context.variables.get(name) {
        Some(value) => Ok(value.clone()),
        None if context.phase == Phase::Variables => Err(not_set(name)),
        None => Ok(String::new()),
    };
    let functions = PackerFunctions { context, data, variable: &variable, usage: &usage };
    let mut current = render_once(text, &functions)?;
    if context.phase.repeats() {
        let mut previous = text.to_owned();
        let mut rounds = 1;
        while current != previous {
            if rounds == MAX_ROUNDS {
                return Err(InterpolationError::Unsettled);
            }
            rounds += 1;
            let next = match render_once(&current, &functions) {
                Ok(next) => next,
                Err(error) => {
                    return Err(InterpolationError::Later { text: current, error: Box::new(error) });
                }
            };
            previous = std::mem::replace(&mut current, next);
        }
    }
    Ok((current, usage.into_inner()))
}

/// Words the lack of a variable where every variable must exist.
pub(crate) fn not_set(name: &str) -> String {
    format!("Error: variable not set: {name}")
}

/// Renders `text` once.
pub(crate) fn render_once(text: &str, functions: &PackerFunctions<'_>) -> Result<String, InterpolationError> {
    Ok(parse(text, functions.context)?.execute(functions.data, functions)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::value::functions::placeholder_data;

    fn with_context<T>(phase: Phase, test: impl FnOnce(Context<'_>) -> T) -> T {
        let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        test(Context {
            phase,
            variables: &pairs(&[("a", "alpha"), ("n", ""), ("t", "{{.Name}}"), ("m", "{{user `a`}}")]),
            environment: &pairs(&[("RPK_E", "envval")]),
            started: "2026-11-03T02:07:03.86305917Z".parse().expect("a good timestamp"),
            random: &seeded_random(1),
            template_dir: Some("/t"),
            pwd: "/work",
            packer_version: PACKER_VERSION,
            build_name: Some("bn"),
            build_type: Some("bt"),
            resource_names: None,
            secret_source: None,
        })
    }

    fn rendered(phase: Phase, text: &str) -> Result<String, String> {
        with_context(phase, |context| render(text, &context, &Value::Nil)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_text_gives_what_packer_gave() {
        let recording = include_str!("../../tests/recorded/packer/recorded.jsonl");
        let mut different = Vec::new();
        let mut count = 0;
        for line in recording.lines() {
            let case: serde_json::Value = serde_json::from_str(line).expect("a line is an object");
            let text = case["text"].as_str().expect("a text");
            let phase = match case["phase"].as_str().expect("a phase") {
                "V" => Phase::Variables,
                "N" => Phase::Core,
                "P" => Phase::Plugin,
                "D" => Phase::Runtime,
                _ => Phase::Console,
            };
            let entries = case["data"].as_object().map(|entries| {
                entries.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())).collect()
            });
            let data = entries.unwrap_or(Value::Nil);
            let result =
                with_context(phase, |context| render(text, &context, &data)).map_err(|error| error.to_string());
            let expected = match case["error"].as_str() {
                Some(error) => Err(error.to_owned()),
                None => Ok(case["output"].as_str().expect("an output").to_owned()),
            };
            if result != expected {
                different.push(format!("{text}\n  packer: {expected:?}\n  here:   {result:?}"));
            }
            count += 1;
        }
        assert!(different.is_empty(), "{} of {count} differ\n{}", different.len(), different.join("\n"));
        assert!(count > 250, "only {count} cases");
    }

    #[test]
    fn secrets_come_from_the_given_source() {
        let message = rendered(Phase::Variables, "{{vault `a` `b`}}").expect_err("there is no source");
        assert!(message.ends_with(
            "error calling vault: rpk does not read secrets from Vault yet; set the variable by -var or -var-file"
        ));
        let source: &SecretSource<'_> = &|name, arguments| Ok(format!("{name}:{}", arguments.join("/")));
        with_context(Phase::Variables, |context| {
            let context = Context { secret_source: Some(source), ..context };
            let (text, usage) =
                render_traced("{{aws_secretsmanager `n` `k`}}", &context, &Value::Nil).expect("it reads");
            assert_eq!(text, "aws_secretsmanager:n/k");
            assert!(usage.reads_secrets);
            for (text, message) in [
                ("{{aws_secretsmanager}}", "secret name must be provided"),
                ("{{aws_secretsmanager `a` `b` `c`}}", "only secret name and optional secret key can be provided."),
            ] {
                let error = render(text, &context, &Value::Nil).expect_err(text).to_string();
                assert!(error.ends_with(message), "{error}");
            }
        });
    }

    #[test]
    fn ids_start_with_the_time_and_differ() {
        with_context(Phase::Plugin, |context| {
            let ids = render("{{uuid}} {{uuid}}", &context, &Value::Nil).expect("it renders");
            let (first, second) = ids.split_once(' ').expect("two ids");
            assert_ne!(first, second);
            let lengths: Vec<usize> = first.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12]);
            assert!(first.starts_with(&format!("{:08x}-", context.started.as_second())));
        });
        assert_eq!(seeded_random(7)(), seeded_random(7)());
    }

    #[test]
    fn a_text_that_never_settles_is_an_error() {
        with_context(Phase::Core, |context| {
            let variables = BTreeMap::from([("grows".to_owned(), "x{{user `grows`}}".to_owned())]);
            let context = Context { variables: &variables, ..context };
            let error = render("{{user `grows`}}", &context, &Value::Nil).expect_err("it grows");
            assert_eq!(error, InterpolationError::Unsettled);
        });
    }

    #[test]
    fn an_error_in_what_came_out_has_no_place_in_the_text() {
        with_context(Phase::Core, |context| {
            let variables = BTreeMap::from([("bad".to_owned(), "{{nope}}".to_owned())]);
            let context = Context { variables: &variables, ..context };
            let error = render("{{user `bad`}}", &context, &Value::Nil).expect_err("there is no such function");
            assert_eq!(error.to_string(), "template: root:1: function \"nope\" not defined");
            assert_eq!(error.span(), None);
        });
    }

    #[test]
    fn settings_are_worded_as_packer_does() {
        with_context(Phase::Plugin, |context| {
            let describe = |text| render(text, &context, &Value::Nil).expect_err(text).describe_setting("inline", text);
            assert_eq!(
                describe("{{nope}}"),
                "invalid 'inline': template: root:1: function \"nope\" not defined in:\n\n{{nope}}"
            );
            assert!(describe("{{env `A`}}").starts_with("render 'inline': template: root:1:2: "));
        });
    }

    #[test]
    fn placeholders_become_fields_and_then_values() {
        with_context(Phase::Plugin, |context| {
            let before = render("{{build `ID`}}", &context, &placeholder_data(&[])).expect("it renders");
            assert_eq!(before, "{{.ID}}");
            let context = Context { phase: Phase::Runtime, ..context };
            let data = [("ID", "i-1")].into_iter().collect();
            assert_eq!(render(&before, &context, &data), Ok("i-1".into()));
        });
    }

    #[test]
    fn usage_tells_what_a_text_depends_on() {
        with_context(Phase::Variables, |context| {
            let text = "{{user `a`}}{{env `RPK_E`}}{{if false}}{{env `X`}}{{end}}{{isotime `2006`}}";
            let (_, usage) = render_traced(text, &context, &Value::Nil).expect("it renders");
            let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
            assert_eq!(names(&usage.variables), "a");
            assert_eq!(names(&usage.environment), "RPK_E");
            assert_eq!(names(&usage.volatile), "isotime");
        });
    }

    #[test]
    fn resource_names_are_cleaned_only_where_a_builder_does() {
        with_context(Phase::Plugin, |context| {
            assert!(parse("{{clean_resource_name `a`}}", &context).is_err());
            let context = Context { resource_names: Some(ResourceNames::Amazon), ..context };
            assert_eq!(render("{{clean_resource_name `a:b`}}", &context, &Value::Nil), Ok("a-b".into()));
        });
    }
}
