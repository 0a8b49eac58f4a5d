//! What the script-running components share: the environment of a script and where its text comes from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rpk_planner::catalog::{OptionSpec, Problem, Reads, Settings, integer_list, string, string_list, string_map};
use rpk_planner::chain::is_marked;

use crate::communicator::DISCONNECTED;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The environment that every script gets: Packer's own variables, then `environment_vars`, then `env`, by name.
pub(crate) fn environment(
    ctx: &NodeContext,
    environment_vars: &[String],
    env: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("PACKER_BUILD_NAME".to_owned(), ctx.build.source_name.clone()),
        ("PACKER_BUILDER_TYPE".to_owned(), ctx.build.builder_type.clone()),
    ]);
    for (variable, name) in [
        ("PackerHTTPAddr", "PACKER_HTTP_ADDR"),
        ("PackerHTTPIP", "PACKER_HTTP_IP"),
        ("PackerHTTPPort", "PACKER_HTTP_PORT"),
    ] {
        // A builder without an HTTP server has a text here that says so.
        if let Some(value) = ctx.data.get(variable).filter(|value| !value.starts_with("ERR_")) {
            all.insert(name.to_owned(), value.clone());
        }
    }
    for word in environment_vars {
        if let Some((name, value)) = word.split_once('=') {
            all.insert(name.to_owned(), value.to_owned());
        }
    }
    all.extend(env.iter().map(|(name, value)| (name.clone(), value.clone())));
    all
}

/// Writes variables one after the other in a format with two `%s`, for name and value quoted for a Unix shell.
pub(crate) fn format_environment(variables: &BTreeMap<String, String>, format: &str) -> String {
    format_escaped(variables, format, |value| value.replace('\'', r#"'"'"'"#))
}

/// Writes variables like [`format_environment`], with values escaped in another way.
pub(crate) fn format_escaped(
    variables: &BTreeMap<String, String>,
    format: &str,
    escape: impl Fn(&str) -> String,
) -> String {
    variables.iter().map(|(name, value)| fill(format, [name, &escape(value)])).collect()
}

/// Fills `%s` one after the other, as Go's `Sprintf` does.
fn fill(format: &str, words: [&str; 2]) -> String {
    let mut words = words.into_iter();
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        match rest.as_bytes().get(at + 1) {
            Some(b's') => out.push_str(words.next().unwrap_or("%!s(MISSING)")),
            Some(b'%') => out.push('%'),
            _ => out.push_str(&rest[at..(at + 1).min(rest.len())]),
        }
        let is_verb = matches!(rest.as_bytes().get(at + 1), Some(b's' | b'%'));
        rest = &rest[at + if is_verb { 2 } else { 1 }..];
    }
    out.push_str(rest);
    out
}

/// The text of an inline script: a shebang, unless the lines bring their own, and the lines.
pub(crate) fn inline_script(ctx: &NodeContext, lines: &[String], shebang: Option<&str>) -> Outcome<String> {
    let mut text = String::new();
    match shebang {
        Some(shebang) => text = format!("#!{shebang}\n"),
        None if lines.first().is_some_and(|line| line.starts_with("#!")) => {}
        None => text.push_str("#!/bin/sh -e\n"),
    }
    Ok(text + &inline_lines(ctx, lines)?)
}

/// The lines of an inline script, rendered.
pub(crate) fn inline_lines(ctx: &NodeContext, lines: &[String]) -> Outcome<String> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&ctx.render(line, &[])?);
        text.push('\n');
    }
    Ok(text)
}

/// Tells whether an exit status counts as success; without a list, zero alone does. A lost connection never does.
pub(crate) fn judge_status(status: i64, accepted: &[i64]) -> Outcome<()> {
    let accepted = if accepted.is_empty() { &[0] } else { accepted };
    match status {
        _ if accepted.contains(&status) => Ok(()),
        DISCONNECTED => Err(Failure::new("the connection was lost while the script ran")),
        _ => Err(exit_failure(status, accepted)),
    }
}

/// The failure of a script with an exit status that does not count as success.
pub(crate) fn exit_failure(status: i64, accepted: &[i64]) -> Failure {
    let accepted: Vec<String> = accepted.iter().map(ToString::to_string).collect();
    Failure::new(format!(
        "Script exited with non-zero exit status: {status}. Allowed exit codes are: [{}]",
        accepted.join(" ")
    ))
    .exit_status(status)
}

/// The options that say what to run and with which environment.
pub(crate) fn options() -> [OptionSpec; 8] {
    use rpk_planner::catalog::Rendering;
    [
        string_list("inline", "The lines of a script.").rendering(Rendering::Both),
        string("script", "A file with a script."),
        string_list("scripts", "Files with scripts, run in this order."),
        string_list("environment_vars", "Environment variables as `NAME=value`."),
        string_map("env", "Environment variables by name."),
        string("env_var_format", "How one variable is written, with `%s` for name and value."),
        string("inline_shebang", "The first line of an inline script, without `#!`."),
        integer_list("valid_exit_codes", "The exit statuses that count as success."),
    ]
}

/// Lists the script files that those options name.
pub(crate) fn files(settings: &Settings) -> Vec<Reads> {
    let script = settings.get("script").and_then(|path| path.as_str()).into_iter();
    let scripts = settings.get("scripts").and_then(|paths| paths.as_array()).into_iter().flatten();
    script
        .chain(scripts.filter_map(|path| path.as_str()))
        .filter(|path| !path.is_empty())
        .map(|path| Reads { path: path.to_owned(), is_tree: false })
        .collect()
}

/// Checks those options; `also` names a further option that says what to run.
pub(crate) fn check(settings: &Settings, also: Option<&str>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let is_given = |name: &str| match settings.get(name) {
        Some(serde_json::Value::Array(items)) => !items.is_empty(),
        Some(serde_json::Value::String(text)) => !text.is_empty(),
        _ => false,
    };
    let ways: Vec<&str> =
        ["inline", "script", "scripts"].into_iter().chain(also).filter(|name| is_given(name)).collect();
    let all = ["`inline`", "`script`", "`scripts`"].join(", ");
    match ways.as_slice() {
        [] => problems.push(Problem::of_block("there is nothing to run").help(format!("give one of {all}"))),
        [_] => {}
        [_, second, ..] => problems.push(
            Problem::with(second, format!("`{}` exclude each other", ways.join("` and `")))
                .help(format!("keep one of {all}")),
        ),
    }
    for (option, path) in paths(settings) {
        if !is_marked(&path) && !std::path::Path::new(&path).exists() {
            problems.push(
                Problem::with(option, format!("there is no file {path}"))
                    .help("paths are relative to the working directory, not to the template"),
            );
        }
    }
    for word in settings.get("environment_vars").and_then(|list| list.as_array()).into_iter().flatten() {
        let word = word.as_str().unwrap_or_default();
        if word.split_once('=').is_none_or(|(name, _)| name.is_empty()) {
            problems.push(
                Problem::with("environment_vars", format!("`{}` is not of the form NAME=value", mask(word)))
                    .help("write a name, `=` and the value"),
            );
        }
    }
    problems
}

/// Shows the name of a malformed variable, but not what may be its value.
fn mask(word: &str) -> String {
    match word.split_once('=') {
        Some((name, _)) => format!("{name}=…"),
        None => word.to_owned(),
    }
}

/// Lists the script files that the options name. Names that are known only while running are left out.
fn paths(settings: &Settings) -> Vec<(&'static str, String)> {
    let script = settings.get("script").and_then(|path| path.as_str()).map(|path| ("script", path));
    let scripts = settings.get("scripts").and_then(|list| list.as_array()).into_iter().flatten();
    script
        .into_iter()
        .chain(scripts.filter_map(|path| Some(("scripts", path.as_str()?))))
        .filter(|(_, path)| !path.is_empty() && !path.contains("{{"))
        .map(|(option, path)| (option, path.to_owned()))
        .collect()
}

/// Says in a few words what is run.
pub(crate) fn describe(settings: &Settings) -> String {
    let list = |name: &str| settings.get(name).and_then(|list| list.as_array()).cloned().unwrap_or_default();
    let inline = list("inline");
    let files: Vec<PathBuf> = paths(settings).into_iter().map(|(_, path)| path.into()).collect();
    match (inline.as_slice(), files.as_slice()) {
        ([line], _) => format!("run `{}`", shorten(line.as_str().unwrap_or_default())),
        ([first, rest @ ..], _) => {
            format!("run `{}` and {}", shorten(first.as_str().unwrap_or_default()), more(rest.len(), "line"))
        }
        ([], [file]) => format!("run {}", file.display()),
        ([], [first, rest @ ..]) => format!("run {} and {}", first.display(), more(rest.len(), "script")),
        ([], []) => "run a script".to_owned(),
    }
}

fn more(count: usize, noun: &str) -> String {
    format!("{count} more {noun}{}", if count == 1 { "" } else { "s" })
}

/// Cuts a line to what fits beside others.
pub(crate) fn shorten(text: &str) -> String {
    const WIDTH: usize = 50;
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= WIDTH && line.len() == text.len() {
        return line.to_owned();
    }
    let cut: String = line.chars().take(WIDTH - 1).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_written_by_name_and_quoted() {
        let variables = BTreeMap::from([("B", "it's"), ("A", "1")])
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for (format, text) in [
            ("%s='%s' ", r#"A='1' B='it'"'"'s' "#),
            ("export %s='%s'\n", "export A='1'\nexport B='it'\"'\"'s'\n"),
            ("100%% %s", "100% A100% B"),
        ] {
            assert_eq!(format_environment(&variables, format), text);
        }
    }

    #[test]
    fn a_lost_connection_is_no_exit_status() {
        assert!(judge_status(0, &[]).is_ok() && judge_status(3, &[0, 3]).is_ok());
        let failure = judge_status(1, &[]).expect_err("one is no success");
        assert_eq!(failure.exit_status, Some(1));
        let failure = judge_status(DISCONNECTED, &[]).expect_err("nobody knows how it ended");
        assert!(failure.to_string().contains("connection was lost"), "{failure}");
    }

    #[test]
    fn what_to_run_is_given_exactly_once() {
        let settings = |text: &str| serde_json::from_str::<Settings>(text).expect("is an object");
        assert_eq!(check(&settings(r#"{"inline": ["x"]}"#), None), []);
        assert_eq!(check(&settings("{}"), None)[0].message, "there is nothing to run");
        let both = check(&settings(r#"{"inline": ["x"], "script": "/etc/hostname"}"#), None);
        assert_eq!(both[0].message, "`inline` and `script` exclude each other");
        let missing = check(&settings(r#"{"scripts": ["/nowhere"], "environment_vars": ["=x"]}"#), None);
        assert_eq!(missing.len(), 2);
    }
}
