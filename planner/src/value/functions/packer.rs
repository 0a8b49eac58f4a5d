//! The table of Packer's functions, and those that answer from the context.

use std::cell::RefCell;
use std::fmt::Write as _;

use super::{build_data, go_time, text};
use crate::chain;
use crate::gotemplate::{Functions, Parameter, Signature, Value};
use crate::value::interpolation::{Context, Phase};
use crate::value::usage::Usage;

/// Packer's functions within a context.
pub(crate) struct PackerFunctions<'a> {
    pub context: &'a Context<'a>,
    /// What the template is rendered with; `build` reads it.
    pub data: &'a Value,
    /// Answers `user`.
    pub variable: &'a dyn Fn(&str) -> Result<String, String>,
    /// Where calls are noted down.
    pub usage: &'a RefCell<Usage>,
}

/// Tells whether templates may call `name` in this context.
pub(crate) fn is_function(name: &str, context: &Context<'_>) -> bool {
    signature(name).is_some() && (name != "clean_resource_name" || context.resource_names.is_some())
}

fn signature(name: &str) -> Option<Signature> {
    use Parameter::{Int, String};
    let (fixed, variadic): (&'static [Parameter], _) = match name {
        "build_name" | "build_type" | "packer_version" | "pwd" | "template_dir" | "timestamp" | "uuid" => (&[], None),
        "isotime" | "aws_secretsmanager" => (&[], Some(String)),
        "artifact" => (&[String], Some(String)),
        "aws_secretsmanager_raw"
        | "build"
        | "clean_resource_name"
        | "consul_key"
        | "env"
        | "lower"
        | "strftime"
        | "upper"
        | "user" => (&[String], None),
        "sed" | "vault" => (&[String, String], None),
        "replace_all" => (&[String, String, String], None),
        "split" => (&[String, String, Int], None),
        "replace" => (&[String, String, Int, String], None),
        _ => return None,
    };
    Some(Signature { fixed, variadic })
}

impl Functions for PackerFunctions<'_> {
    fn signature(&self, name: &str) -> Option<Signature> {
        signature(name).filter(|_| is_function(name, self.context))
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        // The language has checked the arguments against the signature.
        let texts: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
        let int = || arguments.iter().find_map(|value| if let Value::Int(int) = value { Some(*int) } else { None });
        self.answer(name, &texts, int().unwrap_or_default()).map(Value::from)
    }
}

impl PackerFunctions<'_> {
    fn answer(&self, name: &str, texts: &[&str], int: i64) -> Result<String, String> {
        let context = self.context;
        match (name, texts) {
            ("user", [name]) => {
                self.usage.borrow_mut().variables.insert((*name).to_owned());
                (self.variable)(name)
            }
            ("env", [name]) => self.env(name),
            ("artifact", [build]) => self.artifact(build, "id"),
            ("artifact", [build, attribute]) => self.artifact(build, attribute),
            ("artifact", _) => Err("artifact takes a build and one of its attributes".to_owned()),
            ("build", [name]) => build_data::lookup(name, self.data),
            ("build_name", []) => self.of_build(context.build_name, "build_name not available"),
            ("build_type", []) => self.of_build(context.build_type, "build_type not available"),
            ("packer_version", []) => Ok(context.packer_version.to_owned()),
            ("pwd", []) => Ok(context.pwd.to_owned()),
            ("template_dir", []) => {
                context.template_dir.map(str::to_owned).ok_or_else(|| "template path not available".to_owned())
            }
            ("timestamp" | "isotime" | "strftime" | "uuid", _) => self.of_this_moment(name, texts),
            ("upper", [text]) => Ok(text::upper(text)),
            ("lower", [text]) => Ok(text::lower(text)),
            ("replace", [old, new, text]) => Ok(text::replace(old, new, int, text)),
            ("replace_all", [old, new, text]) => Ok(text.replace(old, new)),
            ("split", [text, separator]) => text::split(text, separator, int),
            ("clean_resource_name", [text]) => match context.resource_names {
                Some(names) => Ok(names.clean(text)),
                None => Err("clean_resource_name not available".into()),
            },
            ("sed", _) => Err("template function `sed` is deprecated use `replace` or `replace_all` instead.\
                               Documentation: https://www.packer.io/docs/templates/engine"
                .into()),
            _ => self.secret(name, texts),
        }
    }

    fn env(&self, name: &str) -> Result<String, String> {
        if self.context.phase != Phase::Variables {
            return Err("env vars are not allowed here".into());
        }
        self.usage.borrow_mut().environment.insert(name.to_owned());
        Ok(self.context.environment.get(name).cloned().unwrap_or_default())
    }

    /// Answers with a mark that stands for what another build makes.
    fn artifact(&self, build: &str, attribute: &str) -> Result<String, String> {
        if !matches!(self.context.phase, Phase::Plugin | Phase::Runtime) {
            return Err("artifact not available".to_owned());
        }
        if !chain::ATTRIBUTES.contains(&attribute) {
            let known = chain::ATTRIBUTES.map(|name| format!("`{name}`")).join(", ");
            return Err(format!("an artifact has no `{attribute}`; it has {known}"));
        }
        self.usage.borrow_mut().artifacts.insert(build.to_owned());
        Ok(chain::mark(build, attribute))
    }

    /// Answers what only a build's own templates may ask.
    fn of_build(&self, value: Option<&str>, message: &str) -> Result<String, String> {
        let is_known = matches!(self.context.phase, Phase::Plugin | Phase::Runtime);
        value.filter(|value| is_known && !value.is_empty()).map(str::to_owned).ok_or_else(|| message.to_owned())
    }

    /// Answers what is another at each run.
    fn of_this_moment(&self, name: &str, texts: &[&str]) -> Result<String, String> {
        let started = self.context.started;
        self.usage.borrow_mut().volatile.insert(name.to_owned());
        Ok(match (name, texts) {
            ("timestamp", _) => started.as_second().to_string(),
            ("isotime", []) => go_time::format(go_time::RFC_3339, started),
            ("isotime", [layout]) => go_time::format(layout, started),
            ("isotime", layouts) => {
                return Err(format!("too many values, 1 needed: [{}]", layouts.join(" ")));
            }
            ("strftime", [format]) => go_time::strftime(format, started),
            _ => self.uuid(),
        })
    }

    /// Makes an id that starts with the time, so that ids sort by it. It has no version bits, as Packer's has none.
    fn uuid(&self) -> String {
        // Packer, too, keeps the low half of the seconds.
        let seconds = self.context.started.as_second() & 0xffff_ffff;
        let mut id = format!("{seconds:08x}");
        for (index, byte) in (self.context.random)().iter().enumerate() {
            if matches!(index, 0 | 2 | 4 | 6) {
                id.push('-');
            }
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        id
    }

    fn secret(&self, name: &str, texts: &[&str]) -> Result<String, String> {
        if self.context.phase != Phase::Variables {
            return Err(match name {
                "consul_key" => "consul_key is not allowed here",
                "vault" => "Vault vars are only allowed in the variables section",
                _ => "AWS Secrets Manager is only allowed in the variables section",
            }
            .into());
        }
        match (name, texts) {
            ("aws_secretsmanager", []) => return Err("secret name must be provided".into()),
            ("aws_secretsmanager", [_, _, _, ..]) => {
                return Err("only secret name and optional secret key can be provided.".into());
            }
            _ => {}
        }
        self.usage.borrow_mut().reads_secrets = true;
        let store = match name {
            "consul_key" => "Consul",
            "vault" => "Vault",
            _ => "AWS Secrets Manager",
        };
        match self.context.secret_source {
            Some(source) => source(name, &texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()),
            None => Err(format!("rpk does not read secrets from {store} yet; set the variable by -var or -var-file")),
        }
    }
}
