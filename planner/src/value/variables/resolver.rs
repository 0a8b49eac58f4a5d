//! Rendering variables in the order in which they need each other.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::kept::Kept;
use super::{MAX_SIZE, Resolution, VariableError};
use crate::gotemplate::{Call, Value};
use crate::value::functions::PackerFunctions;
use crate::value::interpolation::{Context, Phase, not_set, parse, render_once};
use crate::value::usage::Usage;

/// The variables, some with their values and some still without.
pub(super) struct Resolver<'a> {
    context: Context<'a>,
    texts: BTreeMap<&'a str, &'a str>,
    done: Resolution,
    /// Variables that have no value, for a reason that has been told.
    failed: BTreeSet<String>,
    /// The bytes of all values so far.
    size: usize,
}

/// How the rendering of one variable ended.
enum Outcome {
    Value(String, Usage),
    /// It needs another variable first.
    Needs(String),
    /// It uses a variable that has failed, so that its own failure would be no news.
    Spoilt,
    Failed(VariableError),
}

impl<'a> Resolver<'a> {
    pub fn new(context: &Context<'a>) -> Self {
        Resolver {
            context: Context { phase: Phase::Variables, ..*context },
            texts: BTreeMap::new(),
            done: Resolution::default(),
            failed: BTreeSet::new(),
            size: 0,
        }
    }

    /// Adds a variable with its text.
    pub fn add(&mut self, name: &'a str, text: &'a str) {
        self.texts.insert(name, text);
    }

    /// Adds a variable that has no value.
    pub fn refuse(&mut self, error: VariableError) {
        self.failed.insert(error.name().to_owned());
        self.done.errors.push(error);
    }

    /// Works out all variables.
    pub fn run(mut self, sensitive: &BTreeSet<String>) -> Resolution {
        let names: Vec<&str> = self.texts.keys().copied().collect();
        for name in names {
            self.settle(name);
        }
        self.finish(sensitive)
    }

    fn is_settled(&self, name: &str) -> bool {
        self.done.values.contains_key(name) || self.failed.contains(name)
    }

    /// Works out a variable and all that it needs. The stack is a list, since a chain of variables may be long.
    fn settle(&mut self, name: &'a str) {
        let mut stack = vec![name];
        while let Some(name) = stack.last().copied() {
            if self.is_settled(name) {
                stack.pop();
                continue;
            }
            match self.attempt(name, &stack) {
                Outcome::Value(value, _) if self.size + value.len() > MAX_SIZE => {
                    self.refuse(VariableError::TooLarge { name: name.to_owned() });
                }
                Outcome::Value(value, usage) => {
                    self.size += value.len();
                    self.done.values.insert(name.to_owned(), value);
                    self.done.usage.insert(name.to_owned(), usage);
                }
                Outcome::Spoilt => drop(self.failed.insert(name.to_owned())),
                Outcome::Failed(error) => self.refuse(error),
                Outcome::Needs(other) => match self.texts.get_key_value(other.as_str()) {
                    Some((other, _)) if !stack.contains(other) => stack.push(other),
                    _ => self.fail_cycle(&other, &stack),
                },
            }
        }
    }

    /// Tells once of a cycle, and holds it against all that are part of it.
    fn fail_cycle(&mut self, again: &str, stack: &[&'a str]) {
        let start = stack.iter().position(|name| *name == again).unwrap_or(0);
        let cycle = &stack[start..];
        let mut path: Vec<String> = cycle.iter().map(|name| (*name).to_owned()).collect();
        path.extend(path.first().cloned());
        self.failed.extend(path.iter().cloned());
        let name = path.first().cloned().unwrap_or_default();
        let text = self.texts.get(name.as_str()).copied().unwrap_or_default().to_owned();
        self.refuse(VariableError::Cycle { name, text, path });
    }

    fn attempt(&self, name: &'a str, stack: &[&str]) -> Outcome {
        let text = self.texts.get(name).copied().unwrap_or_default();
        let kept = Kept::cut_out(text);
        let fail = |error| Outcome::Failed(VariableError::Template { name: name.to_owned(), error });
        let template = match parse(&kept.text, &self.context) {
            Ok(template) => template,
            Err(error) => return fail(kept.place_in_text(error.into(), text)),
        };
        // What is named outright comes first, lest a text with a secret in it be rendered twice.
        let is_open =
            |other: &str| self.texts.contains_key(other) && !self.is_settled(other) && !stack.contains(&other);
        for call in template.calls() {
            let Call::Function { name, arguments, .. } = call else {
                continue;
            };
            if let ("user", [Some(other)]) = (name.as_str(), arguments.as_slice())
                && is_open(other)
            {
                return Outcome::Needs(other.clone());
            }
        }
        let usage = RefCell::new(Usage::default());
        let missing = Cell::new(None);
        let variable = |other: &str| {
            self.done.values.get(other).cloned().ok_or_else(|| {
                missing.set(Some(other.to_owned()));
                not_set(other)
            })
        };
        let functions =
            PackerFunctions { context: &self.context, data: &Value::Nil, variable: &variable, usage: &usage };
        let result = render_once(&kept.text, &functions);
        let error = match result {
            Ok(rendered) => return Outcome::Value(kept.put_back(&rendered), usage.into_inner()),
            Err(error) => kept.place_in_text(error, text),
        };
        match missing.take() {
            None => fail(error),
            Some(other) if self.failed.contains(&other) => Outcome::Spoilt,
            Some(other) if self.texts.contains_key(other.as_str()) => Outcome::Needs(other),
            Some(reference) => Outcome::Failed(VariableError::Undefined {
                name: name.to_owned(),
                text: text.to_owned(),
                reference,
                error,
            }),
        }
    }

    fn finish(mut self, sensitive: &BTreeSet<String>) -> Resolution {
        let usage = &self.done.usage;
        let own = |holds: fn(&Usage) -> bool| {
            let names = usage.iter().filter(move |(_, usage)| holds(usage)).map(|(name, _)| name.clone());
            names.collect::<BTreeSet<_>>()
        };
        let volatile = self.spread(own(|usage| !usage.volatile.is_empty()));
        let mut secret = own(|usage| usage.reads_secrets);
        secret.extend(sensitive.iter().filter(|name| self.done.values.contains_key(*name)).cloned());
        let secret = self.spread(secret);
        self.done.packer_overlooks_undefined =
            self.done.values.keys().any(|name| self.texts.get(name.as_str()).is_some_and(|text| uses_plainly(text)));
        self.done.volatile = volatile;
        self.done.sensitive = secret;
        self.done.errors.sort_by(|a, b| a.name().cmp(b.name()));
        self.done
    }

    /// Adds to `names` all that use one of them, by way of others as well.
    fn spread(&self, mut names: BTreeSet<String>) -> BTreeSet<String> {
        let mut users: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for (name, usage) in &self.done.usage {
            usage.variables.iter().for_each(|used| users.entry(used).or_default().push(name));
        }
        let mut fresh: Vec<String> = names.iter().cloned().collect();
        while let Some(name) = fresh.pop() {
            for user in users.get(name.as_str()).into_iter().flatten() {
                if names.insert((*user).clone()) {
                    fresh.push((*user).clone());
                }
            }
        }
        names
    }
}
/// Tells whether `text` has an action that is `user` with a raw string, in one line. Packer never takes the rendering of
/// such a variable to be finished, nor the whole to be stuck.
fn uses_plainly(text: &str) -> bool {
    text.split("{{").skip(1).any(|action| {
        let argument = action.trim_start().strip_prefix("user").and_then(|rest| rest.trim_start().strip_prefix('`'));
        let line = argument.and_then(|argument| argument.lines().next()).unwrap_or_default();
        line.split('`').skip(1).any(|behind| behind.trim_start().starts_with("}}"))
    })
}
#[cfg(test)]
mod tests {
    use super::super::resolve;
    use super::*;

    fn resolved(declared: &[(&str, Option<&str>)], given: &[(&str, &str)], sensitive: &[&str]) -> Resolution {
        let declared = declared.iter().map(|(name, text)| ((*name).to_owned(), text.map(str::to_owned))).collect();
        let given = given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let sensitive = sensitive.iter().map(|name| (*name).to_owned()).collect();
        let environment = BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned())]);
        let count = Cell::new(0);
        let random = || {
            count.set(count.get() + 1);
            [count.get(); 12]
        };
        let context = Context {
            phase: Phase::Variables,
            variables: &BTreeMap::new(),
            environment: &environment,
            started: jiff::Timestamp::UNIX_EPOCH,
            random: &random,
            template_dir: Some("/templates"),
            pwd: "/work",
            packer_version: "1.16.0",
            build_name: None,
            build_type: None,
            resource_names: None,
            secret_source: Some(&|function, arguments| Ok(format!("{function} {}", arguments.join(" ")))),
        };
        resolve(&declared, &given, &sensitive, &context)
    }

    fn values(declared: &[(&str, &str)], given: &[(&str, &str)]) -> Vec<String> {
        let declared: Vec<_> = declared.iter().map(|(name, text)| (*name, Some(*text))).collect();
        let resolution = resolved(&declared, given, &[]);
        assert_eq!(resolution.errors, []);
        resolution.values.into_values().collect()
    }

    fn errors(declared: &[(&str, Option<&str>)]) -> Vec<String> {
        resolved(declared, &[], &[]).errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn variables_use_each_other_in_any_order() {
        let chain = [("a", "{{user `b`}}x"), ("b", "{{user \"c\"}}y"), ("c", "z{{env `HOME`}}{{env `NOPE`}}")];
        assert_eq!(values(&chain, &[]), ["z/home/meyx", "z/home/mey", "z/home/me"]);
        let long: Vec<(String, String)> =
            (0..5000).map(|index| (format!("v{index:05}"), format!("{{{{user `v{:05}`}}}}", index + 1))).collect();
        let mut long: Vec<(&str, &str)> = long.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        long.push(("v05000", "end"));
        assert!(values(&long, &[]).iter().all(|value| value == "end"));
    }

    #[test]
    fn given_values_win_and_are_templates_as_well() {
        let declared = [("a", "default"), ("b", "{{user `a`}}{{user `new`}}")];
        assert_eq!(values(&declared, &[("a", "{{env `HOME`}}"), ("new", "n")]), ["/home/me", "/home/men", "n"]);
    }

    #[test]
    fn names_may_be_computed() {
        assert_eq!(values(&[("a", "{{user (user `b`)}}"), ("b", "c"), ("c", "d")], &[]), ["d", "c", "d"]);
    }

    #[test]
    fn what_a_value_inserts_is_not_rendered() {
        assert_eq!(values(&[("a", "{{user `b`}}"), ("b", "{{`{{nope`}}")], &[]), ["{{nope", "{{nope"]);
    }

    #[test]
    fn fields_are_kept_for_later() {
        for (text, value) in [
            ("{{.Name}} {{ .Path }} {{.X | upper}}", "{{.Name}} {{ .Path }} {{.X | upper}}"),
            ("{{  .Name}}", "<no value>"),
            ("{{- .Name}}", "<no value>"),
            ("{{ .A\n}}", "{{ .A\n}}"),
            ("{{ .A\n }}", "<no value>"),
            ("{{.A\n}} {{.B}}", "{{.A\n}} {{.B}}"),
            ("{{upper `{{.a}}b{{.c}}`}}{{user `q`}}", "{{.a}}B{{.c}}{{.q}}"),
            ("{{.A}}}", "{{.A}}}"),
            ("\u{e000}0\u{e000}{{.A}}", "\u{e000}0\u{e000}{{.A}}"),
        ] {
            assert_eq!(values(&[("p", text), ("q", "{{.q}}")], &[])[0], value, "{text}");
        }
    }

    #[test]
    fn all_errors_come_at_once() {
        let declared = [
            ("bad", Some("{{nope}}")),
            ("fails", Some("{{.kept}} {{upper 1}}")),
            ("needs", None),
            ("spoilt", Some("{{user `needs`}}{{user `bad`}}")),
            ("undefined", Some("{{user `none`}}")),
            ("x", Some("{{user `y`}}")),
            ("y", Some("{{user `x`}}")),
            ("z", Some("{{user `y`}}")),
        ];
        assert_eq!(
            errors(&declared),
            [
                "error interpolating default value for 'bad': template: root:1: function \"nope\" not defined",
                "error interpolating default value for 'fails': template: root:1:16: executing \"root\" at <1>: \
                 expected string; found 1",
                "required variable not set: needs",
                "Failed to interpolate \"undefined\": \"{{user `none`}}\"; error: template: root:1:2: executing \
                 \"root\" at <user `none`>: error calling user: Error: variable not set: none: Please make sure that \
                 the variable you're referencing has been defined; Packer treats all variables used to interpolate \
                 other user variables as required.",
                "Failed to interpolate \"x\": \"{{user `y`}}\"; error: the variable needs its own value: x -> y -> x",
            ]
        );
        assert!(!resolved(&declared, &[], &[]).packer_overlooks_undefined);
    }

    #[test]
    fn spans_of_errors_are_those_of_the_variables_text() {
        let text = "{{.Kept}} é {{ .Name }}{{upper 1}}";
        let VariableError::Template { error, .. } = &resolved(&[("a", Some(text))], &[], &[]).errors[0] else {
            panic!("it is the template that is wrong");
        };
        assert_eq!(error.span().map(|span| &text[span]), Some("1"));
    }

    #[test]
    fn a_variable_that_uses_itself_is_a_cycle() {
        assert_eq!(
            errors(&[("a", Some("{{user `a`}}"))]),
            ["Failed to interpolate \"a\": \"{{user `a`}}\"; error: the variable needs its own value: a -> a"]
        );
        // What is not reached does not count.
        assert_eq!(errors(&[("a", Some("{{if false}}{{user `a`}}{{end}}"))]), [""; 0]);
    }

    #[test]
    fn packer_overlooks_what_is_undefined_beside_a_plain_use() {
        let declared = [("a", Some("{{user `nope`}}")), ("b", Some("{{user `c`}}")), ("c", Some("x"))];
        let resolution = resolved(&declared, &[], &[]);
        assert_eq!(resolution.errors.len(), 1);
        assert!(resolution.packer_overlooks_undefined);
    }

    #[test]
    fn volatility_and_secrecy_spread_to_the_users() {
        let declared = [
            ("a", Some("{{user `time`}}")),
            ("b", Some("{{user `a`}}")),
            ("c", Some("{{user `password`}}")),
            ("d", Some("{{user `from_store`}}")),
            ("from_store", Some("{{vault `path` `key`}}")),
            ("password", Some("hunter2")),
            ("plain", Some("{{env `HOME`}}")),
            ("time", Some("{{timestamp}}")),
        ];
        let resolution = resolved(&declared, &[], &["password", "undeclared"]);
        assert_eq!(resolution.errors, []);
        assert_eq!(resolution.values["d"], "vault path key");
        assert_eq!(resolution.volatile.into_iter().collect::<Vec<_>>(), ["a", "b", "time"]);
        assert_eq!(resolution.sensitive.into_iter().collect::<Vec<_>>(), ["c", "d", "from_store", "password"]);
        assert!(resolution.usage["plain"].environment.contains("HOME"));
    }

    #[test]
    fn a_random_variable_has_one_value_for_all() {
        let all = values(&[("a", "{{uuid}}"), ("b", "{{user `a`}}"), ("c", "{{user `a`}}{{uuid}}")], &[]);
        assert_eq!(all[0], all[1]);
        assert!(all[2].starts_with(&all[0]) && !all[2].ends_with(&all[0]));
    }

    #[test]
    fn variables_that_double_each_other_have_a_limit() {
        let texts: Vec<(String, String)> = (1..40)
            .map(|index| (format!("v{index:02}"), format!("{{{{user `v{0:02}`}}}}{{{{user `v{0:02}`}}}}", index - 1)))
            .collect();
        let mut declared: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), Some(text.as_str()))).collect();
        declared.push(("v00", Some("0123456789abcdef")));
        let resolution = resolved(&declared, &[], &[]);
        assert_eq!(resolution.errors.len(), 1, "{:?}", resolution.errors.first().map(VariableError::name));
    }
}
