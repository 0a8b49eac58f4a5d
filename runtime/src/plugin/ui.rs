//! What plugins say to the user, answered: the service `Ui`.

use rpk_planner::catalog::Settings;

use super::msgpack::Value;
use super::rpc::unknown;
use crate::context::NodeContext;
use crate::event::Stream;

/// Answers a call of the service `Ui`.
///
/// # Errors
///
/// Fails with a text for the plugin if there is no such method, or nobody to ask.
pub(super) async fn answer(ctx: &NodeContext, method: &str, body: &Value) -> Result<Value, String> {
    let text = body.as_str().unwrap_or_default();
    match method {
        "Say" => ctx.say(text).await,
        // What commands print comes this way from older plugins, and from newer ones as what they say.
        "Message" => ctx.output.line(Stream::Stdout, text).await,
        "Error" => ctx.complain(text).await,
        "Machine" => {}
        "Ask" => {
            let answer = tokio::select! {
                answer = ctx.services.prompt.ask(text) => answer,
                () = ctx.cancel.cancelled() => None,
            };
            return answer.map(Value::Str).ok_or_else(|| "there is nobody to ask".to_owned());
        }
        // Without it a plugin copies all the same, and saves a call for every 32 KiB.
        "NewTrackProgress" => return Err("rpk shows no progress of transfers".to_owned()),
        _ => return Err(unknown(&format!("Ui.{method}"))),
    }
    Ok(Value::Nil)
}

/// Turns data of a build into what plugins expect of it.
pub(super) fn build_data<'a>(data: impl IntoIterator<Item = (&'a String, &'a String)>) -> Value {
    let entries = data.into_iter().map(|(name, text)| {
        let value = match name.as_str() {
            "Port" => text.parse().map_or_else(|_| Value::str(text.as_str()), Value::Int),
            "SSHAgentAuth" => Value::Bool(text == "true"),
            _ => Value::str(text.as_str()),
        };
        (Value::str(name.as_str()), value)
    });
    Value::Map(entries.collect())
}

/// Turns data of a build as plugins give it into texts.
pub(super) fn build_texts(data: &Value) -> std::collections::BTreeMap<String, String> {
    let Value::Map(entries) = data else { return std::collections::BTreeMap::new() };
    let texts = entries.iter().filter_map(|(name, value)| {
        let text = match value {
            Value::Str(_) | Value::Bin(_) => value.as_str()?.to_owned(),
            Value::Int(number) => number.to_string(),
            Value::Uint(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => return None,
        };
        Some((name.as_str()?.to_owned(), text))
    });
    texts.collect()
}

/// Tells whether the template takes the reuse of a result upon itself.
pub(super) fn is_opted_in(settings: &Settings) -> bool {
    settings.get("rpk_cache").and_then(serde_json::Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_data_keeps_its_types_on_the_way_back() {
        let data = [("Port", "22"), ("User", "root"), ("SSHAgentAuth", "true")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let data = std::collections::BTreeMap::from(data);
        let value = build_data(&data);
        assert_eq!(value.get("Port"), Some(&Value::Int(22)));
        assert_eq!(value.get("SSHAgentAuth"), Some(&Value::Bool(true)));
        assert_eq!(build_texts(&value), data);
    }
}
