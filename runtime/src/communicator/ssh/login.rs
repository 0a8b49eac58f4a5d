//! Logging in, by each way that there is in turn.

use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Answer, Prompt};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg};
use russh::{Error as SshError, MethodSet};

use super::client::Peer;
use super::config::Login;
use super::identity::Identity;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// How often a server may go on asking.
const MAX_QUESTIONS: usize = 10;

/// A way to log in.
#[derive(Clone, Copy)]
enum Way<'l> {
    Agent,
    Identity(&'l Identity),
    Password,
    Interactive,
}

impl Way<'_> {
    fn method(self) -> MethodKind {
        match self {
            Self::Agent | Self::Identity(_) => MethodKind::PublicKey,
            Self::Password => MethodKind::Password,
            Self::Interactive => MethodKind::KeyboardInteractive,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Agent => "the agent's keys",
            Self::Identity(Identity { certificate: Some(_), .. }) => "the certificate",
            Self::Identity(_) => "the private key",
            Self::Password => "the password",
            Self::Interactive => "the password as an answer to questions",
        }
    }
}

/// How one way ended.
enum Tried {
    In,
    /// The server accepts it, but wants another way besides.
    HalfIn(MethodSet),
    Out(Option<MethodSet>, Option<String>),
}

impl From<AuthResult> for Tried {
    fn from(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Self::In,
            AuthResult::Failure { remaining_methods, partial_success: true } => Self::HalfIn(remaining_methods),
            AuthResult::Failure { remaining_methods, .. } => Self::Out(Some(remaining_methods), None),
        }
    }
}

/// Logs in: the agent's keys first, then keys from files, then the password.
///
/// # Errors
///
/// Fails if the server accepts none of them; the failure names what was tried.
pub(super) async fn log_in(handle: &mut Handle<Peer>, login: &Login, ctx: &NodeContext) -> Outcome<()> {
    let mut ways = Vec::new();
    if login.uses_agent {
        ways.push(Way::Agent);
    }
    ways.extend(login.identities.iter().map(Way::Identity));
    if !login.password.is_empty() {
        ways.push(Way::Password);
    }
    if !login.password.is_empty() || login.is_interactive {
        ways.push(Way::Interactive);
    }
    let mut allowed: Option<MethodSet> = None;
    let mut tried = Vec::new();
    let mut left = ways;
    while let Some(at) = left.iter().position(|way| allowed.as_ref().is_none_or(|set| set.contains(&way.method()))) {
        let way = left.remove(at);
        let ended = attempt(handle, login, way, ctx).await;
        match ended {
            Ok(Tried::In) => return Ok(()),
            Ok(Tried::HalfIn(methods)) => allowed = Some(methods),
            Ok(Tried::Out(methods, reason)) => {
                tried.push(reason.map_or_else(|| way.noun().to_owned(), |reason| format!("{} ({reason})", way.noun())));
                // An empty list is what the library makes of a lost connection.
                match methods {
                    Some(methods) if methods.is_empty() => break,
                    Some(methods) => allowed = Some(methods),
                    None => {}
                }
            }
            Err(error) => {
                tried.push(format!("{} ({error})", way.noun()));
                break;
            }
        }
    }
    let accepted = allowed.map(|set| set.iter().map(|method| <&str>::from(method).to_owned()).collect::<Vec<_>>());
    let accepted = accepted.map_or_else(
        || "the server does not say what it takes".to_owned(),
        |methods| format!("the server takes {}", methods.join(", ")),
    );
    let failure = if tried.is_empty() {
        Failure::new(format!("the template gives no way that the server takes; {accepted}"))
    } else {
        Failure::new(format!("tried {}; {accepted}", tried.join(", ")))
    };
    Err(failure.help("check the user, the password and the key, and what the machine's server allows"))
}

async fn attempt(handle: &mut Handle<Peer>, login: &Login, way: Way<'_>, ctx: &NodeContext) -> Result<Tried, SshError> {
    let user = login.user.as_str();
    match way {
        Way::Password => Ok(handle.authenticate_password(user, login.password.as_str()).await?.into()),
        Way::Identity(identity) => match &identity.certificate {
            Some(certificate) => {
                let key = identity.key.clone();
                Ok(handle.authenticate_openssh_cert(user, key, certificate.clone()).await?.into())
            }
            None => {
                let hash = if identity.key.algorithm().is_rsa() { rsa_hash(handle).await? } else { None };
                let key = PrivateKeyWithHashAlg::new(identity.key.clone(), hash);
                Ok(handle.authenticate_publickey(user, key).await?.into())
            }
        },
        Way::Interactive => answer(handle, login, ctx).await,
        Way::Agent => ask_agent(handle, user).await,
    }
}

/// Finds the best way of signing with RSA that the server knows; none is the oldest.
async fn rsa_hash(handle: &Handle<Peer>) -> Result<Option<HashAlg>, SshError> {
    Ok(handle.best_supported_rsa_hash().await?.flatten())
}

/// Answers each question with the password, or lets the user answer.
async fn answer(handle: &mut Handle<Peer>, login: &Login, ctx: &NodeContext) -> Result<Tried, SshError> {
    let mut answer = handle.authenticate_keyboard_interactive_start(login.user.as_str(), None).await?;
    for _ in 0..MAX_QUESTIONS {
        match answer {
            Answer::Success => return Ok(Tried::In),
            Answer::Failure { remaining_methods, partial_success: true } => {
                return Ok(Tried::HalfIn(remaining_methods));
            }
            Answer::Failure { remaining_methods, .. } => return Ok(Tried::Out(Some(remaining_methods), None)),
            Answer::InfoRequest { prompts, .. } => {
                let mut responses = Vec::new();
                for Prompt { prompt, .. } in prompts {
                    responses.push(match login.is_interactive {
                        false => login.password.clone(),
                        true => {
                            let question = format!("{}@{}: {prompt}", login.user, login.host);
                            let Some(typed) = ctx.services.prompt.ask(&question).await else {
                                return Ok(Tried::Out(None, Some("there is nobody to ask".to_owned())));
                            };
                            typed.trim_end_matches(['\r', '\n']).to_owned()
                        }
                    });
                }
                answer = handle.authenticate_keyboard_interactive_respond(responses).await?;
            }
        }
    }
    Ok(Tried::Out(None, Some("the server does not stop asking".to_owned())))
}

async fn ask_agent(handle: &mut Handle<Peer>, user: &str) -> Result<Tried, SshError> {
    let out = |reason: String| Ok(Tried::Out(None, Some(reason)));
    let mut agent = match AgentClient::connect_env().await {
        Ok(agent) => agent,
        Err(error) => return out(format!("there is no agent: {error}")),
    };
    let identities = match agent.request_identities().await {
        Ok(identities) => identities,
        Err(error) => return out(format!("the agent does not answer: {error}")),
    };
    let mut ended = Tried::Out(None, Some("the agent has none".to_owned()));
    for identity in identities {
        let hash = if identity.public_key().algorithm().is_rsa() { rsa_hash(handle).await? } else { None };
        let tried = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                handle.authenticate_publickey_with(user, key, hash, &mut agent).await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                handle.authenticate_certificate_with(user, certificate, hash, &mut agent).await
            }
        };
        ended = match tried {
            Ok(result) => result.into(),
            // An agent may ask its user, who says no.
            Err(error) => Tried::Out(None, Some(error.to_string())),
        };
        match &ended {
            Tried::Out(Some(methods), _) if methods.is_empty() => return Ok(ended),
            Tried::Out(..) => {}
            Tried::In | Tried::HalfIn(_) => return Ok(ended),
        }
    }
    Ok(ended)
}
