//! The `powershell` provisioner, which now escapes for itself what templates once had to escape.

use serde_json::{Value, json};

use super::FixError;
use super::draft::Part;

/// Removes backquote escapes from the elevated user, its password and the environment.
///
/// If `environment_vars` is no list of strings, nothing is changed at all, as in Packer.
pub(super) fn escapes(part: &mut Part<'_>) -> Result<(), FixError> {
    const SUMMARY: &str = "removed backquote escapes";
    let mut changes = Vec::new();
    for key in ["elevated_user", "elevated_password"] {
        match part.keys.get(key) {
            None => {}
            Some(Value::String(text)) => changes.push((key, json!(unescaped(text)))),
            Some(_) => return Err(part.wrong_type(key, "a string")),
        }
    }
    match part.keys.get("environment_vars").map(variables) {
        None => {}
        Some(Some(variables)) => changes.push(("environment_vars", json!(variables))),
        Some(None) => return Ok(()),
    }
    for (key, value) in changes {
        part.set(key, value, SUMMARY);
    }
    Ok(())
}

/// The unescaped variables, where `null` stands for no variables or for an empty one.
fn variables(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::Null => Some(String::new()),
                other => other.as_str().map(unescaped),
            })
            .collect(),
        _ => None,
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = match c {
            '`' => chars.next_if(|next| matches!(next, '$' | '"' | '`' | '\'')),
            _ => None,
        };
        plain.push(escaped.unwrap_or(c));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error_of, provisioners_become};
    use super::*;

    #[test]
    fn only_four_characters_are_unescaped() {
        for (before, after) in
            [("`$a`\"b``c`'", "$a\"b`c'"), ("```$", "`$"), ("`n`t` `", "`n`t` `"), ("``$", "`$"), ("é`é", "é`é")]
        {
            assert_eq!(unescaped(before), after);
        }
    }

    #[test]
    fn user_password_and_environment_are_unescaped() {
        provisioners_become(
            json!([
                {"type": "powershell", "elevated_user": "`$u", "elevated_password": "`'", "environment_vars": ["A=``"]},
                {"type": "powershell", "inline": ["`$"], "environment_vars": ["plain", null]},
                {"type": "powershell", "environment_vars": null},
                {"type": "shell", "elevated_user": "`$u"}
            ]),
            json!([
                {"type": "powershell", "elevated_user": "$u", "elevated_password": "'", "environment_vars": ["A=`"]},
                {"type": "powershell", "inline": ["`$"], "environment_vars": ["plain", ""]},
                {"type": "powershell", "environment_vars": []},
                {"type": "shell", "elevated_user": "`$u"}
            ]),
        );
    }

    #[test]
    fn an_unreadable_environment_keeps_its_provisioner_unchanged() {
        for environment in [json!("A=`$"), json!({"A": "`$"}), json!(["`$", 1]), json!(false)] {
            let before = json!([{"type": "powershell", "elevated_user": "`$", "environment_vars": environment}]);
            provisioners_become(before.clone(), before);
        }
    }

    #[test]
    fn a_user_is_a_string() {
        assert_eq!(
            error_of(json!({"provisioners": [{"type": "powershell", "elevated_user": null, "environment_vars": 1}]})),
            "provisioners[0].elevated_user must be a string, but is null"
        );
    }
}
