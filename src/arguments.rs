//! The command line's words to its types, flags written Go's way as Packer's users type them.
//!
//! Go takes `-flag` and `--flag` for the same, clap takes the first for a row of short flags. `-machine-readable` is
//! understood anywhere, also before the command.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use crate::cli::Cli;
use crate::exit::Exit;
use crate::report::{write_err, write_out};

/// Parses a command line; help, versions and errors are printed here and end the program.
pub fn parse(words: Vec<OsString>) -> Result<Cli, Exit> {
    Cli::try_parse_from(in_clap_style(words)).map_err(|error| {
        let text = in_gos_style(&error.render().to_string());
        if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            write_err(&text);
        } else {
            write_out(&text);
        }
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success,
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::MissingSubcommand
            | ErrorKind::InvalidSubcommand => Exit::NoCommand,
            _ => Exit::Failure,
        }
    })
}

/// Writes flags with one dash, as Packer's users type them and as the examples have them.
fn in_gos_style(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let follows_a_word = rest[..at].ends_with(|c: char| !c.is_whitespace() && c != '\'' && c != '`');
        let is_flag = rest[at + 2..].starts_with(|c: char| c.is_ascii_alphabetic()) && !follows_a_word;
        out.push_str(&rest[..at]);
        out.push_str(if is_flag { "-" } else { "--" });
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
    out
}

/// Rewrites the words of a command line, the program's name first.
fn in_clap_style(words: Vec<OsString>) -> Vec<OsString> {
    let command = Cli::command();
    let takes_value = |subcommand: Option<&str>, flag: &str| {
        let subcommand = subcommand.and_then(|name| command.find_subcommand(name)).unwrap_or(&command);
        subcommand.get_arguments().any(|argument| {
            argument.get_long() == Some(flag)
                && argument.get_action().takes_values()
                && !argument.is_require_equals_set()
        })
    };
    let mut out: Vec<OsString> = Vec::with_capacity(words.len());
    let mut subcommand: Option<String> = None;
    let mut machine_readable = false;
    let mut words = words.into_iter();
    out.extend(words.next());
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else {
            out.push(word);
            continue;
        };
        if text == "--" {
            out.push(word);
            break;
        }
        if text == "-machine-readable" {
            machine_readable = true;
            continue;
        }
        let is_flag = text.len() > 1 && text.starts_with('-');
        if !is_flag {
            if subcommand.is_none() {
                subcommand = Some(text.to_owned());
            }
            out.push(word);
            continue;
        }
        let name = text.trim_start_matches('-').to_owned();
        match name.as_str() {
            "h" | "help" => out.push("--help".into()),
            "v" if subcommand.is_none() => out.push("--version".into()),
            _ => out.push(format!("--{name}").into()),
        }
        if !name.contains('=') && takes_value(subcommand.as_deref(), &name) {
            out.extend(words.next());
        }
    }
    out.extend(words);
    if machine_readable {
        // After the subcommand's name, where its flags go.
        let place = subcommand.and_then(|name| out.iter().skip(1).position(|word| *word == *name));
        if let Some(place) = place {
            out.insert(place + 2, "--machine-readable".into());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let out: Vec<String> =
            in_clap_style(words).into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        out.join(" ")
    }

    #[test]
    fn flags_are_shown_with_one_dash() {
        for (text, shown) in [
            ("      --var <NAME=VALUE>", "      -var <NAME=VALUE>"),
            ("'--var' wants", "'-var' wants"),
            ("-h, --help  a--b -- c", "-h, -help  a--b -- c"),
        ] {
            assert_eq!(in_gos_style(text), shown);
        }
    }

    #[test]
    fn gos_flags_become_claps() {
        for (typed, understood) in [
            ("rpk apply -var k=v t.json", "rpk apply --var k=v t.json"),
            ("rpk apply -var=k=v --var a=b t.json", "rpk apply --var=k=v --var a=b t.json"),
            ("rpk apply -var -x=1 -", "rpk apply --var -x=1 -"),
            ("rpk apply -color=false -force t.json", "rpk apply --color=false --force t.json"),
            ("rpk -machine-readable apply t.json", "rpk apply --machine-readable t.json"),
            ("rpk plan t.json -machine-readable", "rpk plan --machine-readable t.json"),
            ("rpk -v", "rpk --version"),
            ("rpk plan -h", "rpk plan --help"),
            ("rpk plan -- -odd.json", "rpk plan -- -odd.json"),
        ] {
            assert_eq!(rewritten(typed), understood);
        }
    }
}
