//! `changes`: instructions of a Dockerfile that change an image's configuration, as the Docker Engine applies them.
//!
//! | file | holds |
//! | --- | --- |
//! | `health.rs` | `HEALTHCHECK` |
//! | `words.rs` | words, quotes and variables |

mod health;
mod words;

use serde_json::json;

use self::words::{fill, split};
use super::image::RunConfig;
use crate::failure::{Failure, Outcome};

/// The instructions that may be given.
const ALLOWED: &[&str] =
    &["cmd", "entrypoint", "env", "expose", "healthcheck", "label", "onbuild", "user", "volume", "workdir"];

/// Applies instructions, one a line.
pub fn apply(config: &mut RunConfig, changes: &[String]) -> Outcome<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let lines = lines(&changes.join("\n"));
    if lines.is_empty() {
        return Err(Failure::new("file with no instructions"));
    }
    // All are looked at before the first is applied.
    let mut instructions = Vec::new();
    for line in &lines {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let name = name.to_lowercase();
        if !ALLOWED.contains(&name.as_str()) {
            return Err(Failure::new(format!("{name} is not a valid change command"))
                .help(format!("use one of {}", ALLOWED.join(", ").to_uppercase())));
        }
        instructions.push((name, rest.trim()));
    }
    let has_cmd = instructions.iter().any(|(name, _)| name == "cmd");
    for (name, rest) in instructions {
        change(config, &name, rest, has_cmd)
            .map_err(|failure| failure.context(format!("changing the image by `{} {rest}`", name.to_uppercase())))?;
    }
    Ok(())
}

/// Joins lines that end in a backslash, and leaves out empty ones and remarks.
fn lines(text: &str) -> Vec<String> {
    let (mut lines, mut open) = (Vec::new(), String::new());
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with('#') || trimmed.is_empty() {
            continue;
        }
        match line.trim_end().strip_suffix('\\') {
            Some(start) => open.push_str(start),
            None => {
                open.push_str(line);
                lines.push(std::mem::take(&mut open).trim().to_owned());
            }
        }
    }
    if !open.trim().is_empty() {
        lines.push(open.trim().to_owned());
    }
    lines
}

fn change(config: &mut RunConfig, name: &str, rest: &str, has_cmd: bool) -> Outcome<()> {
    let env = config.env.clone();
    match name {
        "env" => {
            for (key, value) in pairs("ENV", rest)? {
                let (key, value) = (fill(&key, &env)?, fill(&value, &env)?);
                if key.is_empty() {
                    return Err(Failure::new("ENV names can not be blank"));
                }
                let entry = format!("{key}={value}");
                match config.env.iter_mut().find(|known| known.split('=').next() == Some(&key)) {
                    Some(known) => *known = entry,
                    None => config.env.push(entry),
                }
            }
        }
        "label" => {
            for (key, value) in pairs("LABEL", rest)? {
                let (key, value) = (fill(&key, &env)?, fill(&value, &env)?);
                if key.is_empty() {
                    return Err(Failure::new("LABEL names can not be blank"));
                }
                config.labels.insert(key, value);
            }
        }
        "expose" => {
            required("EXPOSE", rest)?;
            for word in split(rest) {
                for port in fill(&word, &env)?.split_whitespace() {
                    for port in ports(port)? {
                        config.exposed_ports.insert(port, json!({}));
                    }
                }
            }
        }
        "volume" => {
            required("VOLUME", rest)?;
            for word in words_or_json(rest) {
                let word = fill(&word, &env)?;
                if word.trim().is_empty() {
                    return Err(Failure::new("VOLUME specified can not be an empty string"));
                }
                config.volumes.insert(word.trim().to_owned(), json!({}));
            }
        }
        "user" => {
            required("USER", rest)?;
            config.user = fill(rest, &env)?;
        }
        "workdir" => {
            required("WORKDIR", rest)?;
            let folder = fill(rest, &env)?;
            config.working_dir =
                if folder.starts_with('/') { folder } else { clean(&format!("/{}/{folder}", config.working_dir)) };
        }
        "cmd" => config.cmd = command(rest, config.entrypoint.is_some(), config.cmd.take()),
        "entrypoint" => {
            let words = exec_form(rest);
            // Nothing at all changes nothing.
            if rest.is_empty() || words.as_ref().is_some_and(Vec::is_empty) {
                return Ok(());
            }
            config.entrypoint = Some(words.unwrap_or_else(|| shell_form(rest)));
            if !has_cmd {
                config.cmd = None;
            }
        }
        "onbuild" => {
            required("ONBUILD", rest)?;
            let trigger = rest.split_whitespace().next().unwrap_or_default().to_uppercase();
            match trigger.as_str() {
                "ONBUILD" => return Err(Failure::new("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")),
                "MAINTAINER" | "FROM" => {
                    return Err(Failure::new(format!("{trigger} isn't allowed as an ONBUILD trigger")));
                }
                _ => config.on_build.push(rest.to_owned()),
            }
        }
        _ => config.healthcheck = Some(health::parse(rest)?),
    }
    Ok(())
}

fn required(name: &str, rest: &str) -> Outcome<()> {
    if rest.is_empty() { Err(Failure::new(format!("{name} requires at least one argument"))) } else { Ok(()) }
}

/// Works out the command of a `CMD`.
fn command(rest: &str, has_entrypoint: bool, inherited: Option<Vec<String>>) -> Option<Vec<String>> {
    match exec_form(rest) {
        // An empty list takes the command away, but just from an image that runs something all the same.
        Some(words) if words.is_empty() => {
            if has_entrypoint {
                None
            } else {
                inherited
            }
        }
        Some(words) => Some(words),
        None if rest.is_empty() => Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
        None => Some(shell_form(rest)),
    }
}

/// Reads a list of texts; none if it is not one.
fn exec_form(rest: &str) -> Option<Vec<String>> {
    rest.starts_with('[').then(|| serde_json::from_str(rest).ok()).flatten()
}

fn shell_form(rest: &str) -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()]
}

fn words_or_json(rest: &str) -> Vec<String> {
    exec_form(rest).unwrap_or_else(|| split(rest))
}

/// Reads `K=V …`, or `K` and the rest of the line.
fn pairs(name: &str, rest: &str) -> Outcome<Vec<(String, String)>> {
    required(name, rest)?;
    let words = split(rest);
    if !words.first().is_some_and(|first| first.contains('=')) {
        let Some((key, value)) = rest.split_once(char::is_whitespace) else {
            return Err(Failure::new(format!("{name} must have two arguments")));
        };
        return Ok(vec![(key.to_owned(), value.trim().to_owned())]);
    }
    let pair = |word: &String| match word.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(Failure::new(format!("Syntax error - can't find = in {word:?}. Must be of the form: name=value"))),
    };
    words.iter().map(pair).collect()
}

/// Reads `[[IP:]HOST-PORT:]PORT[-PORT][/PROTOCOL]`.
fn ports(text: &str) -> Outcome<Vec<String>> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let port = ports.rsplit(':').next().unwrap_or_default();
    let protocol = protocol.to_lowercase();
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(Failure::new(format!("Invalid proto: {protocol}")));
    }
    let number = |text: &str| text.parse::<u16>().map_err(|_| Failure::new(format!("Invalid containerPort: {port}")));
    let (first, last) = port.split_once('-').unwrap_or((port, port));
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(Failure::new(format!("Invalid containerPort: {port}")));
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

/// Takes `.`, `..` and double slashes out of an absolute path.
fn clean(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> RunConfig {
        RunConfig {
            env: vec!["PATH=/bin".to_owned(), "X=1".to_owned()],
            cmd: Some(vec!["old".to_owned()]),
            entrypoint: Some(vec!["/e".to_owned()]),
            working_dir: "/srv".to_owned(),
            ..RunConfig::default()
        }
    }

    fn changed(changes: &[&str]) -> Outcome<RunConfig> {
        let mut config = base();
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
        apply(&mut config, &changes).map(|()| config)
    }

    fn words(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn commands_and_entrypoints_follow_the_engines_rules() {
        for (changes, cmd, entrypoint) in [
            (&["CMD [\"a\", \"b\"]"][..], words(&["a", "b"]), words(&["/e"])),
            (&["cmd a b"], words(&["/bin/sh", "-c", "a b"]), words(&["/e"])),
            (&["CMD ['a']"], words(&["/bin/sh", "-c", "['a']"]), words(&["/e"])),
            (&["CMD []"], None, words(&["/e"])),
            (&["CMD"], words(&["/bin/sh", "-c"]), words(&["/e"])),
            (&["ENTRYPOINT [\"/n\"]"], None, words(&["/n"])),
            (&["ENTRYPOINT []"], words(&["old"]), words(&["/e"])),
            (&["ENTRYPOINT"], words(&["old"]), words(&["/e"])),
            (&["ENTRYPOINT [\"\"]"], None, words(&[""])),
            (&["CMD [\"c\"]", "ENTRYPOINT [\"/n\"]"], words(&["c"]), words(&["/n"])),
        ] {
            let config = changed(changes).expect("is allowed");
            assert_eq!((config.cmd, config.entrypoint), (cmd, entrypoint), "{changes:?}");
        }
    }

    #[test]
    fn the_other_instructions_change_what_they_name() {
        let config = changed(&[
            "ENV A=$X B=\"b c\"\nENV X two words",
            "EXPOSE 80 81/udp 90-91 1000:2000",
            "LABEL k=v \"l\"='w x'",
            "USER \"app\"",
            "VOLUME [\"/a\", \"b\"]",
            "VOLUME /c",
            "WORKDIR sub/../x",
            "ONBUILD RUN true",
        ])
        .expect("are allowed");
        assert_eq!(config.env, ["PATH=/bin", "X=two words", "A=1", "B=b c"]);
        assert_eq!(
            config.exposed_ports.keys().collect::<Vec<_>>(),
            ["2000/tcp", "80/tcp", "81/udp", "90/tcp", "91/tcp"]
        );
        assert_eq!(config.labels["l"], "w x");
        assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("app", "/srv/x"));
        assert_eq!(config.volumes.keys().collect::<Vec<_>>(), ["/a", "/c", "b"]);
        assert_eq!(config.on_build, ["RUN true"]);
        assert_eq!(changed(&["WORKDIR /a/../b/"]).expect("is allowed").working_dir, "/a/../b/");
    }

    #[test]
    fn what_is_not_allowed_is_refused_in_the_engines_words() {
        for (change, words) in [
            ("STOPSIGNAL 9", "stopsignal is not a valid change command"),
            ("", "file with no instructions"),
            ("# x", "file with no instructions"),
            ("ENV", "ENV requires at least one argument"),
            ("ENV =x", "ENV names can not be blank"),
            ("EXPOSE abc", "Invalid containerPort: abc"),
            ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
            ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ] {
            let failure = changed(&[change]).expect_err("is not allowed");
            assert!(failure.to_string().contains(words), "{change}: {failure}");
        }
    }
}
