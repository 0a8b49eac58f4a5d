//! What Packer's core tells its plugins beside their options: of the build, and of the template's variables.
//!
//! It travels as settings whose names begin with `packer_`, which templates cannot set. What is the same for a whole
//! run, such as `-force`, is no part of it: whoever runs plugins adds that.

use super::rendering::Renderer;
use crate::graph::Build;
use crate::span::Span;
use crate::value::{Entry, Map, Setting, Value};

/// The name under which a plugin learns which data its build's machine will have.
pub const ANNOUNCED: &str = "packer_announced_data";

/// Adds the settings to a component's options.
pub(super) fn around(mut options: Map, renderer: &Renderer, build: &Build, announced: &[&str], span: Span) -> Map {
    let text = |text: &str| Value::String(text.to_owned());
    let setting = |value| Setting { value, span };
    let list = |items: &mut dyn Iterator<Item = &str>| Value::List(items.map(|item| setting(text(item))).collect());
    let mut put = |key: &str, value: Value| {
        options.insert(Entry { key: key.to_owned(), key_span: span, setting: setting(value) });
    };
    put("packer_build_name", text(&build.source_name));
    put("packer_builder_type", text(&build.builder_type));
    put(ANNOUNCED, list(&mut announced.iter().copied()));
    if let Some((variables, sensitive)) = renderer.user_variables() {
        let mut map = Map::default();
        for (name, value) in variables {
            let entry = Entry { key: name.clone(), key_span: span, setting: setting(text(value)) };
            map.push_new(entry);
        }
        put("packer_user_variables", Value::Map(map));
        put("packer_sensitive_variables", list(&mut sensitive.iter().map(String::as_str)));
    }
    options
}
