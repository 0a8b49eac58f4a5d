//! `checksum`: writes digests of the artifact's files.

use std::io;
use std::path::{Path, PathBuf};

use digest::DynDigest;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec, Load, Problem, Recipe, Rendering, Settings, string,
    string_list,
};
use serde::Deserialize;

use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `checksum` post-processor type.
pub struct Checksum;

/// The digests that Packer has.
const TYPES: [&str; 6] = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(default = "default_types")]
    checksum_types: Vec<String>,
    #[serde(default = "default_output")]
    output: String,
}

fn default_types() -> Vec<String> {
    vec!["md5".to_owned()]
}

fn default_output() -> String {
    "packer_{{.BuildName}}_{{.BuilderType}}_{{.ChecksumType}}.checksum".to_owned()
}

impl PostProcessorType for Checksum {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::PostProcessor, "checksum")
            .options([
                string_list("checksum_types", "The digests to make."),
                string("output", "The file to write them to.").rendering(Rendering::Late),
            ])
            .check(|settings| {
                let types = settings.get("checksum_types").and_then(|types| types.as_array()).into_iter().flatten();
                types
                    .filter_map(|kind| kind.as_str())
                    .filter(|kind| !TYPES.contains(kind))
                    .map(|kind| {
                        Problem::with("checksum_types", format!("`{kind}` is no digest known here"))
                            .help(format!("use some of {}", TYPES.join(", ")))
                    })
                    .collect()
            })
            .recipe(Recipe::cacheable(1))
            .describe(|settings, _| {
                let config: Result<Config, _> = crate::settings::read_settings(settings);
                let types = config.map_or_else(|_| default_types(), |config| config.checksum_types);
                format!("write {} checksums", types.join(", "))
            })
            .load(Load::Processor)
            .flow(ArtifactFlow {
                takes: &[],
                gives: Some(ArtifactKind::Files),
                keeps_input: true,
                keep_is_forced: true,
            })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        let mut config: Config = crate::settings::read_settings(settings)?;
        if config.checksum_types.is_empty() {
            config.checksum_types = default_types();
        }
        Ok(Box::new(config))
    }
}

impl PostProcessor for Config {
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            let mut files = input.files.clone();
            for kind in &self.checksum_types {
                let fields = [
                    ("BuildName", ctx.build.source_name.as_str()),
                    ("BuilderType", ctx.build.builder_type.as_str()),
                    ("ChecksumType", kind.as_str()),
                ];
                let output = PathBuf::from(ctx.render(&self.output, &fields)?);
                let (inputs, kind, target) = (input.files.clone(), kind.clone(), output.clone());
                let written = tokio::task::spawn_blocking(move || write_checksums(&inputs, &kind, &target));
                written.await.map_err(|error| Failure::new(error.to_string()))?.map_err(|error| {
                    Failure::new(error.to_string()).context(format!("writing {}", output.display()))
                })?;
                files.push(output);
            }
            let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            Ok(Artifact {
                builder_id: "packer.post-processor.checksum".to_owned(),
                description: format!("Created artifact from files: {}", names.join(", ")),
                files,
                data: input.data.clone(),
                ..Artifact::default()
            })
        }
        .boxed()
    }
}

/// Writes one line a file: the digest, a tab, the file's name.
fn write_checksums(files: &[PathBuf], kind: &str, output: &Path) -> io::Result<()> {
    let mut text = String::new();
    for path in files {
        let mut hasher = hasher(kind);
        let mut file = io::BufReader::with_capacity(256 * 1024, std::fs::File::open(path)?);
        loop {
            let bytes = io::BufRead::fill_buf(&mut file)?;
            if bytes.is_empty() {
                break;
            }
            hasher.update(bytes);
            let count = bytes.len();
            io::BufRead::consume(&mut file, count);
        }
        for byte in hasher.finalize() {
            text.push_str(&format!("{byte:02x}"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        text.push_str(&format!("\t{name}\n"));
    }
    if let Some(folder) = output.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    // Packer appends, so that a second run leaves every line twice; a checksum file is of one run.
    std::fs::write(output, text)
}

fn hasher(kind: &str) -> Box<dyn DynDigest> {
    match kind {
        "sha1" => Box::new(sha1::Sha1::default()),
        "sha224" => Box::new(sha2::Sha224::default()),
        "sha256" => Box::new(sha2::Sha256::default()),
        "sha384" => Box::new(sha2::Sha384::default()),
        "sha512" => Box::new(sha2::Sha512::default()),
        _ => Box::new(md5::Md5::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_leaves_each_line_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.txt");
        std::fs::write(&file, "hello\n").expect("is writable");
        let output = folder.path().join("sums/md5");
        for _ in 0..2 {
            write_checksums(std::slice::from_ref(&file), "md5", &output).expect("is writable");
        }
        let text = std::fs::read_to_string(&output).expect("was written");
        assert_eq!(text, "b1946ac92492d2347c6235b4d2611184\ta.txt\n");
    }
}
