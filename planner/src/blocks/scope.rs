//! The names that expressions of one place may use.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::globals::{Globals, Traced};
use crate::chain;
use crate::expression::scope::{Callable, Host, Namespace, Root, Scope};
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::value::interpolation::PACKER_VERSION;
use crate::value::usage::Usage;

/// What `build` has in a place.
#[derive(Clone, Debug, Default)]
pub(crate) enum BuildValues {
    /// There is no build: every name in it is an error.
    #[default]
    None,
    /// These names and values; only `name` is final.
    Known(BTreeMap<Arc<str>, Value>),
    /// These, and any other name, since the builder is not known here.
    Open(BTreeMap<Arc<str>, Value>),
}

/// The names that expressions of one place may use.
pub(crate) struct TemplateScope<'a> {
    globals: &'a Globals,
    host: &'a Host<'a>,
    variables: Variables<'a>,
    locals: Locals<'a>,
    data: Option<Data<'a>>,
    artifacts: Artifacts<'a>,
    build: Build,
    source: Value,
    /// Values of `dynamic` blocks; inner ones come last and hide outer ones.
    iterators: &'a [(Arc<str>, Value)],
}

/// Makes the scope of one place and hands it over.
///
/// `source` is its type and its name, once a build is at hand.
pub(crate) fn with_scope<T>(
    globals: &Globals,
    source: Option<(&str, &str)>,
    build: BuildValues,
    iterators: &[(Arc<str>, Value)],
    work: impl FnOnce(&TemplateScope<'_>) -> T,
) -> T {
    let usage = RefCell::new(Usage::default());
    let ground = &globals.ground;
    let random = || ground.draw();
    let host = ground.host(&random, &usage);
    let text = |text: Option<&str>| text.map_or(Value::Unknown(Type::String), Value::string);
    work(&TemplateScope {
        globals,
        host: &host,
        variables: Variables { globals, usage: &usage },
        locals: Locals { globals, usage: &usage },
        data: globals.data.is_some().then_some(Data { globals, usage: &usage }),
        artifacts: Artifacts { globals },
        build: Build { values: build, is_touched: Cell::new(false) },
        source: Value::object([
            (Arc::from("type"), text(source.map(|(kind, _)| kind))),
            (Arc::from("name"), text(source.map(|(_, name)| name))),
        ]),
        iterators,
    })
}

impl<'a> TemplateScope<'a> {
    /// Returns what was asked for since the last time.
    pub fn take_usage(&self) -> Usage {
        self.host.usage.take()
    }

    /// Tells whether a value was asked for that only the running machine has.
    pub fn needs_machine(&self) -> bool {
        self.build.is_touched.get()
    }

    /// Makes the scope of a block that a `dynamic` block has made.
    pub fn nested<T>(&self, iterators: &[(Arc<str>, Value)], work: impl FnOnce(&TemplateScope<'_>) -> T) -> T {
        let scope = TemplateScope {
            globals: self.globals,
            host: self.host,
            variables: Variables { globals: self.globals, usage: self.host.usage },
            locals: Locals { globals: self.globals, usage: self.host.usage },
            data: self.data.is_some().then_some(Data { globals: self.globals, usage: self.host.usage }),
            artifacts: Artifacts { globals: self.globals },
            build: Build { values: self.build.values.clone(), is_touched: Cell::new(false) },
            source: self.source.clone(),
            iterators,
        };
        let result = work(&scope);
        self.build.is_touched.set(self.build.is_touched.get() || scope.build.is_touched.get());
        result
    }

    /// Returns the iterators at hand, for blocks further inside.
    pub fn iterators(&self) -> &'a [(Arc<str>, Value)] {
        self.iterators
    }
}

impl Scope for TemplateScope<'_> {
    fn root(&self, name: &str) -> Option<Root<'_>> {
        if let Some((_, value)) = self.iterators.iter().rev().find(|(known, _)| known.as_ref() == name) {
            return Some(Root::Value(value.clone()));
        }
        match name {
            "var" => Some(Root::Namespace(&self.variables)),
            "local" => Some(Root::Namespace(&self.locals)),
            "data" => self.data.as_ref().map(|data| Root::Namespace(data)),
            "artifact" => Some(Root::Namespace(&self.artifacts)),
            "build" => Some(Root::Namespace(&self.build)),
            "source" => Some(Root::Value(self.source.clone())),
            "path" => {
                let ground = &self.globals.ground;
                Some(Root::Value(Value::object([
                    (Arc::from("root"), Value::string(&ground.template_directory.replace('\\', "/"))),
                    (Arc::from("cwd"), Value::string(&ground.working_directory.replace('\\', "/"))),
                ])))
            }
            "packer" => Some(Root::Value(Value::object([
                (Arc::from("version"), Value::string(PACKER_VERSION)),
                (Arc::from("versionFingerprint"), Value::Unknown(Type::String)),
                (Arc::from("iterationID"), Value::Unknown(Type::String)),
            ]))),
            _ => None,
        }
    }

    fn root_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.iterators.iter().map(|(name, _)| name.as_ref()).collect();
        names.extend(["var", "local", "build", "source", "path", "packer"]);
        names.extend(self.data.is_some().then_some("data"));
        names
    }

    fn functions(&self) -> Callable {
        Callable::All
    }

    fn host(&self) -> &Host<'_> {
        self.host
    }
}

struct Variables<'a> {
    globals: &'a Globals,
    usage: &'a RefCell<Usage>,
}

impl Namespace for Variables<'_> {
    fn member(&self, name: &str) -> Option<Value> {
        let value = self.globals.variables.get(name)?;
        let mut usage = self.usage.borrow_mut();
        usage.variables.insert(name.to_owned());
        usage.reads_sensitive |= self.globals.sensitive.contains(name);
        Some(value.clone())
    }

    fn whole(&self) -> Value {
        let mut usage = self.usage.borrow_mut();
        usage.variables.extend(self.globals.variables.keys().map(ToString::to_string));
        usage.reads_sensitive |= !self.globals.sensitive.is_empty();
        Value::object(self.globals.variables.iter().map(|(name, value)| (name.clone(), value.clone())))
    }
}

struct Locals<'a> {
    globals: &'a Globals,
    usage: &'a RefCell<Usage>,
}

impl Namespace for Locals<'_> {
    fn member(&self, name: &str) -> Option<Value> {
        let (value, usage) = self.globals.locals.get(name)?;
        self.usage.borrow_mut().extend(usage);
        Some(value.clone())
    }

    fn whole(&self) -> Value {
        for (_, usage) in self.globals.locals.values() {
            self.usage.borrow_mut().extend(usage);
        }
        Value::object(self.globals.locals.iter().map(|(name, (value, _))| (name.clone(), value.clone())))
    }
}

struct Data<'a> {
    globals: &'a Globals,
    usage: &'a RefCell<Usage>,
}

impl Namespace for Data<'_> {
    fn member(&self, name: &str) -> Option<Value> {
        Some(self.of_kind(name)?.whole())
    }

    fn within(&self, name: &str) -> Option<Box<dyn Namespace + '_>> {
        Some(Box::new(self.of_kind(name)?))
    }

    fn whole(&self) -> Value {
        let kinds = self.globals.data.iter().flatten();
        Value::object(kinds.filter_map(|(kind, _)| Some((kind.clone(), self.member(kind)?))))
    }
}

impl<'a> Data<'a> {
    fn of_kind(&self, name: &str) -> Option<DataOfKind<'a>> {
        let (kind, sources) = self.globals.data.as_ref()?.get_key_value(name)?;
        Some(DataOfKind { kind, sources, usage: self.usage })
    }
}

/// The data sources of one type.
struct DataOfKind<'a> {
    kind: &'a str,
    sources: &'a Traced,
    usage: &'a RefCell<Usage>,
}

impl Namespace for DataOfKind<'_> {
    fn member(&self, name: &str) -> Option<Value> {
        let (value, usage) = self.sources.get(name)?;
        let mut used = self.usage.borrow_mut();
        used.extend(usage);
        used.data.insert((self.kind.to_owned(), name.to_owned()));
        Some(value.clone())
    }

    fn whole(&self) -> Value {
        let names = self.sources.keys();
        Value::object(names.filter_map(|name| Some((name.clone(), self.member(name)?))))
    }
}

/// What other builds make. What it is becomes known when they have run: a mark stands for it until then.
struct Artifacts<'a> {
    globals: &'a Globals,
}

impl Artifacts<'_> {
    fn of_build(name: &str) -> Value {
        let text = |attribute: &str| Value::string(&chain::mark(name, attribute));
        let value = |attribute: &str| match attribute {
            "files" => Value::Tuple([text(attribute)].into()),
            _ => text(attribute),
        };
        Value::object(chain::ATTRIBUTES.map(|attribute| (Arc::from(attribute), value(attribute))))
    }
}

impl Namespace for Artifacts<'_> {
    fn member(&self, name: &str) -> Option<Value> {
        if name.contains('.') {
            return Some(Self::of_build(name));
        }
        let sources = self.globals.artifacts.get(name)?;
        Some(Value::object(sources.iter().map(|source| (source.clone(), Self::of_build(&format!("{name}.{source}"))))))
    }

    fn whole(&self) -> Value {
        let kinds = self.globals.artifacts.keys();
        Value::object(kinds.filter_map(|kind| Some((kind.clone(), self.member(kind)?))))
    }
}

struct Build {
    values: BuildValues,
    is_touched: Cell<bool>,
}

impl Namespace for Build {
    fn member(&self, name: &str) -> Option<Value> {
        let value = match &self.values {
            BuildValues::None => return None,
            BuildValues::Known(values) => values.get(name)?.clone(),
            BuildValues::Open(values) => values.get(name).cloned().unwrap_or_else(|| Value::string("<unknown>")),
        };
        if name != "name" {
            self.is_touched.set(true);
        }
        Some(value)
    }

    fn whole(&self) -> Value {
        match &self.values {
            BuildValues::None => Value::Unknown(Type::object([])),
            BuildValues::Known(values) | BuildValues::Open(values) => {
                self.is_touched.set(true);
                Value::object(values.clone())
            }
        }
    }
}
