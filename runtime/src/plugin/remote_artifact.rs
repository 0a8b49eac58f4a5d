//! Artifacts across processes: those that plugins hold, and those that they are given.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::msgpack::Value;
use super::mux::MuxStream;
use super::process::Plugin;
use super::rpc::{Client, Service, unknown};
use super::ui;
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// An artifact that a plugin holds. It lives as long as this does.
pub struct RemoteArtifact {
    client: Client,
    plugin: Arc<Plugin>,
}

impl RemoteArtifact {
    /// Takes the stream on which a plugin serves an artifact.
    pub(super) fn new(stream: MuxStream, plugin: Arc<Plugin>) -> Self {
        Self { client: Client::new(stream, plugin.broker().handle()), plugin }
    }

    async fn ask(&self, method: &str, body: &Value) -> Outcome<Value> {
        match self.client.call(method, body).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.plugin.failure(error).await.context("asking a plugin about its artifact")),
        }
    }

    /// Asks for everything that rpk keeps of an artifact.
    pub(super) async fn describe(&self) -> Outcome<Artifact> {
        let text = async |method| {
            let answer = self.ask(method, &Value::Nil).await?;
            Ok::<_, Failure>(answer.as_str().unwrap_or_default().to_owned())
        };
        let (builder_id, id) = (text("Artifact.BuilderId").await?, text("Artifact.Id").await?);
        let description = text("Artifact.String").await?;
        let files = self.ask("Artifact.Files", &Value::Nil).await?.texts();
        let data = ui::build_texts(&self.state("generated_data").await?);
        Ok(Artifact {
            builder_id,
            id,
            files: files.into_iter().map(PathBuf::from).collect(),
            description,
            tags: Vec::new(),
            data,
        })
    }

    /// Asks for something that other plugins may want to know.
    pub(super) async fn state(&self, key: &str) -> Outcome<Value> {
        self.ask("Artifact.State", &Value::str(key)).await
    }

    /// Has the plugin destroy it.
    pub(super) async fn destroy(&self) -> Outcome<()> {
        let answer = self.ask("Artifact.Destroy", &Value::Nil).await?;
        match answer.get("Message").and_then(Value::as_str) {
            Some(message) => Err(Failure::new(message).context("destroying the artifact")),
            None => Ok(()),
        }
    }
}

/// An artifact of rpk, as a plugin sees it.
pub(super) struct Given<'a> {
    pub ctx: &'a NodeContext,
    pub artifact: &'a Artifact,
    /// The plugin that made it, if it still runs.
    pub remote: Option<Arc<RemoteArtifact>>,
}

impl Given<'_> {
    async fn artifact(&self, method: &str, body: &Value) -> Result<Value, String> {
        let artifact = self.artifact;
        Ok(match method {
            "BuilderId" => Value::str(artifact.builder_id.as_str()),
            "Id" => Value::str(artifact.id.as_str()),
            "String" => Value::str(artifact.description.as_str()),
            "Files" => Value::strings(artifact.files.iter().map(|file| file.display().to_string())),
            "State" => match &self.remote {
                Some(remote) => remote.state(body.as_str().unwrap_or_default()).await.unwrap_or(Value::Nil),
                None if body.as_str() == Some("generated_data") => {
                    let mut data: BTreeMap<String, String> = (*self.ctx.data).clone();
                    data.extend(artifact.data.clone());
                    ui::build_data(&data)
                }
                None => Value::Nil,
            },
            "Destroy" => match &self.remote {
                Some(remote) => remote.destroy().await.map(|()| Value::Nil).map_err(|failure| failure.to_string())?,
                None => artifact.delete_files().await.map(|()| Value::Nil).map_err(|failure| failure.to_string())?,
            },
            _ => return Err(unknown(&format!("Artifact.{method}"))),
        })
    }
}

impl Service for Given<'_> {
    fn call<'a>(&'a self, method: &'a str, body: Value) -> BoxFuture<'a, Result<Value, String>> {
        async move {
            match method.rsplit_once('.') {
                Some(("Artifact", method)) => self.artifact(method, &body).await,
                Some(("Ui", method)) => ui::answer(self.ctx, method, &body).await,
                _ => Err(unknown(method)),
            }
        }
        .boxed()
    }
}
