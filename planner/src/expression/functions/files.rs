//! Functions of paths and files, and of the environment.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::glob::{BadPattern, glob};
use super::{Fault, Function, Outcome, Parameter, Type, Value, function, kinds, parameter, results, text};
use crate::expression::scope::{FileKind, Host};

const PATH: Parameter = parameter("path", kinds::text);

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
    // A tilde is no home here.
    let folder = if host.template_directory.is_empty() { "." } else { host.template_directory };
    let folder = joined(folder, text(arguments, 0));
    let pattern = clean(&format!("{folder}/{}", text(arguments, 1)));
    host.usage.borrow_mut().files.insert(format!("{folder}/"));
    let found = glob(&pattern, host.files)
        .map_err(|BadPattern| format!("failed to glob pattern ({pattern}): syntax error in pattern"))?;
    let mut names = Vec::new();
    for path in found {
        match host.files.kind(&path) {
            Ok(FileKind::File) => names.push(Value::string(&relative(&folder, &path))),
            Ok(_) => {}
            Err(error) => return Err(format!("failed to look at {path}: {error}").into()),
        }
    }
    Ok(Value::set(Type::String, names))
}

/// The way from a folder to a path that was found by it.
fn relative(folder: &str, path: &str) -> String {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
    };
    let (folder, path) = (parts(folder), parts(path));
    let common = folder.iter().zip(&path).take_while(|(left, right)| left == right).count();
    let up = folder[common..].iter().map(|_| "..");
    let all: Vec<&str> = up.chain(path[common..].iter().map(String::as_str)).collect();
    if all.is_empty() { ".".to_owned() } else { all.join("/") }
}
