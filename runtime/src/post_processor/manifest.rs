//! `manifest`: keeps a record of artifacts in a JSON file.
//!
//! The form is Packer's; scripts read it. The file is replaced as a whole, and runs that write it at the same time
//! wait for one another.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ArtifactFlow, ComponentKind, ComponentSpec, Recipe, Rendering, Settings, boolean, string, string_map,
};
use serde::{Deserialize, Serialize};

use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `manifest` post-processor type.
pub struct Manifest;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(default = "default_output")]
    output: PathBuf,
    #[serde(default)]
    strip_path: bool,
    #[serde(default)]
    strip_time: bool,
    #[serde(default)]
    custom_data: BTreeMap<String, String>,
}

fn default_output() -> PathBuf {
    "packer-manifest.json".into()
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Document {
    builds: Vec<Record>,
    last_run_uuid: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct Record {
    name: String,
    builder_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build_time: Option<i64>,
    files: Option<Vec<FileRecord>>,
    artifact_id: String,
    packer_run_uuid: String,
    custom_data: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize, Serialize)]
struct FileRecord {
    name: String,
    size: u64,
}

impl PostProcessorType for Manifest {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::PostProcessor, "manifest")
            .options([
                string("output", "The file that holds the record."),
                boolean("strip_path", "Records just the names of files."),
                boolean("strip_time", "Records no time."),
                string_map("custom_data", "Further values to record.").rendering(Rendering::Both),
            ])
            .recipe(Recipe::never("records each run"))
            .describe(|settings, _| {
                let output = settings.get("output").and_then(|output| output.as_str());
                format!("record the artifact in {}", output.unwrap_or("packer-manifest.json"))
            })
            .flow(ArtifactFlow { takes: &[], gives: None, keeps_input: true, keep_is_forced: true })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

/// Builds of one run write the file one after the other.
static WRITING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl PostProcessor for Config {
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            let mut custom_data = BTreeMap::new();
            for (name, value) in &self.custom_data {
                custom_data.insert(name.clone(), ctx.render(value, &[])?);
            }
            let files = input.files.iter().filter(|file| !file.as_os_str().is_empty()).map(|file| FileRecord {
                name: if self.strip_path {
                    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
                } else {
                    file.display().to_string()
                },
                size: std::fs::metadata(file).map_or(0, |metadata| metadata.len()),
            });
            let files: Vec<FileRecord> = files.collect();
            let now = jiff::Timestamp::now().as_second();
            let record = Record {
                name: ctx.build.source_name.clone(),
                builder_type: ctx.build.builder_type.clone(),
                build_time: (!self.strip_time).then_some(now),
                files: (!files.is_empty()).then_some(files),
                artifact_id: input.id.clone(),
                packer_run_uuid: ctx.services.run_id.clone(),
                custom_data: (!custom_data.is_empty()).then_some(custom_data),
            };
            let _guard = WRITING.lock().await;
            append(&self.output, record, &ctx.services.run_id, ctx.services.force)
                .map_err(|failure| failure.context(format!("writing {}", self.output.display())))?;
            Ok(input.clone())
        }
        .boxed()
    }
}

fn append(output: &Path, record: Record, run_id: &str, is_forced: bool) -> Outcome<()> {
    let failed = |error: std::io::Error| Failure::new(error.to_string());
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let lock_path = PathBuf::from(format!("{}.lock", output.display()));
    let lock = std::fs::File::create(&lock_path).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let mut document = match std::fs::read(output) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| {
            Failure::new(error.to_string())
                .context("the file is there and is no manifest")
                .help("move it away, or set another `output`")
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Document::default(),
        Err(error) => return Err(failed(error)),
    };
    if is_forced && document.last_run_uuid != run_id {
        document.builds.clear();
    }
    run_id.clone_into(&mut document.last_run_uuid);
    document.builds.push(record);
    let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::new(error.to_string()))?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        temporary.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
    }
    temporary.persist(output).map_err(|error| failed(error.error))?;
    // The lock is the open file; its name is of no use afterwards, and Packer removes it too.
    let _ = std::fs::remove_file(lock_path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> Record {
        Record {
            name: name.to_owned(),
            builder_type: "null".to_owned(),
            build_time: None,
            files: None,
            artifact_id: "Null".to_owned(),
            packer_run_uuid: "r".to_owned(),
            custom_data: None,
        }
    }

    #[test]
    fn records_add_up_until_a_forced_run_starts_afresh() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = folder.path().join("m.json");
        append(&output, record("a"), "run-1", false).expect("is writable");
        append(&output, record("b"), "run-2", false).expect("is writable");
        let count = || {
            let text = std::fs::read(&output).expect("was written");
            serde_json::from_slice::<Document>(&text).expect("is a manifest").builds.len()
        };
        assert_eq!(count(), 2);
        append(&output, record("c"), "run-3", true).expect("is writable");
        append(&output, record("d"), "run-3", true).expect("is writable");
        assert_eq!(count(), 2);
    }

    #[test]
    fn the_form_is_packers() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = folder.path().join("m.json");
        append(&output, record("a"), "u", false).expect("is writable");
        let text = std::fs::read_to_string(&output).expect("was written");
        insta::assert_snapshot!(text, @r#"
        {
          "builds": [
            {
              "name": "a",
              "builder_type": "null",
              "files": null,
              "artifact_id": "Null",
              "packer_run_uuid": "r",
              "custom_data": null
            }
          ],
          "last_run_uuid": "u"
        }
        "#);
    }
}
