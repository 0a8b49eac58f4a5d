//! `vagrant`: makes a box, as Vagrant starts machines from them, of an artifact.
//!
//! | file | holds |
//! | --- | --- |
//! | `options.rs` | the options, and those laid over them for one provider |
//! | `provider.rs` | which provider an artifact is for, and what its boxes hold |
//! | `libvirt.rs` | disks of QEMU machines |
//! | `virtualbox.rs` | exported VirtualBox machines |
//! | `contents.rs` | what goes into a box, and how it is packed |

mod contents;
mod libvirt;
mod options;
mod provider;
mod virtualbox;

use std::path::PathBuf;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, Caching, ComponentKind, ComponentSpec, Load, OptionSpec, Reads, Recipe, Rendering,
    Settings, block, boolean, integer, string, string_list,
};
use serde_json::json;

use self::contents::{Contents, Source};
use self::options::{Config, check, depends_on_the_run, files};
use self::provider::Provider;
use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::compression::target::write_file;
use crate::compression::{Algorithm, compress};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `vagrant` post-processor type.
pub struct Vagrant;

/// Lists the options that may be different for each provider.
fn box_options() -> Vec<OptionSpec> {
    vec![
        string("output", "The file to write.").rendering(Rendering::Late),
        integer("compression_level", "From 1 to 9; 0 does not compress, -1 is the usual level."),
        string_list("include", "Files to put into the box."),
        string("vagrantfile_template", "A Vagrantfile to put into the box after the provider's part."),
        boolean("vagrantfile_template_generated", "Whether the Vagrantfile is made only while building."),
        string("architecture", "The architecture of the machine; by default this machine's."),
    ]
}

impl PostProcessorType for Vagrant {
    fn spec(&self) -> ComponentSpec {
        let overrides = provider::NAMES.map(|name| block(name, "Options for this provider.", box_options()));
        ComponentSpec::new(ComponentKind::PostProcessor, "vagrant")
            .options(box_options())
            .options([
                string("provider_override", "The provider to make a box for, whatever the artifact.")
                    .choices(&provider::NAMES),
                block("override", "Options that are different for some providers.", overrides.into())
                    .rendering(Rendering::Late),
            ])
            .check(check)
            .recipe(
                Recipe::judged(1, |settings, _| {
                    if depends_on_the_run(settings) {
                        Caching::Never("reads what is there only once it runs".to_owned())
                    } else {
                        Caching::Cacheable
                    }
                })
                .reads(|settings, _| {
                    let reads = |path| Reads { path, is_tree: false };
                    files(settings).into_iter().map(reads).collect()
                }),
            )
            .describe(|settings, _| {
                let output = settings.get("output").and_then(|output| output.as_str()).unwrap_or_default();
                if output.is_empty() { "make a Vagrant box".to_owned() } else { format!("make Vagrant box {output}") }
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
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

impl PostProcessor for Config {
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            let provider = Provider::of(&self.provider_override, input)?;
            let name = provider.name();
            let options = self.for_provider(name);
            let fields = [
                ("ArtifactId", input.id.as_str()),
                ("BuildName", ctx.build.source_name.as_str()),
                ("BuilderType", ctx.build.builder_type.as_str()),
                ("Provider", name),
                ("Architecture", options.architecture()),
            ];
            let render = |text: &str| ctx.render(text, &fields);
            let output = PathBuf::from(render(options.output())?);
            ctx.say(format!("Creating Vagrant box for '{name}' provider")).await;
            let mut contents = Contents::default();
            for path in options.include() {
                let path = PathBuf::from(render(path)?);
                ctx.say(format!("Including: {}", path.display())).await;
                contents.add(contents::base_name(&path), Source::File(path.clone()));
            }
            let (maker, artifact) = (provider, input.clone());
            let part = tokio::task::spawn_blocking(move || maker.part(&artifact));
            let part = part.await.map_err(|error| Failure::new(error.to_string()))??;
            for (name, source) in part.files {
                contents.add(name, source);
            }
            let mut metadata = part.metadata;
            metadata.insert("provider".to_owned(), json!(provider.name_in_boxes()));
            metadata.insert("architecture".to_owned(), json!(options.architecture()));
            // An included one takes its place.
            contents.add_unless_there("metadata.json", format!("{}\n", serde_json::Value::Object(metadata)));
            let own = match options.vagrantfile_template().map(&render).transpose()? {
                None => String::new(),
                Some(path) => {
                    ctx.say(format!("Using custom Vagrantfile: {path}")).await;
                    let text = tokio::fs::read_to_string(&path)
                        .await
                        .map_err(|error| Failure::new(error.to_string()).context(format!("reading {path}")))?;
                    render(&text).map_err(|failure| failure.context(format!("reading {path}")))?
                }
            };
            contents.add("Vagrantfile".to_owned(), Source::Bytes(vagrantfile(&part.vagrantfile, &own).into_bytes()));
            for name in contents.names() {
                ctx.say(format!("Compressing: {name}")).await;
            }
            let (algorithm, level) = match options.compression_level() {
                0 => (Algorithm::Stored, None),
                level => (Algorithm::Gzip, u32::try_from(level).ok()),
            };
            let cancel = ctx.cancel.clone();
            write_file(ctx, &output, move |file| compress(algorithm, level, file, |out| contents.pack(out, &cancel)))
                .await?;
            Ok(Artifact {
                builder_id: "mitchellh.post-processor.vagrant".to_owned(),
                id: name.to_owned(),
                description: format!("'{name}' provider box: {}", output.display()),
                files: vec![output],
                data: input.data.clone(),
                ..Artifact::default()
            })
        }
        .boxed()
    }
}

/// Joins the two parts of a box's Vagrantfile.
fn vagrantfile(of_provider: &str, own: &str) -> String {
    format!("# What the provider needs.\n{of_provider}\n# What the template adds.\n{own}\n")
}
