//! Amazon builders: how a machine is reached, and from where.

use serde_json::{Value, json};

use super::FixError;
use super::draft::Part;

/// Turns `ssh_private_ip` into `ssh_interface`, unless that is set.
pub(super) fn private_ip(part: &mut Part<'_>) -> Result<(), FixError> {
    const KEY: &str = "ssh_private_ip";
    if part.keys.contains_key("ssh_interface") {
        return Ok(());
    }
    let is_private = match part.keys.get(KEY) {
        None => return Ok(()),
        Some(Value::Bool(is_private)) => *is_private,
        Some(Value::String(text)) => {
            parse_bool(text).ok_or_else(|| FixError::NotABool { path: part.path_of(KEY), text: text.clone() })?
        }
        Some(_) => return Err(part.wrong_type(KEY, "a boolean")),
    };
    let interface = if is_private { "private_ip" } else { "public_ip" };
    part.keys.remove(KEY);
    part.keys.insert("ssh_interface".to_owned(), json!(interface));
    part.note(KEY, format!("became `ssh_interface`, `{interface}`"));
    Ok(())
}

/// Turns the one source of the temporary security group into a list of sources.
pub(super) fn source_cidrs(part: &mut Part<'_>) -> Result<(), FixError> {
    const KEY: &str = "temporary_security_group_source_cidr";
    let Some(cidr) = part.text(KEY).map(str::to_owned) else {
        return Ok(());
    };
    part.keys.remove(KEY);
    part.keys.insert(format!("{KEY}s"), json!([cidr]));
    part.note(KEY, format!("became the list `{KEY}s`"));
    Ok(())
}

/// Reads the spellings of a boolean that Go's `ParseBool` knows.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{builders_become, error_of};
    use super::*;

    #[test]
    fn a_private_ip_is_an_interface() {
        let ebs = |key: &str, value: Value| json!({"type": "amazon-ebs", key: value});
        for (old, new) in [
            (json!(true), "private_ip"),
            (json!(false), "public_ip"),
            (json!("T"), "private_ip"),
            (json!("0"), "public_ip"),
        ] {
            builders_become(&[(ebs("ssh_private_ip", old), ebs("ssh_interface", json!(new)))]);
        }
    }

    #[test]
    fn a_private_ip_beside_an_interface_or_outside_amazon_stays() {
        for builder in [
            json!({"type": "amazon-ebs", "ssh_private_ip": 5, "ssh_interface": null}),
            json!({"type": "amazon", "ssh_private_ip": true}),
        ] {
            builders_become(&[(builder.clone(), builder)]);
        }
    }

    #[test]
    fn a_private_ip_that_is_no_boolean_is_an_error() {
        for (value, message) in [
            (json!("yes"), "builders[0].ssh_private_ip must be a boolean, but is `yes`"),
            (json!(""), "builders[0].ssh_private_ip must be a boolean, but is ``"),
            (json!(1), "builders[0].ssh_private_ip must be a boolean, but is a number"),
            (json!(null), "builders[0].ssh_private_ip must be a boolean, but is null"),
        ] {
            let builder = json!({"type": "amazon-ebs", "ssh_private_ip": value});
            assert_eq!(error_of(json!({"builders": [builder]})), message);
        }
    }

    #[test]
    fn one_source_becomes_a_list_which_replaces_another() {
        const ONE: &str = "temporary_security_group_source_cidr";
        const MANY: &str = "temporary_security_group_source_cidrs";
        builders_become(&[
            (
                json!({"type": "amazon-ebs", ONE: "10.0.0.0/8", MANY: ["x"]}),
                json!({"type": "amazon-ebs", MANY: ["10.0.0.0/8"]}),
            ),
            (json!({"type": "amazon-ebs", ONE: ["10.0.0.0/8"]}), json!({"type": "amazon-ebs", ONE: ["10.0.0.0/8"]})),
        ]);
    }
}
