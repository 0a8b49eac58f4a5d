//! A plan as data that outlives the run: what is saved, and what two plans are compared by.
//!
//! A record holds no sensitive value: where one would stand there is a digest, keyed with the store's own secret. The
//! JSON form of a plan is a record too, though one with gaps: it has no digests of sensitive values, and does not say
//! what the values of options were made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Action, Engine, Plan, Reason, Step};
use crate::graph::{Edge, Node};
use crate::key::{CacheKey, Input, InputValue, keyed};

/// A plan as data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// The template's path as the user gave it.
    pub template: String,
    /// The container engine that was to be used.
    pub engine: Option<String>,
    /// The values of the user variables.
    pub variables: BTreeMap<String, InputValue>,
    /// The nodes, each after everything that it depends on.
    pub nodes: Vec<NodeRecord>,
    /// Whether it has all that [`Plan::record`] writes down.
    pub is_whole: bool,
}

/// One node of a recorded plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Its id.
    pub id: String,
    /// What it does, in a line for people.
    pub title: String,
    /// Whether it is a part of the run, be it only in the case of a failure.
    pub takes_part: bool,
    /// What was to be done with it.
    pub action: Action,
    /// The reason's code.
    pub code: String,
    /// The reason in words.
    pub reason: String,
    /// Its key, once known.
    pub key: Option<CacheKey>,
    /// Its inputs, but for what other nodes give.
    pub inputs: Vec<Input>,
    /// The nodes whose results it is given.
    pub upstream: Vec<String>,
    /// The options whose values are others at each run.
    pub volatile: Vec<String>,
    /// A digest of all that it is told, what cannot change its result included.
    pub told: String,
}

impl Plan {
    /// Writes the plan down as data.
    #[must_use]
    pub fn record(&self) -> PlanRecord {
        self.record_of(str::to_owned)
    }

    /// Writes down the plan of a template that was taken out to a folder, as if it stood in another one.
    #[must_use]
    pub fn relocated_record(&self, from: &str, to: &str) -> PlanRecord {
        let mut record = self.record_of(|text| text.replace(from, to));
        record.replace(from, to);
        record
    }

    fn record_of(&self, place: impl Fn(&str) -> String) -> PlanRecord {
        let variables = self.graph.variables.iter().map(|(name, variable)| {
            let is_hidden = variable.is_sensitive || self.graph.redactor.hides(&variable.value);
            let value = if is_hidden {
                InputValue::Sensitive { digest: self.keyed(&variable.value) }
            } else {
                InputValue::Text(variable.value.clone())
            };
            (name.clone(), value)
        });
        PlanRecord {
            template: self.template.clone(),
            engine: self.engine.as_ref().map(ToString::to_string),
            variables: variables.collect(),
            nodes: self.steps().map(|step| self.node_record(step, &place)).collect(),
            is_whole: true,
        }
    }

    /// Digests a text with the store's secret, so that nobody without it can check a guess.
    #[must_use]
    pub fn keyed(&self, text: &str) -> String {
        keyed(&self.secret, text)
    }

    fn node_record(&self, step: Step<'_>, place_text: &dyn Fn(&str) -> String) -> NodeRecord {
        let Step { node, place, .. } = step;
        let redactor = &self.graph.redactor;
        let mut inputs = self.inputs(&node.id);
        inputs.retain(|input| !input.path.starts_with("upstream:"));
        let mut upstream: Vec<usize> =
            self.graph.inputs_at(place).filter(|(edge, _)| *edge != Edge::Order).map(|(_, from)| from).collect();
        upstream.sort_unstable();
        NodeRecord {
            id: node.id.to_string(),
            title: redactor.redact(&node.title),
            takes_part: step.action != Action::Skip || *step.reason == Reason::OnlyAfterFailure,
            action: step.action,
            code: step.reason.code().to_owned(),
            reason: redactor.redact(&step.reason.text()),
            key: step.decision.key,
            inputs,
            upstream: upstream.into_iter().map(|from| self.graph.at(from).id.to_string()).collect(),
            volatile: volatile_options(node),
            told: self.keyed(&place_text(&format!(
                "{} {:?} {} {:?}",
                Json::Object((*node.settings).clone()),
                node.conduct,
                node.keeps_input,
                node.excluded
            ))),
        }
    }
}

fn volatile_options(node: &Node) -> Vec<String> {
    let origins = node.origins.iter().filter(|origin| !origin.usage.volatile.is_empty());
    origins.map(|origin| origin.option.clone()).collect()
}

impl PlanRecord {
    /// Reads the JSON form of a plan, as `plan -format=json` writes it; none if the value is no plan.
    #[must_use]
    pub fn from_json(plan: &Json) -> Option<Self> {
        let text = |value: &Json, name: &str| value.get(name)?.as_str().map(str::to_owned);
        plan.get("format_version")?;
        let variables = plan.get("variables")?.as_object()?;
        let nodes = plan.get("nodes")?.as_array()?.iter().map(|node| {
            let reason = node.get("reason")?;
            let inputs = node.get("inputs")?.as_object()?;
            Some(NodeRecord {
                id: text(node, "id")?,
                title: text(node, "title")?,
                takes_part: node.get("action")? != "skipped" || node.get("kind")? == "error-cleanup",
                action: Action::from_word(node.get("action")?.as_str()?)?,
                code: text(reason, "code")?,
                reason: text(reason, "text")?,
                key: text(node, "key").and_then(|key| key.parse().ok()),
                inputs: inputs.iter().map(|(path, value)| Input::new(path, value_from_json(value))).collect(),
                upstream: node
                    .get("depends_on")?
                    .as_array()?
                    .iter()
                    .filter_map(|id| id.as_str().map(str::to_owned))
                    .collect(),
                volatile: Vec::new(),
                told: String::new(),
            })
        });
        Some(Self {
            template: text(plan, "template")?,
            engine: text(plan, "engine")
                .map(|name| Engine { name, detail: text(plan, "engine_detail").unwrap_or_default() }.to_string()),
            variables: variables.iter().map(|(name, value)| (name.clone(), value_from_json(value))).collect(),
            nodes: nodes.collect::<Option<_>>()?,
            is_whole: false,
        })
    }

    /// Puts one text in the place of another in all values.
    fn replace(&mut self, from: &str, to: &str) {
        let change = |value: &mut InputValue| {
            if let InputValue::Text(text) = value
                && text.contains(from)
            {
                *text = text.replace(from, to);
            }
        };
        self.variables.values_mut().for_each(change);
        for node in &mut self.nodes {
            for input in &mut node.inputs {
                change(&mut input.value);
                input.path = input.path.replace(from, to);
                for used in input.origin.iter_mut().flat_map(|origin| &mut origin.used) {
                    *used = used.replace(from, to);
                }
            }
            node.title = node.title.replace(from, to);
        }
    }

    /// Leaves out what the JSON form of this plan does not have.
    #[must_use]
    pub(super) fn reduced(&self, plan: &Plan) -> Self {
        let mut reduced = self.clone();
        reduced.is_whole = false;
        for node in &mut reduced.nodes {
            for input in &mut node.inputs {
                input.origin = None;
                match &mut input.value {
                    InputValue::Text(text) => *text = plan.graph.redactor.redact(text),
                    InputValue::Sensitive { digest } => digest.clear(),
                    InputValue::Content { .. } | InputValue::Unknown => {}
                }
            }
        }
        reduced
    }
}

fn value_from_json(value: &Json) -> InputValue {
    match value {
        Json::Null => InputValue::Unknown,
        Json::String(text) => InputValue::Text(text.clone()),
        Json::Object(map) => match map.get("digest").and_then(Json::as_str) {
            Some(digest) => InputValue::Content {
                digest: digest.to_owned(),
                size_bytes: map.get("size_bytes").and_then(Json::as_u64),
            },
            None if map.contains_key("sensitive") => InputValue::Sensitive { digest: String::new() },
            None => InputValue::Text(value.to_string()),
        },
        other => InputValue::Text(other.to_string()),
    }
}
