//! `upload`: sends the artifact's files to a web server, to S3-compatible storage or to an SFTP server.
//!
//! Packer leaves this to plugins and scripts. What is sent is verified by a digest that the server gives back, or else
//! by its size.
//!
//! | file | holds |
//! | --- | --- |
//! | `options.rs` | the options, and what is wrong with them |
//! | `client.rs` | one request, repeated where that may help |
//! | `place.rs` | where a file goes |
//! | `put.rs` | a file to a web server |
//! | `s3.rs` | a file to S3-compatible storage, in parts if it is large |
//! | `sftp.rs` | a file to an SFTP server |
//! | `signature.rs` | AWS Signature Version 4 |
//! | `digest.rs` | digests of what is sent |

mod client;
mod digest;
mod options;
mod place;
mod put;
mod s3;
mod sftp;
mod signature;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec, Recipe, Rendering, Settings, duration, integer, string,
    string_map,
};

use self::client::Client;
use self::options::{Config, check};
use self::place::{Place, shown};
use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `upload` post-processor type.
pub struct Upload;

impl PostProcessorType for Upload {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::PostProcessor, "upload")
            .options([
                string(
                    "url",
                    "Where files go: https://…, http://…, s3://BUCKET/KEY or sftp://…; one that ends with / is a folder.",
                )
                .required()
                .rendering(Rendering::Late),
                string_map("headers", "Headers to send along, such as Authorization.").sensitive(),
                string("endpoint", "The address of S3-compatible storage that is not Amazon's."),
                string("region", "The region of the bucket; by default AWS_REGION, else us-east-1."),
                string("access_key", "The id of the access key; by default AWS_ACCESS_KEY_ID.").sensitive(),
                string("secret_key", "The secret of the access key; by default AWS_SECRET_ACCESS_KEY.").sensitive(),
                string("password", "The password at the SFTP server.").sensitive(),
                string("private_key_file", "The private key to log in to the SFTP server with."),
                string("known_hosts_file", "The file of host keys to hold the SFTP server's against; ~/.ssh/known_hosts if not given."),
                integer("retries", "How often a request is repeated after a failure that may pass; 3 if not given."),
                duration("timeout", "How long the server may be silent; 30s if not given."),
            ])
            .check(check)
            .recipe(Recipe::never("sends to a server, where others may write as well"))
            .describe(|settings, _| {
                let url = settings.get("url").and_then(|url| url.as_str()).unwrap_or_default();
                format!("upload to {}", shown(url))
            })
            .flow(ArtifactFlow { takes: &[ArtifactKind::Files], gives: None, keeps_input: true, keep_is_forced: true })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

impl PostProcessor for Config {
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            let fields = [
                ("BuildName", ctx.build.source_name.as_str()),
                ("BuilderType", ctx.build.builder_type.as_str()),
                ("ArtifactId", input.id.as_str()),
            ];
            let url = ctx.render(&self.url, &fields)?;
            if input.files.is_empty() {
                return Err(Failure::new("the artifact has no files to upload"));
            }
            if input.files.len() > 1 && !url.ends_with('/') {
                let failure = Failure::new(format!("{} files would all be {}", input.files.len(), shown(&url)));
                return Err(failure.help("let `url` end with / so that each file keeps its name"));
            }
            if sftp::is_meant(&url) {
                let mut sending = std::pin::pin!(sftp::put_all(ctx, &url, &input.files, self));
                return tokio::select! {
                    sent = &mut sending => sent.map(|()| input.clone()),
                    () = ctx.cancel.cancelled() => Err(Failure::cancelled()),
                };
            }
            // Requests are made on a thread that may block; what it has to say comes here.
            let (say, mut said) = tokio::sync::mpsc::unbounded_channel::<String>();
            let (config, files, cancel) = (self.clone(), input.files.clone(), ctx.cancel.clone());
            let work = tokio::task::spawn_blocking(move || {
                let client = Client::new(config.attempts(), config.silence(), cancel, say);
                for path in &files {
                    let place = Place::of(&url, path, &config)?;
                    let sent = match &place {
                        Place::Web(place) => put::put(&client, place, path),
                        Place::Storage(place) => s3::put(&client, place, path),
                    };
                    sent.map_err(|failure| failure.context(format!("uploading {} to {place}", path.display())))?;
                }
                Ok(())
            });
            let mut work = work.fuse();
            loop {
                tokio::select! {
                    biased;
                    Some(text) = said.recv() => ctx.say(text).await,
                    ended = &mut work => {
                        while let Ok(text) = said.try_recv() {
                            ctx.say(text).await;
                        }
                        ended.map_err(|error| Failure::new(error.to_string()))??;
                        return Ok(input.clone());
                    }
                    // The thread notices at its next step, or when the server has been silent for too long.
                    () = ctx.cancel.cancelled() => return Err(Failure::cancelled()),
                }
            }
        }
        .boxed()
    }
}
