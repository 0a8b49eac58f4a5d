//! A component's options, checked against its table and normalised.

use serde_json::Value as Json;

use super::{ComponentSpec, OptionSpec, OptionType, Rendering, Settings};
use crate::diagnostic::{Diagnostic, Diagnostics, closest};
use crate::fix::deprecated_by;
use crate::span::Span;
use crate::value::{Map, Setting, Value};

/// Checks the options of one component, already rendered, and returns them with the declared types.
///
/// Problems go to `problems`, each at its place; options with a problem are left out of the result. Defaults are the
/// component's business. Finally the component's own check runs, if the table found nothing.
pub fn decode(
    spec: &ComponentSpec,
    map: &Map,
    block: Span,
    decoding: Decoding,
    problems: &mut Diagnostics,
) -> Settings {
    let whose = format!("{} `{}`", spec.kind, spec.name);
    let mut decoder = Decoder { whose: &whose, component: &spec.name, decoding, problems: Diagnostics::default() };
    let mut settings = decoder.options(&spec.options, map, "", spec.is_open);
    decoder.required(&spec.options, map, block, "");
    if spec.is_open {
        for entry in map.iter().filter(|entry| spec.option(&entry.key).is_none()) {
            settings.insert(entry.key.clone(), plain(&entry.setting.value));
        }
    }
    if !decoder.problems.has_errors()
        && let Some(check) = &spec.check
    {
        for problem in check(&settings) {
            let place =
                problem.option.as_deref().and_then(|option| map.get(option)).map_or(block, |entry| entry.setting.span);
            let make = if problem.is_error { Diagnostic::error } else { Diagnostic::warning };
            let mut diagnostic = make("rpk::component::check", format!("{whose}: {}", problem.message))
                .at(place, problem.option.map_or_else(|| "this block".to_owned(), |option| format!("`{option}`")));
            diagnostic.help = problem.help;
            decoder.problems.push(diagnostic);
        }
    }
    problems.extend(decoder.problems);
    settings
}

/// How far written values may be from an option's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoding {
    /// As legacy templates have it: a lone text is a list of one, names match without regard to case.
    Weak,
    /// As HCL2 has it: texts, numbers and booleans convert, and that is all.
    Strict,
}

struct Decoder<'a> {
    whose: &'a str,
    component: &'a str,
    decoding: Decoding,
    problems: Diagnostics,
}

impl Decoder<'_> {
    fn options(&mut self, specs: &[OptionSpec], map: &Map, path: &str, is_open: bool) -> Settings {
        let mut settings = Settings::new();
        for entry in map.iter() {
            let exact = specs.iter().find(|spec| spec.name == entry.key);
            let is_weak = self.decoding == Decoding::Weak;
            let found =
                exact.or_else(|| specs.iter().find(|spec| is_weak && spec.name.eq_ignore_ascii_case(&entry.key)));
            let Some(spec) = found else {
                // Values that Packer's core hands to its plugins may stand in a template, where they mean nothing.
                if !(is_open || is_weak && entry.key.starts_with("packer_")) {
                    self.unknown(specs, &entry.key, entry.key_span);
                }
                continue;
            };
            let path = if path.is_empty() { spec.name.to_string() } else { format!("{path}.{}", spec.name) };
            if entry.setting.value == Value::Null {
                continue;
            }
            if let Some(replacement) = &spec.replaced_by {
                self.problems.push(
                    Diagnostic::advice(
                        "rpk::component::retired_option",
                        format!("option `{path}` of {} is retired", self.whose),
                    )
                    .at(entry.key_span, "still understood")
                    .help(format!("use `{replacement}`")),
                );
            }
            if let Some(value) = self.value(spec, &entry.setting, &path) {
                settings.insert(spec.name.to_string(), value);
            }
        }
        settings
    }

    fn required(&mut self, specs: &[OptionSpec], map: &Map, block: Span, path: &str) {
        for spec in specs.iter().filter(|spec| spec.is_required) {
            let given = map
                .iter()
                .any(|entry| entry.key.eq_ignore_ascii_case(&spec.name) && entry.setting.value != Value::Null);
            if !given {
                self.problems.push(
                    Diagnostic::error(
                        "rpk::component::missing_option",
                        format!("{} needs the option `{path}{}`", self.whose, spec.name),
                    )
                    .at(block, format!("has no `{}`", spec.name)),
                );
            }
        }
    }

    fn value(&mut self, spec: &OptionSpec, setting: &Setting, path: &str) -> Option<Json> {
        // A text that is rendered later may then be of any type.
        if let Value::String(text) = &setting.value
            && self.decoding == Decoding::Weak
            && spec.rendering == Rendering::Late
            && text.contains("{{")
        {
            return Some(Json::String(text.clone()));
        }
        let is_list = matches!(
            spec.kind,
            OptionType::StringList | OptionType::IntegerList | OptionType::Matrix | OptionType::BlockList(_)
        );
        if self.decoding == Decoding::Strict && is_list && !matches!(setting.value, Value::List(_)) {
            return self.mismatch(spec, &setting.value, setting.span, path);
        }
        match &spec.kind {
            OptionType::StringList => match &setting.value {
                Value::String(text) if text.is_empty() => Some(Json::Array(Vec::new())),
                Value::String(text) => Some(text.split(',').map(Json::from).collect()),
                Value::List(items) => self.list(items, &OptionType::String, path),
                other => self.single(other, &OptionType::String, spec, setting.span, path),
            },
            OptionType::IntegerList => match &setting.value {
                Value::String(text) => {
                    let parts = text
                        .split(',')
                        .map(|part| Setting { value: Value::String(part.trim().to_owned()), span: setting.span });
                    self.list(&parts.collect::<Vec<_>>(), &OptionType::Integer, path)
                }
                Value::List(items) => self.list(items, &OptionType::Integer, path),
                other => self.single(other, &OptionType::Integer, spec, setting.span, path),
            },
            OptionType::Matrix => match &setting.value {
                Value::List(rows) => {
                    let row_spec = OptionSpec::new(spec.name.clone(), OptionType::StringList, "");
                    rows.iter()
                        .enumerate()
                        .map(|(index, row)| self.value(&row_spec, row, &format!("{path}[{index}]")))
                        .collect()
                }
                other => self.mismatch(spec, other, setting.span, path),
            },
            OptionType::StringMap => match &setting.value {
                Value::Map(map) => {
                    let mut out = Settings::new();
                    for entry in map.iter() {
                        let path = format!("{path}.{}", entry.key);
                        let value = self.scalar(&OptionType::String, &entry.setting, &path)?;
                        out.insert(entry.key.clone(), value);
                    }
                    Some(Json::Object(out))
                }
                Value::List(items) if items.is_empty() => Some(Json::Object(Settings::new())),
                other => self.mismatch(spec, other, setting.span, path),
            },
            OptionType::Any => Some(plain(&setting.value)),
            OptionType::Object => match &setting.value {
                value @ Value::Map(_) => Some(plain(value)),
                other => self.mismatch(spec, other, setting.span, path),
            },
            OptionType::Block(options) => match &setting.value {
                Value::Map(map) => Some(self.block(options, map, setting.span, path)),
                // A list of one object is that object.
                Value::List(items) => match items.as_slice() {
                    [Setting { value: Value::Map(map), span }] => Some(self.block(options, map, *span, path)),
                    _ => self.mismatch(spec, &setting.value, setting.span, path),
                },
                other => self.mismatch(spec, other, setting.span, path),
            },
            OptionType::BlockList(options) => match &setting.value {
                Value::Map(map) => Some(Json::Array(vec![self.block(options, map, setting.span, path)])),
                Value::List(items) => {
                    let mut out = Vec::new();
                    for (index, item) in items.iter().enumerate() {
                        let path = format!("{path}[{index}]");
                        match &item.value {
                            Value::Map(map) => out.push(self.block(options, map, item.span, &path)),
                            other => return self.mismatch(spec, other, item.span, &path),
                        }
                    }
                    Some(Json::Array(out))
                }
                other => self.mismatch(spec, other, setting.span, path),
            },
            scalar => {
                let value = self.scalar(scalar, setting, path)?;
                self.choice(spec, value, setting.span, path)
            }
        }
    }

    fn choice(&mut self, spec: &OptionSpec, value: Json, span: Span, path: &str) -> Option<Json> {
        let text = value.as_str().unwrap_or_default();
        if spec.choices.is_empty() || text.is_empty() || spec.choices.iter().any(|choice| choice == text) {
            return Some(value);
        }
        let allowed: Vec<String> = spec.choices.iter().map(|choice| format!("`{choice}`")).collect();
        self.problems.push(
            Diagnostic::error(
                "rpk::component::wrong_value",
                format!("option `{path}` of {} cannot be `{text}`", self.whose),
            )
            .at(span, "not one of its values")
            .help(format!("use one of {}", allowed.join(", "))),
        );
        None
    }

    fn block(&mut self, options: &[OptionSpec], map: &Map, span: Span, path: &str) -> Json {
        let settings = self.options(options, map, path, false);
        self.required(options, map, span, &format!("{path}."));
        Json::Object(settings)
    }

    fn list(&mut self, items: &[Setting], kind: &OptionType, path: &str) -> Option<Json> {
        let values: Vec<Option<Json>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.scalar(kind, item, &format!("{path}[{index}]")))
            .collect();
        values.into_iter().collect()
    }

    /// Takes a lone scalar for a list of one.
    fn single(&mut self, value: &Value, kind: &OptionType, spec: &OptionSpec, span: Span, path: &str) -> Option<Json> {
        match kind.scalar(value) {
            Ok(value) => Some(Json::Array(vec![value])),
            Err(_) => self.mismatch(spec, value, span, path),
        }
    }

    fn scalar(&mut self, kind: &OptionType, setting: &Setting, path: &str) -> Option<Json> {
        match kind.scalar(&setting.value) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problems.push(
                    Diagnostic::error(
                        "rpk::component::wrong_type",
                        format!("option `{path}` of {} {reason}", self.whose),
                    )
                    .at(setting.span, format!("expected {}", kind.noun())),
                );
                None
            }
        }
    }

    fn mismatch(&mut self, spec: &OptionSpec, found: &Value, span: Span, path: &str) -> Option<Json> {
        self.problems.push(
            Diagnostic::error(
                "rpk::component::wrong_type",
                format!("option `{path}` of {} must be {}, not {}", self.whose, spec.kind.noun(), found.kind()),
            )
            .at(span, format!("expected {}", spec.kind.noun())),
        );
        None
    }

    fn unknown(&mut self, specs: &[OptionSpec], key: &str, span: Span) {
        if let Some(fixer) = deprecated_by(self.component, key) {
            self.problems.push(
                Diagnostic::error(
                    "rpk::component::outdated_option",
                    format!("option `{key}` of {} is outdated", self.whose),
                )
                .at(span, "no longer understood")
                .help(format!("`rpk fix` rewrites it (fixer `{}`)", fixer.name)),
            );
            return;
        }
        let mut problem =
            Diagnostic::error("rpk::component::unknown_option", format!("{} has no option `{key}`", self.whose))
                .at(span, "unknown option");
        problem.help =
            closest(key, specs.iter().map(|spec| spec.name.as_ref())).map(|name| format!("did you mean `{name}`?"));
        self.problems.push(problem);
    }
}

/// Turns a value into JSON as it stands: what is in it is nobody's business here.
fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        #[expect(clippy::cast_possible_truncation, reason = "guarded: the number is whole and fits")]
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Json::from(*number as i64),
        Value::Number(number) => Json::from(*number),
        Value::String(text) => Json::String(text.clone()),
        Value::List(items) => items.iter().map(|item| plain(&item.value)).collect(),
        Value::Map(map) => {
            Json::Object(map.iter().map(|entry| (entry.key.clone(), plain(&entry.setting.value))).collect())
        }
    }
}
