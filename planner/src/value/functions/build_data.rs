//! What a build only knows when it runs, and what stands in for it while a plan is made.

use crate::gotemplate::Value;

/// What all builders tell their provisioners and post-processors.
const COMMON: [&str; 13] = [
    "ID",
    "Host",
    "Port",
    "User",
    "Password",
    "ConnType",
    "PackerRunUUID",
    "PackerHTTPPort",
    "PackerHTTPIP",
    "PackerHTTPAddr",
    "SSHPublicKey",
    "SSHPrivateKey",
    "WinRMPassword",
];

/// Marks a value that stands in for one of the build's.
const PLACEHOLDER: &str = "To set this dynamically in the Packer template, you must use the `build` function";

/// Lists the names of the data that all builders have.
#[must_use]
pub fn build_data_names() -> &'static [&'static str] {
    &COMMON
}

/// Makes the data for templates of provisioners and post-processors that are rendered before the build runs.
///
/// It has the names known of every build and those that the builder announces. In such data `{{build "X"}}` turns
/// into `{{.X}}`, to be rendered again when the build runs, while `{{.X}}` itself turns into advice to use `build`.
#[must_use]
pub fn placeholder_data(announced: &[&str]) -> Value {
    let placeholder = |name: &&str| match *name {
        // This one has always been reached without `build`.
        "WinRMPassword" => ("WinRMPassword".to_owned(), "{{.WinRMPassword}}".to_owned()),
        name => (name.to_owned(), format!("Build_{name}. {PLACEHOLDER}")),
    };
    COMMON.iter().chain(announced).map(placeholder).collect()
}

/// Answers `build`: looks `name` up in the data that the template is rendered with.
pub(super) fn lookup(name: &str, data: &Value) -> Result<String, String> {
    let Value::Map(entries) = data else {
        return Err(format!(
            "Error validating build variable: the given variable {name} will not be passed into your plugin."
        ));
    };
    match entries.get(name) {
        Some(Value::String(text)) if text.contains(PLACEHOLDER) => Ok(format!("{{{{.{name}}}}}")),
        Some(Value::String(text)) => Ok(text.as_ref().to_owned()),
        _ => Err(format!("loaded data, but couldnt find {name} in it.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_names_are_known_besides_the_common_ones() {
        let data = placeholder_data(&["ImageSha256"]);
        assert_eq!(lookup("ImageSha256", &data), Ok("{{.ImageSha256}}".into()));
        assert_eq!(lookup("ConnType", &data), Ok("{{.ConnType}}".into()));
        // It exists when the build runs, but Packer refuses it before.
        assert!(lookup("SSHPrivateKeyFile", &data).is_err());
    }
}
