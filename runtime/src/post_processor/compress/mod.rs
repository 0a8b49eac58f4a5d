//! `compress`: packs the artifact's files into one archive, or compresses the one file that there is.
//!
//! | file | holds |
//! | --- | --- |
//! | `format.rs` | which archive a file name asks for |
//! | `pack.rs` | files into that archive |

mod format;
mod pack;

use std::path::PathBuf;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec, Load, Problem, Recipe, Rendering, Settings, integer,
    string,
};
use serde::Deserialize;

use self::format::{ALGORITHMS, ARCHIVES, Archive, Format, misleading_ending};
use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::compression::target::write_file;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `compress` post-processor type.
pub struct Compress;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    output: String,
    format: String,
    compression_level: i64,
    archive: String,
    algorithm: String,
}

const DEFAULT_OUTPUT: &str = "packer_{{.BuildName}}_{{.BuilderType}}";

impl Config {
    fn read(settings: &Settings) -> Outcome<Self> {
        let mut config: Self = crate::settings::read_settings(settings)?;
        if config.output.is_empty() {
            DEFAULT_OUTPUT.clone_into(&mut config.output);
        }
        Ok(config)
    }

    /// Returns the name whose endings decide.
    fn name(&self) -> String {
        if self.format.is_empty() { self.output.clone() } else { format!("{}.{}", self.output, self.format) }
    }

    /// Returns the level: none is the form's own default, as 0 and -1 are in Packer.
    fn level(&self) -> Option<u32> {
        u32::try_from(self.compression_level).ok().filter(|level| *level > 0).map(|level| level.min(9))
    }
}

impl PostProcessorType for Compress {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::PostProcessor, "compress")
            .options([
                string("output", "The file to write; its endings say in which form.").rendering(Rendering::Late),
                string("format", "One more ending that says in which form, without becoming a part of the name."),
                integer(
                    "compression_level",
                    "From 1, the fastest, to 9, the smallest; 0 and -1 are the form's default.",
                ),
                string("archive", "What holds the files where `output` does not say.").choices(&ARCHIVES),
                string("algorithm", "How they are compressed where `output` does not say.").choices(&ALGORITHMS),
            ])
            .check(|settings| {
                let Ok(config) = Config::read(settings) else { return Vec::new() };
                let mut problems = Vec::new();
                if config.compression_level < -1 {
                    problems.push(
                        Problem::with("compression_level", format!("there is no level {}", config.compression_level))
                            .help("use a level from 1 to 9, or leave it out"),
                    );
                }
                if let Some(ending) = misleading_ending(&config) {
                    let option = if config.format.is_empty() { "output" } else { "format" };
                    problems.push(
                        Problem::with(option, format!("`.{ending}` is no form known here: a gzipped tar file is made"))
                            .help("use .zip, or .gz, .bgzf, .lz4, .xz or .bzip2, with .tar before it for several files")
                            .warning(),
                    );
                }
                problems
            })
            .recipe(Recipe::cacheable(1))
            .describe(|settings, _| {
                let config = Config::read(settings).unwrap_or_default();
                format!("compress to {} ({})", config.output, Format::of(&config).noun())
            })
            .load(Load::Processor)
            .flow(ArtifactFlow {
                takes: &[],
                gives: Some(ArtifactKind::Files),
                keeps_input: false,
                keep_is_forced: false,
            })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        Ok(Box::new(Config::read(settings)?))
    }
}

impl PostProcessor for Config {
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            let fields =
                [("BuildName", ctx.build.source_name.as_str()), ("BuilderType", ctx.build.builder_type.as_str())];
            let output = PathBuf::from(ctx.render(&self.output, &fields)?);
            let format = Format::of(self);
            if format.archive == Archive::None && input.files.len() != 1 {
                return Err(Failure::new(format!(
                    "{} holds one file; the artifact has {}",
                    output.display(),
                    input.files.len()
                ))
                .help("put .tar before the ending of `output`, or use .zip"));
            }
            if input.files.is_empty() {
                ctx.complain("The artifact has no files: the archive will be empty").await;
            }
            ctx.say(format!("Compressing {} files to {} ({})", input.files.len(), output.display(), format.noun()))
                .await;
            let (files, level, cancel) = (input.files.clone(), self.level(), ctx.cancel.clone());
            write_file(ctx, &output, move |file| pack::pack(&files, format, level, file, &cancel)).await?;
            ctx.say(format!("Archive {} completed", output.display())).await;
            Ok(Artifact {
                builder_id: "packer.post-processor.compress".to_owned(),
                description: format!("compressed artifacts in: {}", output.display()),
                files: vec![output],
                data: input.data.clone(),
                ..Artifact::default()
            })
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_packer() {
        for (given, level) in [(-1, None), (0, None), (1, Some(1)), (9, Some(9)), (12, Some(9))] {
            assert_eq!(Config { compression_level: given, ..Config::default() }.level(), level, "{given}");
        }
    }

    #[test]
    fn what_cannot_be_made_is_found_beforehand() {
        let spec = Compress.spec();
        let problems = |text: &str| {
            let settings: Settings = serde_json::from_str(text).expect("it is an object");
            let problems = spec.check.as_ref().expect("there is a check")(&settings);
            problems.into_iter().map(|problem| (problem.option, problem.is_error)).collect::<Vec<_>>()
        };
        assert_eq!(problems(r#"{"compression_level": -2}"#), [(Some("compression_level".to_owned()), true)]);
        assert_eq!(problems(r#"{"output": "a.tar.zst"}"#), [(Some("output".to_owned()), false)]);
        assert_eq!(problems(r#"{"output": "a.tar.gz", "compression_level": 100}"#), []);
    }
}
