//! What an expression may ask for beside itself: variables, functions, files, the clock.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;

use super::value::Value;
use crate::value::interpolation::SecretSource;
use crate::value::usage::Usage;

/// Answers the names in an expression.
pub trait Scope {
    /// Finds what stands behind the first name of a traversal, such as `var`.
    fn root(&self, name: &str) -> Option<Root<'_>>;

    /// Lists the first names there are, for suggestions.
    fn root_names(&self) -> Vec<&str>;

    /// Which functions may be called.
    fn functions(&self) -> Callable {
        Callable::All
    }

    /// What functions may ask for.
    fn host(&self) -> &Host<'_>;
}

/// What stands behind a first name.
pub enum Root<'a> {
    /// A value.
    Value(Value),
    /// Many values by name, of which only those that are asked for are worked out.
    Namespace(&'a dyn Namespace),
}

/// Values by name.
pub trait Namespace {
    /// Finds one value.
    fn member(&self, name: &str) -> Option<Value>;

    /// Finds the namespace that stands behind a name, where values have two names.
    fn within(&self, name: &str) -> Option<Box<dyn Namespace + '_>> {
        let _ = name;
        None
    }

    /// Gives all at once as an object, for an expression that takes the namespace as a whole.
    fn whole(&self) -> Value;
}

/// Which functions may be called in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callable {
    /// All of them, except `env`.
    All,
    /// `env` alone: the defaults of variables.
    EnvironmentOnly,
    /// None at all: files with values of variables.
    None,
}

/// What functions may ask of the world. The same answers, the same values.
pub struct Host<'a> {
    /// The folder of the template as the user named it (`path.root`); `file` and its like join paths to it.
    pub template_directory: &'a str,
    /// The working directory, absolute.
    pub working_directory: &'a str,
    /// The environment, which also knows the home folder.
    pub environment: &'a BTreeMap<String, String>,
    /// The instant that `timestamp`, `legacy_isotime` and `legacy_strftime` answer with.
    pub now: Timestamp,
    /// Sixteen random bytes for each call: `uuidv4`, `bcrypt`.
    pub random: &'a dyn Fn() -> [u8; 16],
    /// Reads files.
    pub files: &'a dyn Files,
    /// Answers `vault`, `consul_key` and `aws_secretsmanager`: the function's name and its arguments.
    pub secrets: Option<&'a SecretSource<'a>>,
    /// Takes note of what was asked for.
    pub usage: &'a RefCell<Usage>,
}

/// Reads files for the functions that do.
pub trait Files: std::fmt::Debug + Send + Sync {
    /// Reads a whole file.
    ///
    /// # Errors
    ///
    /// As the file system says.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// Tells what stands at a path, symbolic links followed.
    ///
    /// # Errors
    ///
    /// As the file system says; none is there: [`io::ErrorKind::NotFound`].
    fn kind(&self, path: &str) -> io::Result<FileKind>;

    /// Lists the names in a folder, sorted.
    ///
    /// # Errors
    ///
    /// As the file system says.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Anything else.
    Other,
}

/// A world without files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn kind(&self, _: &str) -> io::Result<FileKind> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}
