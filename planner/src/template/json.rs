//! Legacy JSON templates: text to [`Template`].
//!
//! The shape is checked here, every finding with its place and all of them together: root keys, required `type`s,
//! the keys that Packer's core reads itself. What a component's own options mean is [`lower`](crate::lower)'s work.
//! Keys of the root match without regard to case, as in Packer.

use std::collections::HashMap;

use super::{Builder, Filter, Nanoseconds, Override, PostProcessor, Provisioner, Template, Variable};
use crate::diagnostic::{Diagnostic, Diagnostics, closest};
use crate::span::{FileId, Sources, Span};
use crate::value::{Map, Setting, Value, duration, json_text, number_text};

/// The keys that a template's root may have.
const ROOT_KEYS: [&str; 10] = [
    "builders",
    "comments",
    "description",
    "error-cleanup-provisioner",
    "min_packer_version",
    "post-processors",
    "provisioners",
    "push",
    "sensitive-variables",
    "variables",
];

/// Reads a legacy JSON template.
///
/// Returns the template and all problems of its shape; parts with a problem are left out. After a syntax error there
/// is no template.
pub fn read(sources: &Sources, file: FileId) -> (Option<Template>, Diagnostics) {
    match json_text::read(sources, file) {
        Ok(root) => {
            let mut reader = Reader { problems: Diagnostics::default() };
            let template = reader.root(root);
            (Some(template), reader.problems)
        }
        Err(problems) => (None, problems),
    }
}

struct Reader {
    problems: Diagnostics,
}

impl Reader {
    fn root(&mut self, root: Setting) -> Template {
        let mut template = Template::default();
        let map = match root.value {
            Value::Map(map) => map,
            // Packer takes `null` for an empty template.
            Value::Null => Map::default(),
            other => {
                self.problems.push(
                    Diagnostic::error(
                        "rpk::template::shape",
                        format!("a template is an object, this is {}", other.kind()),
                    )
                    .at(root.span, "expected `{`"),
                );
                return template;
            }
        };
        for entry in map {
            let Setting { value, span } = entry.setting;
            let key = entry.key.to_lowercase();
            if let Some(comment) = entry.key.strip_prefix('_') {
                if !matches!(value, Value::String(_)) {
                    self.wrong_kind(&format!("the comment `_{comment}`"), "a string", &value, span);
                }
                continue;
            }
            match key.as_str() {
                known if ROOT_KEYS.contains(&known) && value == Value::Null => {}
                "description" => template.description = self.text("`description`", value, span),
                "min_packer_version" => {
                    template.min_packer_version = self
                        .text("`min_packer_version`", value, span)
                        .filter(|version| !version.is_empty())
                        .map(|version| (version, span));
                }
                "variables" => template.variables = self.variables(value, span),
                "sensitive-variables" => {
                    for item in self.list("`sensitive-variables`", value, span) {
                        template.sensitive_variables.extend(self.text(
                            "a name in `sensitive-variables`",
                            item.value,
                            item.span,
                        ));
                    }
                }
                "builders" => template.builders = self.builders(value, span),
                "provisioners" => {
                    for item in self.list("`provisioners`", value, span) {
                        template.provisioners.extend(self.provisioner(item));
                    }
                }
                "error-cleanup-provisioner" => template.error_cleanup = self.provisioner(Setting { value, span }),
                "post-processors" => template.post_processors = self.post_processors(value, span),
                "push" | "comments" => {}
                _ => {
                    let mut problem = Diagnostic::error(
                        "rpk::template::unknown_root_key",
                        format!("a template has no root key `{}`", entry.key),
                    )
                    .at(entry.key_span, "unknown key");
                    problem.help = Some(match closest(&key.replace('_', "-"), ROOT_KEYS) {
                        Some(name) => format!("did you mean `{name}`? For a comment, start the key with `_`"),
                        None => "for a comment, start the key with `_`".to_owned(),
                    });
                    self.problems.push(problem);
                }
            }
        }
        template
    }

    fn variables(&mut self, value: Value, span: Span) -> Vec<Variable> {
        let Some(map) = self.map("`variables`", value, span) else {
            return Vec::new();
        };
        let mut variables = Vec::new();
        for entry in map {
            let Setting { value, span } = entry.setting;
            let default = match value {
                Value::Null => None,
                Value::String(text) => Some(text),
                other => {
                    self.wrong_kind(
                        &format!("the default of variable `{}`", entry.key),
                        "a string or null",
                        &other,
                        span,
                    );
                    continue;
                }
            };
            variables.push(Variable { name: entry.key, default, span });
        }
        variables
    }

    fn builders(&mut self, value: Value, span: Span) -> Vec<Builder> {
        let mut builders: Vec<Builder> = Vec::new();
        let mut named: HashMap<String, Span> = HashMap::new();
        for item in self.list("`builders`", value, span) {
            let Some(mut settings) = self.map("a builder", item.value, item.span) else {
                continue;
            };
            let Some((component, component_span)) = self.component("builder", &mut settings, item.span) else {
                continue;
            };
            let mut name_span = component_span;
            let mut raw_name = component.clone();
            if let Some(name) = settings.remove("name") {
                match name.setting.value {
                    Value::String(text) if text.is_empty() => {}
                    Value::String(text) => {
                        raw_name = text;
                        name_span = name.setting.span;
                    }
                    Value::Number(number) => {
                        raw_name = number_text(number);
                        name_span = name.setting.span;
                    }
                    Value::Null => {}
                    other => self.wrong_kind("the name of a builder", "a string", &other, name.setting.span),
                }
            }
            if let Some(first) = named.insert(raw_name.clone(), name_span) {
                self.problems.push(
                    Diagnostic::error(
                        "rpk::template::duplicate_builder",
                        format!("two builders are called `{raw_name}`"),
                    )
                    .at(name_span, "the second one")
                    .at(first, "the first one")
                    .help("give one of them another `name`"),
                );
                continue;
            }
            builders.push(Builder { component, component_span, raw_name, span: item.span, settings });
        }
        builders
    }

    fn provisioner(&mut self, item: Setting) -> Option<Provisioner> {
        let mut settings = self.map("a provisioner", item.value, item.span)?;
        let component = self.component("provisioner", &mut settings, item.span);
        let filter = self.filter(&mut settings, true);
        let overrides = self.overrides(&mut settings);
        let pause_before = self.duration(&mut settings, "pause_before");
        let timeout = self.duration(&mut settings, "timeout");
        let max_retries = settings.remove("max_retries").and_then(|entry| {
            let Setting { value, span } = entry.setting;
            let text = match value {
                Value::Null => return None,
                Value::String(text) => text,
                Value::Number(number) => number_text(number),
                Value::Bool(flag) => u8::from(flag).to_string(),
                other => {
                    self.wrong_kind("`max_retries`", "a number", &other, span);
                    return None;
                }
            };
            Some((text, span))
        });
        let (component, component_span) = component?;
        Some(Provisioner {
            component,
            component_span,
            span: item.span,
            filter,
            overrides,
            pause_before,
            timeout,
            max_retries,
            settings,
        })
    }

    fn overrides(&mut self, settings: &mut Map) -> Vec<Override> {
        let Some(entry) = settings.remove("override") else {
            return Vec::new();
        };
        let Setting { value, span } = entry.setting;
        let objects = match value {
            Value::Null => Vec::new(),
            Value::Map(map) => vec![map],
            // A list of objects counts as one object.
            Value::List(items) => items
                .into_iter()
                .filter_map(|item| self.map("an element of `override`", item.value, item.span))
                .collect(),
            other => {
                self.wrong_kind("`override`", "an object", &other, span);
                Vec::new()
            }
        };
        let mut overrides = Vec::new();
        for entry in objects.into_iter().flatten() {
            let what = format!("the override for `{}`", entry.key);
            if let Some(settings) = self.map(&what, entry.setting.value, entry.setting.span) {
                overrides.push(Override { build: entry.key, build_span: entry.key_span, settings });
            }
        }
        overrides
    }

    fn post_processors(&mut self, value: Value, span: Span) -> Vec<Vec<PostProcessor>> {
        let mut sequences = Vec::new();
        for item in self.list("`post-processors`", value, span) {
            let sequence = match item.value {
                Value::List(items) => items.into_iter().filter_map(|step| self.post_processor(step)).collect(),
                _ => self.post_processor(item).into_iter().collect(),
            };
            sequences.push(sequence);
        }
        sequences
    }

    fn post_processor(&mut self, item: Setting) -> Option<PostProcessor> {
        let span = item.span;
        let mut settings = match item.value {
            Value::String(component) => {
                return Some(PostProcessor {
                    name: component.clone(),
                    component,
                    component_span: span,
                    span,
                    filter: Filter::default(),
                    keep_input_artifact: None,
                    settings: Map::default(),
                });
            }
            Value::Map(map) => map,
            Value::List(_) => {
                self.problems.push(
                    Diagnostic::error("rpk::template::shape", "a sequence of post-processors inside a sequence")
                        .at(span, "sequences do not nest")
                        .help("write its post-processors as a sequence of their own"),
                );
                return None;
            }
            other => {
                self.wrong_kind("a post-processor", "a name, an object or a sequence of these", &other, span);
                return None;
            }
        };
        let component = self.component("post-processor", &mut settings, span);
        let filter = self.filter(&mut settings, false);
        let name = settings
            .remove("name")
            .and_then(|entry| self.text("the name of a post-processor", entry.setting.value, entry.setting.span));
        let keep_input_artifact = settings.remove("keep_input_artifact").and_then(|entry| match entry.setting.value {
            Value::Bool(keep) => Some(keep),
            Value::Null => None,
            other => {
                self.wrong_kind("`keep_input_artifact`", "true or false", &other, entry.setting.span);
                None
            }
        });
        let (component, component_span) = component?;
        Some(PostProcessor {
            name: name.filter(|name| !name.is_empty()).unwrap_or_else(|| component.clone()),
            component,
            component_span,
            span,
            filter,
            keep_input_artifact,
            settings,
        })
    }

    /// Takes the `type` out of a component's object.
    fn component(&mut self, kind: &str, settings: &mut Map, span: Span) -> Option<(String, Span)> {
        match settings.remove("type").map(|entry| entry.setting) {
            Some(Setting { value: Value::String(text), span }) if !text.is_empty() => Some((text, span)),
            Some(Setting { value: Value::Number(number), span }) => Some((number_text(number), span)),
            Some(Setting { value: Value::Bool(_) | Value::List(_) | Value::Map(_), span }) => {
                self.problems.push(
                    Diagnostic::error("rpk::template::missing_type", format!("the type of a {kind} must be a string"))
                        .at(span, "not a string"),
                );
                None
            }
            _ => {
                self.problems.push(
                    Diagnostic::error("rpk::template::missing_type", format!("a {kind} without a type"))
                        .at(self.head(span), "has no `type`")
                        .help("add `\"type\": \"…\"`"),
                );
                None
            }
        }
    }

    /// Marks just the opening brace of an object, since a whole object is too much to underline.
    #[expect(clippy::unused_self, reason = "reads as one of the reader's words")]
    fn head(&self, span: Span) -> Span {
        Span { end: span.end.min(span.start + 1), ..span }
    }

    /// Takes `only` and `except` out; provisioners accept a bare string, post-processors do not.
    fn filter(&mut self, settings: &mut Map, bare: bool) -> Filter {
        let mut names = |key: &str| -> Vec<(String, Span)> {
            let Some(entry) = settings.remove(key) else {
                return Vec::new();
            };
            let Setting { value, span } = entry.setting;
            let items = match value {
                Value::Null => Vec::new(),
                Value::List(items) => items,
                Value::String(text) if bare => {
                    return text.split(',').map(|name| (name.to_owned(), span)).collect();
                }
                other => {
                    self.wrong_kind(&format!("`{key}`"), "a list of build names", &other, span);
                    Vec::new()
                }
            };
            let mut names = Vec::new();
            for item in items {
                match item.value {
                    Value::String(name) => names.push((name, item.span)),
                    Value::Number(number) if bare => names.push((number_text(number), item.span)),
                    other => self.wrong_kind(&format!("a name in `{key}`"), "a string", &other, item.span),
                }
            }
            names
        };
        Filter { only: names("only"), except: names("except") }
    }

    fn duration(&mut self, settings: &mut Map, key: &str) -> Option<Nanoseconds> {
        let Setting { value, span } = settings.remove(key)?.setting;
        match value {
            Value::Null => None,
            // Packer takes a bare number for nanoseconds.
            #[expect(clippy::cast_possible_truncation, reason = "a double out of range saturates")]
            Value::Number(number) => Some(Nanoseconds(number as i64)),
            Value::String(text) => match duration::parse(&text) {
                Ok(nanoseconds) => Some(Nanoseconds(nanoseconds)),
                Err(reason) => {
                    self.problems.push(
                        Diagnostic::error("rpk::template::duration", format!("`{key}`: `{text}` {reason}"))
                            .at(span, "not a length of time"),
                    );
                    None
                }
            },
            other => {
                self.wrong_kind(&format!("`{key}`"), "a length of time such as `30s`", &other, span);
                None
            }
        }
    }

    fn text(&mut self, what: &str, value: Value, span: Span) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => {
                self.wrong_kind(what, "a string", &other, span);
                None
            }
        }
    }

    fn list(&mut self, what: &str, value: Value, span: Span) -> Vec<Setting> {
        match value {
            Value::List(items) => items,
            other => {
                self.wrong_kind(what, "a list", &other, span);
                Vec::new()
            }
        }
    }

    fn map(&mut self, what: &str, value: Value, span: Span) -> Option<Map> {
        match value {
            Value::Map(map) => Some(map),
            other => {
                self.wrong_kind(what, "an object", &other, span);
                None
            }
        }
    }

    fn wrong_kind(&mut self, what: &str, wanted: &str, found: &Value, span: Span) {
        let span = if matches!(found, Value::Map(_) | Value::List(_)) { self.head(span) } else { span };
        self.problems.push(
            Diagnostic::error("rpk::template::shape", format!("{what} must be {wanted}, not {}", found.kind()))
                .at(span, format!("expected {wanted}")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Template, Vec<String>> {
        let mut sources = Sources::default();
        let file = sources.add("t.json", text);
        let (template, problems) = read(&sources, file);
        match template {
            Some(template) if problems.is_empty() => Ok(template),
            _ => Err(problems.iter().map(|problem| problem.message.clone()).collect()),
        }
    }

    #[test]
    fn a_template_is_read_in_its_written_order() {
        let template = read_text(
            r#"{
                "variables": {"b": "1", "a": null},
                "builders": [{"type": "docker", "name": "x", "image": "i"}, {"type": "null"}],
                "provisioners": [{"type": "shell", "only": "x", "pause_before": "2s", "max_retries": 3,
                                  "override": {"null": {"inline": ["y"]}}}],
                "post-processors": ["compress", [{"type": "docker-tag", "name": "t"}, "docker-push"]],
                "_note": "a comment"
            }"#,
        )
        .expect("is valid");
        assert_eq!(template.variables[1].name, "a");
        assert_eq!(template.variables[1].default, None);
        assert_eq!(template.builders[0].raw_name, "x");
        assert_eq!(template.builders[1].raw_name, "null");
        let shell = &template.provisioners[0];
        assert!(shell.filter.includes("x") && !shell.filter.includes("null"));
        assert_eq!(shell.pause_before, Some(Nanoseconds(2_000_000_000)));
        assert_eq!(shell.max_retries.as_ref().map(|(text, _)| text.as_str()), Some("3"));
        let sizes: Vec<usize> = template.post_processors.iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 2]);
        assert_eq!(template.post_processors[1][0].name, "t");
    }

    #[test]
    fn all_problems_of_the_shape_come_together() {
        let problems = read_text(
            r#"{
                "bilders": [],
                "variables": {"a": 1},
                "builders": [{"image": "x"}, {"type": "null"}, {"type": "null"}, "docker"],
                "provisioners": [{"type": "shell", "pause_before": "10"}],
                "post-processors": [[["x"]], {"type": "compress", "keep_input_artifact": "true"}],
                "_c": 3
            }"#,
        )
        .expect_err("has problems");
        assert_eq!(
            problems,
            [
                "a template has no root key `bilders`",
                "the default of variable `a` must be a string or null, not a number",
                "a builder without a type",
                "two builders are called `null`",
                "a builder must be an object, not a string",
                "`pause_before`: `10` lacks a unit; write for example `10s`",
                "a sequence of post-processors inside a sequence",
                "`keep_input_artifact` must be true or false, not a string",
                "the comment `_c` must be a string, not a number",
            ]
        );
    }

    #[test]
    fn root_keys_match_in_any_case_and_null_means_absent() {
        let template = read_text(r#"{"Builders": [{"type": "null"}], "provisioners": null}"#).expect("is valid");
        assert_eq!(template.builders.len(), 1);
        assert!(read_text("null").is_ok());
        assert!(read_text("[]").is_err());
    }
}
