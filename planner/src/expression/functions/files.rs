//! Functions of paths and files, and of the environment.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Fault, Function, Outcome, Parameter, Type, Value, function, kinds, parameter, results, text};
use crate::expression::scope::{FileKind, Host};

const PATH: Parameter = parameter("path", kinds::text);

/// How deep `fileset` goes: links can make a folder contain itself.
const MAX_DEPTH: usize = 64;

pub(super) const FUNCTIONS: &[Function] = &[
    function("abspath", &[PATH], results::text, |arguments, host| {
        Ok(Value::string(&joined(host.working_directory, text(arguments, 0))))
    }),
    function("basename", &[PATH], results::text, |arguments, _| Ok(Value::string(&basename(text(arguments, 0))))),
    function("dirname", &[PATH], results::text, |arguments, _| Ok(Value::string(&dirname(text(arguments, 0))))),
    function("env", &[parameter("key", kinds::text)], results::text, |arguments, host| {
        let key = text(arguments, 0);
        host.usage.borrow_mut().environment.insert(key.to_owned());
        Ok(Value::string(host.environment.get(key).map_or("", String::as_str)))
    }),
    function("file", &[PATH], results::text, |arguments, host| {
        read_text(text(arguments, 0), host).map(|text| Value::string(&text)).map_err(Fault::Other)
    }),
    function("filebase64", &[PATH], results::text, |arguments, host| {
        // Relative to the working directory, unlike all others.
        let path = joined(host.working_directory, text(arguments, 0));
        let bytes = read(&path, text(arguments, 0), host)?;
        Ok(Value::string(&BASE64_STANDARD.encode(bytes)))
    }),
    function("fileexists", &[PATH], results::flag, exists),
    function("fileset", &[PATH, parameter("pattern", kinds::text)], || Type::set(Type::String), fileset),
    function("pathexpand", &[PATH], results::text, |arguments, host| {
        expanded(text(arguments, 0), host).map(|path| Value::string(&path)).map_err(Fault::Other)
    }),
];

/// Brings a path into its shortest form, as Go's `filepath.Clean` does.
fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (is_absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Joins a path to a folder, unless it is absolute.
fn joined(folder: &str, path: &str) -> String {
    if Path::new(path).is_absolute() { clean(path) } else { clean(&format!("{folder}/{path}")) }
}

fn basename(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/".to_owned() } else { trimmed.rsplit('/').next().unwrap_or(trimmed).to_owned() }
}

fn dirname(path: &str) -> String {
    match path.rfind('/') {
        Some(at) => clean(&path[..=at]),
        None => ".".to_owned(),
    }
}

fn expanded(path: &str, host: &Host<'_>) -> Result<String, String> {
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.to_owned()) };
    if !rest.is_empty() && !rest.starts_with('/') {
        return Err("cannot expand user-specific home dir".to_owned());
    }
    host.usage.borrow_mut().environment.insert("HOME".to_owned());
    let home = host.environment.get("HOME").ok_or("there is no home folder")?;
    Ok(if rest.is_empty() { home.clone() } else { clean(&format!("{home}{rest}")) })
}

/// The file that a path means: `~` expanded, relative to the template's folder.
fn in_template(path: &str, host: &Host<'_>) -> Result<String, String> {
    let path = expanded(path, host)?;
    let folder = if host.template_directory.is_empty() { "." } else { host.template_directory };
    Ok(joined(folder, &path))
}

fn read(path: &str, shown: &str, host: &Host<'_>) -> Result<Vec<u8>, String> {
    host.usage.borrow_mut().files.insert(path.to_owned());
    host.files.read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("no file exists at {shown}"),
        _ => format!("failed to read {shown}: {error}"),
    })
}

/// Reads a file as text, for functions that take its content.
pub(in crate::expression) fn read_text(path: &str, host: &Host<'_>) -> Result<String, String> {
    let full = in_template(path, host)?;
    String::from_utf8(read(&full, path, host)?).map_err(|_| {
        format!(
            "contents of {path} are not valid UTF-8; use the filebase64 function to obtain the Base64 encoded contents"
        )
    })
}

fn exists(arguments: &[Value], host: &Host<'_>) -> Outcome {
    let path = in_template(text(arguments, 0), host)?;
    host.usage.borrow_mut().files.insert(path.clone());
    match host.files.kind(&path) {
        Ok(FileKind::File) => Ok(Value::Bool(true)),
        Ok(_) => Err(format!("{} is not a regular file", text(arguments, 0)).into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Value::Bool(false)),
        Err(error) => Err(format!("failed to look at {}: {error}", text(arguments, 0)).into()),
    }
}

fn fileset(arguments: &[Value], host: &Host<'_>) -> Outcome {
    let folder = in_template(text(arguments, 0), host)?;
    let pattern: Vec<Vec<char>> = text(arguments, 1).split('/').map(|part| part.chars().collect()).collect();
    for part in &pattern {
        check(part)?;
    }
    host.usage.borrow_mut().files.insert(format!("{folder}/"));
    let mut found = Vec::new();
    search(&folder, "", &pattern, host, 0, &mut found);
    Ok(Value::set(Type::String, found.iter().map(|path| Value::string(path))))
}

fn search(folder: &str, below: &str, pattern: &[Vec<char>], host: &Host<'_>, depth: usize, found: &mut Vec<String>) {
    let Some((first, rest)) = pattern.split_first() else { return };
    if depth > MAX_DEPTH {
        return;
    }
    let path = |name: &str| if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
    let is_any_depth = first.as_slice() == ['*', '*'];
    if is_any_depth && !rest.is_empty() {
        search(folder, below, rest, host, depth, found);
    }
    let at = if below.is_empty() { folder.to_owned() } else { format!("{folder}/{below}") };
    for name in host.files.list(&at).unwrap_or_default() {
        let inner = path(&name);
        let kind = host.files.kind(&format!("{folder}/{inner}"));
        match kind {
            Ok(FileKind::Folder) if is_any_depth => search(folder, &inner, pattern, host, depth + 1, found),
            Ok(FileKind::Folder) if !rest.is_empty() && matches(first, &name) => {
                search(folder, &inner, rest, host, depth + 1, found);
            }
            Ok(FileKind::File) if rest.is_empty() && (is_any_depth || matches(first, &name)) => found.push(inner),
            _ => {}
        }
    }
}

fn check(pattern: &[char]) -> Result<(), Fault> {
    let open = pattern.iter().filter(|c| **c == '[').count();
    let closed = pattern.iter().filter(|c| **c == ']').count();
    if open == closed { Ok(()) } else { Err("failed to glob pattern: syntax error in pattern".into()) }
}

fn matches(pattern: &[char], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    part(pattern, &name)
}

fn part(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|skipped| part(rest, &name[skipped..])),
        Some(('?', rest)) => !name.is_empty() && part(rest, &name[1..]),
        Some(('\\', rest)) => match rest.split_first() {
            Some((escaped, rest)) => name.first() == Some(escaped) && part(rest, &name[1..]),
            None => false,
        },
        Some(('[', rest)) => {
            let Some(end) = rest.iter().position(|c| *c == ']') else { return false };
            let (inside, after) = (&rest[..end], &rest[end + 1..]);
            let Some(first) = name.first() else { return false };
            let (is_negated, inside) = match inside.split_first() {
                Some(('!' | '^', inside)) => (true, inside),
                _ => (false, inside),
            };
            let mut is_in = false;
            let mut at = 0;
            while at < inside.len() {
                if inside.get(at + 1) == Some(&'-') && at + 2 < inside.len() {
                    is_in |= (inside[at]..=inside[at + 2]).contains(first);
                    at += 3;
                } else {
                    is_in |= inside[at] == *first;
                    at += 1;
                }
            }
            is_in != is_negated && part(after, &name[1..])
        }
        Some(('{', rest)) => {
            let Some(end) = rest.iter().position(|c| *c == '}') else { return false };
            let after = &rest[end + 1..];
            rest[..end].split(|c| *c == ',').any(|choice| {
                let joined: Vec<char> = choice.iter().chain(after).copied().collect();
                part(&joined, name)
            })
        }
        Some((c, rest)) => name.first() == Some(c) && part(rest, &name[1..]),
    }
}
