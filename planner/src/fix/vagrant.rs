//! The `vagrant` post-processor: settings for one provider.

use serde_json::{Map, Value};

use super::FixError;
use super::draft::Part;

/// Gathers the providers' settings under `override`, which they replace.
pub(super) fn overrides(part: &mut Part<'_>) -> Result<(), FixError> {
    let mut overrides = Map::new();
    for provider in ["aws", "digitalocean", "virtualbox", "vmware"] {
        if let Some(settings) = part.keys.remove(provider) {
            overrides.insert(provider.to_owned(), settings);
            part.note(provider, "moved under `override`");
        }
    }
    if !overrides.is_empty() {
        part.keys.insert("override".to_owned(), Value::Object(overrides));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::post_processors_become;

    #[test]
    fn settings_of_known_providers_move_under_override() {
        post_processors_become(
            json!([{"type": "vagrant", "aws": {"a": 1}, "vmware": null, "qemu": {}, "override": {"b": 2}}]),
            json!([{"type": "vagrant", "qemu": {}, "override": {"aws": {"a": 1}, "vmware": null}}]),
        );
    }

    #[test]
    fn other_post_processors_and_other_overrides_stay() {
        let before = json!([
            {"type": "vagrant-cloud", "virtualbox": {}},
            [{"type": "vagrant", "override": {"qemu": {}}}],
            {"virtualbox": {}}
        ]);
        post_processors_become(before.clone(), before);
    }
}
