//! A post-processor that lives in a plugin.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::Settings;

use super::builder::{discard, identity};
use super::component::Component;
use super::msgpack::Value;
use super::process::Plugin;
use super::remote_artifact::{Given, RemoteArtifact};
use super::rpc::serve;
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::engine::LazyEngine;
use crate::failure::{Failure, Outcome};
use crate::post_processor::PostProcessor;

/// A post-processor with its options.
pub struct PluginPostProcessor {
    component: Arc<Component>,
    settings: Settings,
}

impl PluginPostProcessor {
    /// Makes a post-processor; nothing is started.
    #[must_use]
    pub fn new(component: Arc<Component>, settings: Settings) -> Self {
        Self { component, settings }
    }

    async fn run(&self, ctx: &NodeContext, input: &Artifact) -> Outcome<Artifact> {
        let plugin = Arc::new(self.component.prepared(&self.settings).await?.plugin);
        if ctx.cancel.is_cancelled() {
            return Err(Failure::cancelled());
        }
        let expected = plugin.broker().expect();
        let id = Value::Uint(u64::from(expected.id));
        let given = Given { ctx, artifact: input, remote: self.component.host.artifact(input) };
        let served = async {
            if let Ok(stream) = expected.accept().await {
                // How the call ends says more than how its stream does.
                let _ = serve(&stream, &given).await;
            }
            std::future::pending::<()>().await;
        };
        // What comes out may be what went in: to ask about it then asks back.
        let work = async {
            let answer = plugin.call("PostProcessor.PostProcess", &id).await?;
            self.result(&plugin, &answer, input).await
        };
        tokio::select! {
            result = work => result,
            () = served => Err(Failure::new("the plugin does not answer")),
            () = ctx.cancel.cancelled() => {
                let _ = plugin.call("PostProcessor.Cancel", &Value::Nil).await;
                Err(Failure::cancelled())
            }
        }
    }

    async fn result(&self, plugin: &Arc<Plugin>, answer: &Value, input: &Artifact) -> Outcome<Artifact> {
        if let Some(message) = answer.get("Err").and_then(|error| error.get("Message")).and_then(Value::as_str) {
            return Err(Failure::new(message.trim()));
        }
        let id = answer.get("StreamId").and_then(Value::as_u32).unwrap_or_default();
        if id == 0 {
            return Ok(Artifact { description: "no artifact".to_owned(), ..Artifact::default() });
        }
        let stream = plugin.broker().dial(id).await;
        let stream = stream.map_err(|lost| Failure::new(lost.to_string()).context("taking the artifact"))?;
        let remote = RemoteArtifact::new(stream, plugin.clone());
        let artifact = remote.describe().await?;
        // One that was passed through lives where it came from.
        if artifact.builder_id == input.builder_id && artifact.id == input.id && artifact.files == input.files {
            return Ok(input.clone());
        }
        self.component.host.keep_artifact(&artifact, Arc::new(remote));
        Ok(artifact)
    }
}

impl PostProcessor for PluginPostProcessor {
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        self.run(ctx, input).boxed()
    }

    fn identity<'a>(
        &'a self,
        engine: &'a LazyEngine,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Outcome<Option<String>>> {
        identity(&self.settings, engine, artifact).boxed()
    }

    fn discard<'a>(&'a self, _: &'a NodeContext, artifact: &'a Artifact) -> BoxFuture<'a, Outcome<()>> {
        discard(&self.component, artifact).boxed()
    }
}
