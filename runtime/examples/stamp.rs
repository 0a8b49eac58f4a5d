//! A plugin in Rust: provisioner `stamp` leaves a line in a file of the machine, post-processor `stamp` writes a file
//! that names the artifact.
//!
//! Built as `packer-plugin-stamp_v1.0.0_x5.0_OS_ARCH` with its `_SHA256SUM` it serves today's Packer and rpk; as
//! `packer-provisioner-stamp` and `packer-post-processor-stamp` Packer 1.6.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_runtime::plugin::folder::UNNAMED;
use rpk_runtime::plugin::sdk::{
    Artifact, Config, Machine, Object, Plugin, PostProcessor, Processed, Provisioner, Type, Ui,
};

struct Stamp;

fn schema() -> Object {
    Object::of([("path", Type::String), ("message", Type::String)])
}

fn check(config: &Config) -> Result<(), String> {
    if config.text("path").is_empty() { Err("path must be specified".to_owned()) } else { Ok(()) }
}

impl Provisioner for Stamp {
    fn schema(&self) -> Object {
        schema()
    }

    fn prepare(&self, config: &Config) -> Result<(), String> {
        check(config)
    }

    fn provision<'a>(
        &'a self,
        config: &'a Config,
        machine: &'a Machine,
        ui: &'a Ui,
    ) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let path = config.text("path");
            ui.say(&format!("Stamping {path}")).await;
            machine.upload(format!("{}\n", config.text("message")).as_bytes(), path).await?;
            let ran = machine.run(&format!("cat '{path}'; echo to stderr >&2; exit 7")).await?;
            ui.say(&format!("It reads: {}", String::from_utf8_lossy(&ran.stdout).trim())).await;
            if ran.status == 7 { Ok(()) } else { Err(format!("the command ended with status {}", ran.status)) }
        }
        .boxed()
    }
}

impl PostProcessor for Stamp {
    fn schema(&self) -> Object {
        schema()
    }

    fn configure(&self, config: &Config) -> Result<(), String> {
        check(config)
    }

    fn process<'a>(
        &'a self,
        config: &'a Config,
        artifact: &'a Artifact,
        ui: &'a Ui,
    ) -> BoxFuture<'a, Result<Processed, String>> {
        async move {
            let path = config.text("path").to_owned();
            ui.say(&format!("Stamping the artifact {}", artifact.id)).await;
            std::fs::write(&path, format!("{} {}\n", artifact.builder_id, artifact.id))
                .map_err(|error| format!("{path}: {error}"))?;
            let made = Artifact {
                builder_id: "rpk.example.stamp".to_owned(),
                id: "stamp".to_owned(),
                description: format!("A stamp in {path}"),
                files: vec![path],
            };
            Ok(Processed { artifact: Some(made), keeps_input: true })
        }
        .boxed()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    Plugin::new("1.0.0").provisioner(UNNAMED, Stamp).post_processor(UNNAMED, Stamp).run().await
}
