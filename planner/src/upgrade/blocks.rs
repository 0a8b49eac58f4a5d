//! Options into attributes and blocks.

use std::fmt::Write as _;

use super::text::{Texts, literal};
use crate::catalog::{ComponentSpec, OptionSpec, OptionType};
use crate::value::{Map, Value, number_text};

/// Options of Packer's plugins that HCL2 has as blocks, for components whose options nobody here knows.
const BLOCKS: &[&str] = &[
    "allow_export",
    "ami_block_device_mappings",
    "assume_role",
    "aws_polling",
    "azure_tag",
    "cd_drive",
    "cloud_init_disk",
    "disks",
    "ebs_volumes",
    "launch_block_device_mappings",
    "launch_mappings",
    "metadata_options",
    "network_adapters",
    "network_interface",
    "placement",
    "plan_info",
    "run_volume_tag",
    "security_group_filter",
    "shared_image_gallery",
    "shared_image_gallery_destination",
    "source_ami_filter",
    "storage",
    "subnet_filter",
    "temporary_iam_instance_profile_policy_document",
    "vault_aws_engine",
    "vga",
    "vpc_filter",
];

/// Writes the options of one component.
pub(super) struct Writer<'a> {
    pub spec: Option<&'a ComponentSpec>,
    pub texts: &'a Texts,
}

impl Writer<'_> {
    /// Writes options as the body of a block, sorted by name.
    pub fn options(&self, map: &Map) -> String {
        let specs = self.spec.map_or(&[][..], |spec| spec.options.as_slice());
        self.body(map, specs, self.spec.is_none_or(|spec| spec.is_open))
    }

    /// Writes options as an object.
    pub fn object(&self, map: &Map) -> String {
        let specs = self.spec.map_or(&[][..], |spec| spec.options.as_slice());
        let mut out = String::from("{\n");
        for entry in sorted(map) {
            let spec = find(specs, &entry.0);
            let name = spec.map_or(entry.0.as_str(), |spec| spec.name.as_ref());
            let _ = writeln!(out, "{name} = {}", self.value(entry.1, spec.map(|spec| &spec.kind)));
        }
        out.push('}');
        out
    }

    fn body(&self, map: &Map, specs: &[OptionSpec], is_open: bool) -> String {
        let mut out = String::new();
        for (key, value) in sorted(map) {
            let spec = find(specs, &key);
            let name = spec.map_or(key.as_str(), |spec| spec.name.as_ref());
            let (inner, is_block) = match spec.map(|spec| &spec.kind) {
                Some(OptionType::Block(inner) | OptionType::BlockList(inner)) => (inner.as_slice(), true),
                Some(_) => (&[][..], false),
                None => (&[][..], is_open && BLOCKS.contains(&name)),
            };
            if is_block {
                let maps: Vec<&Map> = match value {
                    Value::Map(map) => vec![map],
                    Value::List(items) => items
                        .iter()
                        .filter_map(|item| match &item.value {
                            Value::Map(map) => Some(map),
                            _ => None,
                        })
                        .collect(),
                    _ => Vec::new(),
                };
                for map in maps {
                    let _ = writeln!(out, "{name} {{\n{}}}", self.body(map, inner, is_open && spec.is_none()));
                }
            } else if *value != Value::Null {
                let _ = writeln!(out, "{name} = {}", self.value(value, spec.map(|spec| &spec.kind)));
            }
        }
        out
    }

    fn value(&self, value: &Value, kind: Option<&OptionType>) -> String {
        let wants_list = matches!(kind, Some(OptionType::StringList | OptionType::IntegerList | OptionType::Matrix));
        let element = match kind {
            Some(OptionType::Matrix) => Some(&OptionType::StringList),
            _ => None,
        };
        match value {
            // A legacy template may give a lone value, or several in one text, for a list.
            Value::String(text) if wants_list && text.is_empty() => "[]".to_owned(),
            Value::String(text) if wants_list => {
                let parts: Vec<String> = text.split(',').map(|part| self.texts.convert(part)).collect();
                format!("[{}]", parts.join(", "))
            }
            Value::Bool(_) | Value::Number(_) if wants_list => format!("[{}]", self.value(value, None)),
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) if *kind.unwrap_or(&OptionType::Integer) == OptionType::Bool => {
                (*number != 0.0).to_string()
            }
            Value::Number(number) => number_text(*number),
            Value::String(text) => self.texts.convert(text),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(|item| self.value(&item.value, element)).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Map(map) => {
                let mut out = String::from("{\n");
                for (key, value) in sorted(map) {
                    let name = if crate::template::hcl::is_identifier(&key) { key.clone() } else { literal(&key) };
                    let _ = writeln!(out, "{name} = {}", self.value(value, None));
                }
                out.push('}');
                out
            }
        }
    }
}

fn find<'a>(specs: &'a [OptionSpec], key: &str) -> Option<&'a OptionSpec> {
    specs.iter().find(|spec| spec.name.eq_ignore_ascii_case(key))
}

/// Options by name, attributes before blocks being left to whoever formats.
fn sorted(map: &Map) -> Vec<(String, &Value)> {
    let mut entries: Vec<(String, &Value)> =
        map.iter().map(|entry| (entry.key.clone(), &entry.setting.value)).collect();
    entries.sort_by(|left, right| left.0.cmp(&right.0));
    entries
}
