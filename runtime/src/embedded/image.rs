//! An image's configuration, as the formats of Docker and OCI have it.
//!
//! What is not known here is kept as it came: an image that passes through loses nothing.

use std::collections::BTreeMap;

use crate::hex::hex;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

/// The configuration of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// The processor's kind, such as `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// The operating system.
    #[serde(default)]
    pub os: String,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// How it is run.
    #[serde(default, deserialize_with = "or_default")]
    pub config: RunConfig,
    /// Its layers.
    #[serde(default, deserialize_with = "or_default")]
    pub rootfs: RootFs,
    /// How the layers came to be.
    #[serde(default, deserialize_with = "or_default")]
    pub history: Vec<History>,
    /// Anything else.
    #[serde(flatten)]
    pub other: Map<String, Json>,
}

/// How an image is run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunConfig {
    /// Whom it runs as.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub user: String,
    /// Ports, as `80/tcp`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub exposed_ports: BTreeMap<String, Json>,
    /// The environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// The program that always runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The program that runs if the user names none, or its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Folders that are no part of the image once it runs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub volumes: BTreeMap<String, Json>,
    /// The folder it runs in.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub working_dir: String,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// The signal that ends it.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub stop_signal: String,
    /// Instructions for builds from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub on_build: Vec<String>,
    /// How its health is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Json>,
    /// Anything else.
    #[serde(flatten)]
    pub other: Map<String, Json>,
}

/// The layers of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// `layers`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The digests of their archives, the lowest first.
    #[serde(default, deserialize_with = "or_default")]
    pub diff_ids: Vec<String>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".to_owned(), diff_ids: Vec::new() }
    }
}

/// How a layer came to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By what.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// By whom.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// A remark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Whether there is no layer to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
    /// Anything else.
    #[serde(flatten)]
    pub other: Map<String, Json>,
}

/// Reads `null` as nothing at all, as programs of some languages write it.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl ImageConfig {
    /// Makes the configuration of an image of this machine's kind without layers.
    #[must_use]
    pub fn new() -> Self {
        Self { architecture: architecture().to_owned(), os: "linux".to_owned(), ..Self::default() }
    }

    /// Returns the bytes by whose digest the image is known.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Returns the id of an image whose configuration has these bytes.
#[must_use]
pub fn id_of(config: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(config.as_bytes())))
}

/// Returns the name that images have for this machine's kind of processor.
#[must_use]
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_here_passes_through() {
        let text = r#"{"architecture":"amd64","os":"linux","config":{"Env":null,"Cmd":["a"],"Shell":["/bin/x"]},"rootfs":{"type":"layers","diff_ids":["sha256:1"]},"history":[{"created_by":"x","odd":1}],"variant":"v8"}"#;
        let config: ImageConfig = serde_json::from_str(text).expect("is a configuration");
        let again: Json = serde_json::from_str(&config.text()).expect("is JSON");
        for (pointer, value) in [
            ("/variant", serde_json::json!("v8")),
            ("/config/Shell", serde_json::json!(["/bin/x"])),
            ("/history/0/odd", serde_json::json!(1)),
            ("/rootfs/diff_ids", serde_json::json!(["sha256:1"])),
        ] {
            assert_eq!(again.pointer(pointer), Some(&value), "{pointer}");
        }
        assert_eq!(again.pointer("/config/Env"), None);
    }
}
