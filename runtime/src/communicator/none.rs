//! The communicators of builds without a machine: one refuses, one pretends.

use std::path::Path;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};

use super::{Communicator, FileSource, Pipes, RemoteScript};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// Refuses everything, saying why.
pub struct NoCommunicator;

fn refuse<'a, T: Send + 'a>(what: &str) -> BoxFuture<'a, Outcome<T>> {
    let failure = Failure::new(format!("cannot {what}: this build has no communicator"))
        .help("use `shell-local`, or leave the provisioner out of this build with `except`");
    ready(Err(failure)).boxed()
}

impl Communicator for NoCommunicator {
    fn run<'a>(&'a self, _: &'a NodeContext, _: &'a str) -> BoxFuture<'a, Outcome<i64>> {
        refuse("run a command")
    }

    fn run_piped<'a>(&'a self, _: &'a NodeContext, _: &'a str, _: Pipes) -> BoxFuture<'a, Outcome<i64>> {
        refuse("run a command")
    }

    fn run_script<'a>(&'a self, _: &'a NodeContext, _: RemoteScript<'a>, _: &'a [i64]) -> BoxFuture<'a, Outcome<i64>> {
        refuse("run a script")
    }

    fn upload_file<'a>(&'a self, _: &'a NodeContext, _: FileSource<'a>, _: &'a str) -> BoxFuture<'a, Outcome<()>> {
        refuse("upload a file")
    }

    fn upload_folder<'a>(&'a self, _: &'a NodeContext, _: &'a str, _: &'a str) -> BoxFuture<'a, Outcome<()>> {
        refuse("upload a folder")
    }

    fn download_file<'a>(&'a self, _: &'a NodeContext, _: &'a str, _: &'a Path) -> BoxFuture<'a, Outcome<()>> {
        refuse("download a file")
    }

    fn download_folder<'a>(&'a self, _: &'a NodeContext, _: &'a str, _: &'a Path) -> BoxFuture<'a, Outcome<()>> {
        refuse("download a folder")
    }
}

/// Lets everything succeed and does nothing, as Packer has it for the `file` builder.
pub struct PretendingCommunicator;

impl PretendingCommunicator {
    fn skip<'a, T: Send + 'a>(ctx: &'a NodeContext, what: &'static str, result: T) -> BoxFuture<'a, Outcome<T>> {
        async move {
            ctx.complain(format!("{what}: left out, since this build has no machine")).await;
            Ok(result)
        }
        .boxed()
    }
}

impl Communicator for PretendingCommunicator {
    fn run<'a>(&'a self, ctx: &'a NodeContext, _: &'a str) -> BoxFuture<'a, Outcome<i64>> {
        Self::skip(ctx, "command", 0)
    }

    fn run_piped<'a>(&'a self, ctx: &'a NodeContext, _: &'a str, _: Pipes) -> BoxFuture<'a, Outcome<i64>> {
        Self::skip(ctx, "command", 0)
    }

    fn run_script<'a>(
        &'a self,
        ctx: &'a NodeContext,
        _: RemoteScript<'a>,
        _: &'a [i64],
    ) -> BoxFuture<'a, Outcome<i64>> {
        Self::skip(ctx, "script", 0)
    }

    fn upload_file<'a>(&'a self, ctx: &'a NodeContext, _: FileSource<'a>, _: &'a str) -> BoxFuture<'a, Outcome<()>> {
        Self::skip(ctx, "upload", ())
    }

    fn upload_folder<'a>(&'a self, ctx: &'a NodeContext, _: &'a str, _: &'a str) -> BoxFuture<'a, Outcome<()>> {
        Self::skip(ctx, "upload", ())
    }

    fn download_file<'a>(&'a self, ctx: &'a NodeContext, _: &'a str, _: &'a Path) -> BoxFuture<'a, Outcome<()>> {
        Self::skip(ctx, "download", ())
    }

    fn download_folder<'a>(&'a self, ctx: &'a NodeContext, _: &'a str, _: &'a Path) -> BoxFuture<'a, Outcome<()>> {
        Self::skip(ctx, "download", ())
    }
}
